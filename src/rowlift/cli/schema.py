"""rowlift schema."""

import json
import sys
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from rowlift.cli import exits
from rowlift.cli.options import command as _command
from rowlift.cli.terminal import Terminal
from rowlift.core.errors import ConfigError

if TYPE_CHECKING:
    from rowlift.project.schema import FileKind

FILES = ("rowlift", "connections", "sync", "forward", "audience")

What = Annotated[
    str, typer.Argument(help="rowlift, connections, sync, forward, audience, or output.")
]
Kind = Annotated[str | None, typer.Argument(help="With output: the kind of document.")]


@_command
def command(_terminal: Terminal, what: What = "sync", kind: Kind = None) -> int:
    """Editors use it for completion: put # yaml-language-server: $schema=FILE on the first line."""
    sys.stdout.write(json.dumps(schema_of(what, kind), indent=2, ensure_ascii=False) + "\n")
    return exits.DONE


def schema_of(what: str, kind: str | None = None) -> dict[str, Any]:
    """Return the JSON Schema of a file, or of a kind of document."""
    from rowlift.cli import documents
    from rowlift.operations.kinds import KINDS
    from rowlift.project.schema import json_schema

    if what in FILES:
        return json_schema(cast("FileKind", what), KINDS)
    if what != "output":
        text = f"There is no schema called {what}."
        raise ConfigError("NAME_UNKNOWN", text, mend=f"Use {', '.join(FILES)}, or output KIND.")
    if kind is None or kind not in documents.FIELDS:
        text = f"There is no kind of document called {kind}." if kind else "Which kind of document?"
        raise ConfigError("NAME_UNKNOWN", text, mend=f"Kinds: {', '.join(documents.FIELDS)}.")
    return documents.json_schema(kind)
