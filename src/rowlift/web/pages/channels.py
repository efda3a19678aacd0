"""Who is told when something is wrong: channels, tests of them, and what each hears of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Path, Request
from starlette.responses import Response

from rowlift.core.errors import RowliftError
from rowlift.core.rights import Right
from rowlift.operations.alerting import AlertReport, ChannelReport
from rowlift.operations.defining import DefinitionRecord
from rowlift.operations.project import Project
from rowlift.web.pages.fields import with_typed
from rowlift.web.pages.forms import Filled, Text, Wrong, onward
from rowlift.web.pages.render import show
from rowlift.web.pages.settings import rewrite, workspace
from rowlift.web.pages.settings_form import field_of, with_rules
from rowlift.web.rights import Asking, Ours, door
from rowlift.web.typed import whose_form
from rowlift.web.versions import expected

router = APIRouter(prefix="/settings/alerts")

Name = Annotated[str, Path(max_length=200)]

SECRETS = ("url", "secret")
TYPED = "typed"  # stands for a secret in a form that comes back


@dataclass(frozen=True, slots=True)
class Channels:
    """The channels, what is wrong now, and the workspace's document, which has the rules."""

    items: Sequence[ChannelReport]
    versions: Mapping[str, int]
    managed: Mapping[str, str]
    wrong: Sequence[AlertReport]
    definition: DefinitionRecord


@router.get("", **door("alerts.channels", Right.READ))
def channels(request: Request, project: Ours) -> Response:
    """Show who is told of what."""
    return show(request, "channels.html", shown(project))


@router.post("/add", **door("definitions.create", Right.EDIT))
def add(request: Request, project: Ours, caller: Asking, form: Filled) -> Response:
    """Make a channel; its secrets are sealed, while it is not right yet with the form only."""
    known, whose = request.app.state.typed, whose_form(request, caller)
    token, name = form.get("kept", ""), form.get("name", "").strip()
    form = with_typed(form, known.of(whose, token))
    typed = {one: form[one].strip() for one in SECRETS if form.get(one)}
    document = {"type": form.get("type", "apprise"), "url": "", **typed}
    try:
        project.definitions.by(caller.name, "ui").create("channel", name, document)
    except RowliftError as error:
        stands = {"name": name, "type": document["type"], "kept": known.keep(whose, typed)}
        wrong = Wrong.of(error, _field_of(error), **stands, **dict.fromkeys(typed, TYPED))
        return show(request, "channels.html", shown(project), wrong=wrong)
    known.forget(token)
    after = {"type": document["type"]}
    project.access.audit.note(caller, "channel.create", name, after=after)
    return onward("/settings/alerts?said=channel-made")


@router.post("/rules", **door("definitions.edit", Right.EDIT))
def rules(request: Request, project: Ours, caller: Asking, form: Filled) -> Response:
    """Change of what channels are told."""
    try:
        rewrite(project, caller, form, with_rules(workspace(project), form))
    except RowliftError as error:
        wrong = Wrong.of(error, field_of(error), **form)
        return show(request, "channels.html", shown(project), wrong=wrong)
    return onward("/settings/alerts?said=settings")


@router.post("/{name}/test", **door("alerts.test", Right.EDIT))
def test(name: Name, request: Request, project: Ours, caller: Asking) -> Response:
    """Send a test to a channel at once."""
    project.access.audit.note(caller, "channel.test", name)
    try:
        request.app.state.tests.take(caller.name)
        project.alerts.test(name, discreet=True)
    except RowliftError as error:
        return show(request, "channels.html", shown(project), wrong=Wrong.of(error))
    return onward("/settings/alerts?said=channel-tested")


@router.post("/{name}/remove", **door("definitions.archive", Right.EDIT))
def remove(
    name: Name, request: Request, project: Ours, caller: Asking, version: Text = ""
) -> Response:
    """Take a channel out of use."""
    try:
        definitions = project.definitions.by(caller.name, "ui")
        definitions.archive("channel", name, expected=expected(version))
    except RowliftError as error:
        return show(request, "channels.html", shown(project), wrong=Wrong.of(error))
    project.access.audit.note(caller, "channel.archive", name)
    return onward("/settings/alerts?said=channel-removed")


def shown(project: Project) -> Channels:
    """Return what the page shows."""
    made = project.definitions.list("channel")
    return Channels(
        project.alerts.channels(),
        {one.name: one.version for one in made},
        {one.name: one.managed for one in made},
        project.alerts.wrong(),
        workspace(project),
    )


def _field_of(error: RowliftError) -> str:
    text = f"{error} {error.place or ''}"
    if error.code in {"NAME_TWICE", "NAME_WRONG"}:
        return "name"
    return next((each for each in ("secret", "url", "name") if each in text), "")
