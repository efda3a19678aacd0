"""The program: finds the command, runs it, and turns whatever goes wrong into an exit code."""

import sys
from collections.abc import Sequence
from importlib import import_module
from inspect import cleandoc
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.exceptions import TyperException
from typer.main import get_command, get_group

import rowlift
from rowlift.cli import exits
from rowlift.cli.boundary import bug
from rowlift.cli.interrupts import interruptible
from rowlift.cli.options import OutputOption, ProfileOption, ProjectDirOption, QuietOption
from rowlift.cli.streams import silence
from rowlift.cli.table import COMMANDS, Entry
from rowlift.cli.terminal import Terminal
from rowlift.cli.usage import usage_error, wants_json
from rowlift.core.errors import ConfigError, RowliftError

HELP = """Move rows from your warehouse to the people, accounts and tools that use them.

Start with rowlift demo: it needs no warehouse and no account."""

EPILOG = (
    "Exit codes: 0 done · 1 rows or syncs failed · 2 wrong usage or files · 3 cannot connect · "
    "4 refused by a guard or rule · 5 skipped, another run is active · 70 a fault of Rowlift · "
    "130 interrupted, state saved"
)
_NAMES = {"help_option_names": ["-h", "--help"]}


class LazyCommand(TyperCommand):
    """A line of --help that becomes the real command when it is called."""

    def __init__(self, entry: Entry) -> None:
        super().__init__(entry.name, help=entry.summary, rich_help_panel=entry.panel)
        self._entry = entry

    def load(self) -> Any:
        """Import the command's module and build the command."""
        function = import_module(self._entry.module).command
        about = f"{self._entry.summary}\n\n{cleandoc(function.__doc__ or '')}".strip()
        single = typer.Typer(add_completion=False)
        single.command(self._entry.name, help=about, context_settings=_NAMES)(function)
        return get_command(single)

    def make_context(
        self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any
    ) -> Any:
        return self.load().make_context(info_name, args, parent=parent, **extra)


def root(
    context: typer.Context,
    project_dir: ProjectDirOption = None,
    profile: ProfileOption = None,
    output: OutputOption = None,
    quiet: QuietOption = False,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if version:
        sys.stdout.write(f"rowlift {rowlift.__version__}\n")
        raise typer.Exit
    context.obj = {
        "project_dir": project_dir, "profile": profile, "output": output, "quiet": quiet,
    }  # fmt: skip
    if context.invoked_subcommand is None:
        if output == "json":
            raise ConfigError("USAGE", "There is no command.", mend="See rowlift --help")
        context.get_help()
        raise typer.Exit(exits.USAGE)


def program() -> TyperGroup:
    """Return the root command with all its lazy commands."""
    app = typer.Typer(name="rowlift")
    app.callback(help=HELP, epilog=EPILOG, context_settings=_NAMES, invoke_without_command=True)(
        root
    )
    group = get_group(app)
    for entry in COMMANDS:
        group.add_command(LazyCommand(entry))
    return group


def run(words: Sequence[str]) -> int:
    """Run one command line and return its exit code; no exception leaves."""
    with interruptible():
        try:
            return _flushed(_run(list(words)))
        except SystemExit as end:
            return _flushed(exits.code_of(end))
        except BrokenPipeError:
            return _flushed(exits.FAILED)
        except KeyboardInterrupt:
            return exits.INTERRUPTED


def _run(words: list[str]) -> int:
    """Run a command line up to what only the end of the process can still get wrong."""
    try:
        code: int = program().main(words, prog_name="rowlift", standalone_mode=False) or exits.DONE
    except (TyperException, RowliftError) as error:
        known = error if isinstance(error, RowliftError) else usage_error(error)
        Terminal(json=wants_json(words)).error(known)
        return exits.of_error(known)
    except BrokenPipeError:
        raise
    except Exception as error:  # noqa: BLE001
        return bug(Terminal(json=wants_json(words)), error)
    return code


def _flushed(code: int) -> int:
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        silence(sys.stdout.fileno())
    except RowliftError as error:
        silence(sys.stdout.fileno())
        if code != exits.of_error(error):
            Terminal().error(error)
        return code or exits.of_error(error)
    return code
