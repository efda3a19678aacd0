"""The form of a channel that is there: where it leads elsewhere, its secrets are typed again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fastapi import APIRouter, Request
from pydantic import BaseModel
from starlette.responses import Response

from rowlift.core.errors import ConfigError, RowliftError
from rowlift.core.rights import Right
from rowlift.core.rules import rule
from rowlift.operations.covering import covered
from rowlift.operations.defining import DefinitionRecord
from rowlift.operations.kinds import KINDS
from rowlift.operations.project import Project
from rowlift.project.connections import ROLES
from rowlift.web.pages.channels import Name
from rowlift.web.pages.fields import (
    Section,
    Standing,
    document_of,
    sections,
    typed_secrets,
    with_typed,
)
from rowlift.web.pages.forms import Filled, onward
from rowlift.web.pages.mistakes import Mistake, mistakes
from rowlift.web.pages.render import show
from rowlift.web.problems import problem
from rowlift.web.rights import Asking, Ours, door
from rowlift.web.typed import whose_form
from rowlift.web.versions import expected

router = APIRouter(prefix="/settings/alerts")


@dataclass(frozen=True, slots=True)
class ChannelForm:
    """A channel's settings as a form, and what is wrong with what was filled in."""

    name: str
    type: str
    version: int
    sections: Sequence[Section]
    mistakes: Sequence[Mistake] = ()
    kept: str = ""


@router.get("/{name}/edit", **door("definitions.get", Right.EDIT))
def before_edit(name: Name, request: Request, project: Ours) -> Response:
    """Show the settings of a channel; no secret is among them."""
    one = _ours(project, name)
    form = sections(_config(one), Standing(one.document, one.secrets))
    return show(request, "channel.html", ChannelForm(name, _type(one), one.version, form))


@router.post("/{name}/edit", **door("definitions.edit", Right.EDIT))
def edit(name: Name, request: Request, project: Ours, caller: Asking, filled: Filled) -> Response:
    """Keep what a channel is from now on; what it was told before stays told."""
    before = _ours(project, name)
    config, whose = _config(before), whose_form(request, caller)
    typed = request.app.state.typed.of(whose, filled.get("kept", ""))
    filled = with_typed(filled, typed)
    document = {"type": _type(before), **document_of(config, filled, before.document)}
    if about := before.document.get("description"):
        document["description"] = about
    try:
        definitions = project.definitions.by(caller.name, "ui")
        made = definitions.edit(
            "channel", name, document, expected=expected(filled.get("version", ""))
        )
    except RowliftError as error:
        kept = request.app.state.typed.keep(whose, typed_secrets(config, filled))
        return _wrong(request, before, document, error, filled, kept)
    request.app.state.typed.forget(filled.get("kept", ""))
    project.access.audit.note(
        caller, "channel.edit", name, before=covered(before).document, after=covered(made).document
    )
    return onward("/settings/alerts?said=channel-edited")


def _wrong(
    request: Request, before: DefinitionRecord, document: Mapping[str, object],
    error: RowliftError, filled: Mapping[str, str], kept: str,
) -> Response:  # fmt: skip
    config = _config(before)
    wrong = mistakes(error, config, document)
    by_path = {one.path: (one.message, one.code) for one in wrong}
    stands = Standing(document, before.secrets, by_path, before.document, filled)
    form = sections(config, stands)
    page = ChannelForm(before.name, _type(before), before.version, form, wrong, kept)
    return show(request, "channel.html", page, problem(error).status)


def _ours(project: Project, name: str) -> DefinitionRecord:
    """Return a channel that is edited here; raises ConfigError MANAGED_IN_FILES."""
    one = project.definitions.get("channel", name)
    if one.managed == "files":
        known = rule("MANAGED_IN_FILES")
        raise ConfigError(known.code, known.title, mend=known.mend)
    return one


def _type(one: DefinitionRecord) -> str:
    return str(one.document["type"])


def _config(one: DefinitionRecord) -> type[BaseModel]:
    return KINDS.of(ROLES["channel"])[_type(one)]
