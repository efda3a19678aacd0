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
from rowlift.web.pages.forms import Filled, Text, Wrong, onward
from rowlift.web.pages.render import show
from rowlift.web.pages.settings import rewrite, workspace
from rowlift.web.pages.settings_form import field_of, with_rules
from rowlift.web.rights import Asking, Ours, door
from rowlift.web.versions import expected

router = APIRouter(prefix="/settings/alerts")

Name = Annotated[str, Path(max_length=200)]


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
def add(
    request: Request, project: Ours, caller: Asking,
    name: Text = "", type: Text = "apprise", url: Text = "", secret: Text = "",  # noqa: A002
) -> Response:  # fmt: skip
    """Make a channel; its secrets are sealed."""
    document = {"type": type, "url": url.strip()} | ({"secret": secret} if secret else {})
    try:
        project.definitions.by(caller.name, "ui").create("channel", name.strip(), document)
    except RowliftError as error:
        wrong = Wrong.of(error, _field_of(error), name=name, type=type)
        return show(request, "channels.html", shown(project), wrong=wrong)
    project.access.audit.note(caller, "channel.create", name.strip(), after={"type": type})
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
