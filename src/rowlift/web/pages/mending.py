"""What a guard stopped, mended from the page of the run: each by one button."""

from typing import Annotated

from fastapi import APIRouter, Path
from starlette.responses import Response

from rowlift.core.errors import ConfigError
from rowlift.core.rights import Right
from rowlift.web.pages.forms import Text, onward
from rowlift.web.pages.mends import remedied, remedy_of
from rowlift.web.pages.words import part
from rowlift.web.rights import Asking, Ours, door

router = APIRouter(prefix="/syncs")

Name = Annotated[str, Path(max_length=200)]


@router.post("/{name}/mend", **door("definitions.edit", Right.EDIT))
def mend(name: Name, project: Ours, caller: Asking, code: Text = "") -> Response:
    """Change of a sync what a guard's stop asks for."""
    before = project.definitions.get("sync", name)
    remedy = remedy_of(code, before.document)
    if remedy is None or remedy.change is None:
        text = "Nothing of a sync is to be changed about this."
        raise ConfigError("VALUE_WRONG", text, mend="Look at the run.")
    definitions = project.definitions.by(caller.name, "ui")
    document = remedied(before.document, remedy.change)
    after = definitions.edit("sync", name, document, expected=before.version)
    project.access.audit.note(
        caller, "sync.edit", name, before=before.document, after=after.document
    )
    return onward(f"/syncs/{part(name)}?said=mended")


@router.post("/{name}/reset", **door("reset", Right.EDIT))
def reset(name: Name, project: Ours, caller: Asking, target: Text = "") -> Response:
    """Forget what was sent, to one target or to all, so that the next run sends everything."""
    project.reset(name, target=target or None)
    project.access.audit.note(caller, "sync.reset", name, after={"target": target or None})
    return onward(f"/syncs/{part(name)}?said=forgotten")
