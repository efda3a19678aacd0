"""Writes docs/reference from the code; with --check it only says what is not current."""

import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from typer.core import TyperArgument, TyperCommand, TyperOption

from rowlift.cli.app import EPILOG, LazyCommand, program
from rowlift.cli.documents import FIELDS
from rowlift.cli.schema import FILES, schema_of
from rowlift.cli.table import COMMANDS
from rowlift.core.nouns import Accepts
from rowlift.core.rights import RIGHTS
from rowlift.core.rules import RULES
from rowlift.operations.kinds import ACCEPTS, KINDS
from rowlift.operations.metering import METRICS
from rowlift.operations.project import Project
from rowlift.project.connections import ROLES
from rowlift.project.schema import json_schema
from rowlift.web import app
from rowlift.web.office import Office

REFERENCE = Path(__file__).resolve().parent.parent / "docs" / "reference"
GENERATED = "<!-- Written by tools/reference.py: make docs -->\n"
SCOPES = {
    "file": "The project's files",
    "source": "Queries and sources",
    "column": "Columns of a result",
    "row": "Rows",
    "message": "Messages sent to the ingest API",
    "guard": "Guards: the run stops, nothing was changed",
    "run": "Runs",
    "destination": "Destinations",
    "state": "State",
    "access": "People who work here, and requests over HTTP",
    "warning": "Warnings: nothing stops",
}


def rules() -> Iterator[str]:
    yield "# Rules and codes\n"
    yield "Every problem Rowlift reports has one of these codes; they do not change.\n"
    for scope, title in SCOPES.items():
        yield f"## {title}\n"
        yield "| code | what is wrong | how to mend it |\n|---|---|---|"
        for rule in RULES.values():
            if rule.scope == scope:
                code = f'<a id="{rule.code}"></a>`{rule.code}`'
                yield f"| {code} | {_cell(rule.title)} | {_cell(rule.mend)} |"
        yield ""


def metrics() -> Iterator[str]:
    yield "# Metrics\n"
    yield "`GET /metrics` answers them in Prometheus's text format.\n"
    yield "| metric | kind | labels | is |\n|---|---|---|---|"
    for name, one in METRICS.items():
        labels = ", ".join(f"`{label}`" for label in one.labels)
        yield f"| `{name}` | {one.kind} | {labels} | {_cell(one.about)} |"
    yield ""


def cli() -> Iterator[str]:
    group = program()
    yield "# The command line\n"
    yield "`rowlift COMMAND --help` prints the same. `python -m rowlift` is `rowlift`.\n"
    yield f"{EPILOG}.\n"
    panel = ""
    for entry in COMMANDS:
        if entry.panel != panel:
            panel = entry.panel
            yield f"## {panel}\n"
        yield from _command(LazyCommand(entry).load())
    yield "## Options of every command\n"
    context = group.context_class(group)
    yield from _options([one for one in group.params if _panel(one) == "Global"], context)


def _command(command: TyperCommand) -> Iterator[str]:
    context = command.context_class(command, info_name=f"rowlift {command.name}")
    usage = " ".join(command.collect_usage_pieces(context))
    yield f"### rowlift {command.name}\n"
    yield f"    rowlift {command.name} {usage}\n"
    yield (command.help or "") + "\n"
    own = [one for one in command.params if _panel(one) != "Global"]
    yield from _options([one for one in own if isinstance(one, TyperArgument)], context)
    yield from _options([one for one in own if isinstance(one, TyperOption)], context)


def _panel(parameter: Any) -> str | None:
    return getattr(parameter, "rich_help_panel", None)


def _options(parameters: list[Any], context: Any) -> Iterator[str]:
    for one in parameters:
        named = isinstance(one, TyperOption)
        value = f" {one.metavar or one.display_type(context)}" if named and not one.is_flag else ""
        names = ", ".join(one.opts) if named else str(one.metavar or one.name.upper())
        env = f" (environment: `{one.envvar}`)" if one.envvar else ""
        yield f"- `{names}{value}`: {one.help}{env}"
    if parameters:
        yield ""


def connections() -> Iterator[str]:
    yield "# Connections\n"
    yield (
        "The keys of a source, destination or channel in `connections.yml`, by `type`. Any text"
        " value may hold `${NAME}`, `${NAME:-default}` or `${file:/path}`; secrets should.\n"
    )
    schema = json_schema("connections", KINDS)
    for role in ROLES.values():
        yield f"## {role.capitalize()}\n"
        (named,) = schema["$defs"]["ProfileFile"]["properties"][role]["patternProperties"].values()
        for branch in named["oneOf"]:
            able = ACCEPTS[branch["title"]] if role == "destinations" else None
            yield from _connection(branch, able, schema["$defs"])


def _connection(
    branch: Mapping[str, Any], able: Accepts | None, models: Mapping[str, Any]
) -> Iterator[str]:
    yield f"### type: {branch['title']}\n"
    yield f"{branch['description']}\n" if branch["description"] else ""
    if able:
        words = {"kind": able.kinds, "match": able.matches, "removed": able.removed}
        asked = "; ".join(f"{key} {_listed(some)}" for key, some in words.items())
        yield f"A sync may ask of it: {asked}.\n"
        if able.events:
            yield f"A forward may name the people of events by {_listed(able.events)}.\n"
        if able.test is None:
            yield "No test message is sent to it: it would not be harmless.\n"
    yield "| key | default | meaning |\n|---|---|---|"
    yield from _keys(branch, models)
    yield ""


def _keys(model: Mapping[str, Any], models: Mapping[str, Any], within: str = "") -> Iterator[str]:
    for key, field in model["properties"].items():
        if key != "type":
            default = "required" if key in model.get("required", ()) else _default(field)
            yield f"| `{within}{key}` | {default} | {_cell(field.get('description', ''))} |"
        for one in field.get("anyOf", ()):
            if "$ref" in one:
                yield from _keys(models[one["$ref"].rpartition("/")[2]], models, f"{key}.")


def _listed(words: Iterable[str]) -> str:
    return ", ".join(f"`{one}`" for one in sorted(words))


def _default(field: Mapping[str, Any]) -> str:
    value = field.get("default")
    return "" if value in (None, "", [], {}) else f"`{json.dumps(value)}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _json(schema: Mapping[str, Any]) -> str:
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def api(document: Mapping[str, Any]) -> Iterator[str]:
    yield "# The HTTP API\n"
    yield "[openapi.json](openapi.json) has every field; a running server gives it at"
    yield "`/api/v1/openapi.json`. A route takes one right; roles have these:\n"
    yield "| role | rights |\n|---|---|"
    for role, rights in RIGHTS.items():
        yield f"| {role.value} | {', '.join(sorted(rights))} |"
    yield ""
    yield "| route | right | what it does |\n|---|---|---|"
    for path, methods in document["paths"].items():
        for method, told in methods.items():
            what = _cell(told["description"].split("\n")[0])
            yield f"| `{method.upper()} {path}` | {told['x-right']} | {what} |"


def pages() -> dict[Path, str]:
    """What each file of docs/reference must hold."""
    served = app.described(app.api(Office(Project)))
    written = {
        Path("api.md"): api(served),
        Path("rules.md"): rules(),
        Path("cli.md"): cli(),
        Path("metrics.md"): metrics(),
        Path("connections.md"): connections(),
    }
    found = {path: GENERATED + "\n".join(lines).rstrip() + "\n" for path, lines in written.items()}
    found[Path("openapi.json")] = _json(served)
    found |= {Path(f"files/{kind}.schema.json"): _json(schema_of(kind)) for kind in FILES}
    for kind in FIELDS:
        found[Path(f"json/{kind}.schema.json")] = _json(schema_of("output", kind))
    return found


def main(*, only_check: bool) -> int:
    wanted = pages()
    there = {path.relative_to(REFERENCE) for path in REFERENCE.rglob("*") if path.is_file()}
    stale = [
        path
        for path, text in wanted.items()
        if path not in there or (REFERENCE / path).read_text(encoding="utf-8") != text
    ]
    unknown = sorted(there - wanted.keys())
    if only_check:
        for path in (*stale, *unknown):
            print(f"docs/reference/{path} is not current: make docs", file=sys.stderr)
        return 1 if stale or unknown else 0
    for path in unknown:
        (REFERENCE / path).unlink()
    for path in stale:
        (REFERENCE / path).parent.mkdir(parents=True, exist_ok=True)
        (REFERENCE / path).write_text(wanted[path], encoding="utf-8")
        print(f"docs/reference/{path}")
    return 0


if __name__ == "__main__":
    sys.exit(main(only_check="--check" in sys.argv[1:]))
