"""Options that every command takes, and the decorator that adds them."""

import functools
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from rowlift.cli.boundary import guarded

GLOBAL = "Global"

ProjectDirOption = Annotated[
    Path | None,
    typer.Option(
        "--project-dir", "-C", envvar="ROWLIFT_PROJECT_DIR", rich_help_panel=GLOBAL,
        help="Folder with rowlift.yml; default: this folder.", metavar="FOLDER",
    ),
]  # fmt: skip
ProfileOption = Annotated[
    str | None,
    typer.Option(
        "--profile", "-p", envvar="ROWLIFT_PROFILE", rich_help_panel=GLOBAL,
        help="Profile of connections.yml; default: the one it names.", metavar="NAME",
    ),
]  # fmt: skip
OutputOption = Annotated[
    Literal["text", "json"] | None,
    typer.Option(
        "--output", "-o", envvar="ROWLIFT_OUTPUT", rich_help_panel=GLOBAL,
        help="text, or json: one document on stdout, everything else on stderr.",
    ),
]  # fmt: skip
QuietOption = Annotated[
    bool,
    typer.Option("--quiet", "-q", rich_help_panel=GLOBAL, help="No progress, only results."),
]

_SHARED: dict[str, Any] = {
    "project_dir": ProjectDirOption,
    "profile": ProfileOption,
    "output": OutputOption,
    "quiet": QuietOption,
}
_DEFAULTS: dict[str, Any] = {"quiet": False}


def command(body: Callable[..., int], *, unwinds: bool = True) -> Callable[..., None]:
    """Turn `body(terminal, …) -> exit code` into a command with the options of all commands.

    One that does not unwind takes a signal from where on it says so itself.
    """
    own = list(inspect.signature(body, eval_str=True).parameters.values())[1:]
    shared = [
        inspect.Parameter(
            name, inspect.Parameter.KEYWORD_ONLY, default=_DEFAULTS.get(name), annotation=kind
        )
        for name, kind in _SHARED.items()
    ]
    context = inspect.Parameter(
        "context", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context
    )

    @functools.wraps(body)
    def run(context: typer.Context, **values: Any) -> None:
        outer = context.obj or {}
        chosen = {name: values.pop(name) or outer.get(name) for name in _SHARED}
        code = guarded(chosen, lambda terminal: body(terminal, **values), unwinds=unwinds)
        raise typer.Exit(code)

    keyword = [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in own]
    run.__signature__ = inspect.Signature([context, *keyword, *shared])  # type: ignore[attr-defined]
    run.__annotations__ = {one.name: one.annotation for one in (context, *own, *shared)}
    return run
