"""The files `rowlift init` writes; a file that exists is left as it is."""

import json
from dataclasses import dataclass
from pathlib import Path

from rowlift.project.connections import ConnectorKinds
from rowlift.project.names import name as checked_name
from rowlift.project.names import suggestion
from rowlift.project.problems import Problem
from rowlift.project.schema import FileKind, json_schema

SCHEMAS = ".rowlift/schema"

FILES = {
    "rowlift.yml": """\
# yaml-language-server: $schema=.rowlift/schema/rowlift.json
version: 1
workspace:
  name: {name}
  identifiers: [id, email]            # what identifies people: id, email, or both
  allow_email_change_by_id: false
""",
    "connections.yml": """\
# yaml-language-server: $schema=.rowlift/schema/connections.json
# Secrets stay out of this file: ${{NAME}} comes from the environment, ${{file:/path}} from a file.
default: dev
profiles:
  dev:
    sources:
      warehouse:
        type: postgres
        host: ${{PGHOST:-localhost}}
        database: ${{PGDATABASE:-shop}}
        user: ${{PGUSER:-rowlift_ro}}   # a user with SELECT only
        password: ${{PGPASSWORD}}
    destinations: {{}}
      # crm:
      #   type: segment
      #   write_key: ${{SEGMENT_WRITE_KEY}}
      # mail:
      #   type: customerio
      #   site_id: ${{CUSTOMERIO_SITE_ID}}
      #   api_key: ${{CUSTOMERIO_API_KEY}}
""",
    "models/open_tickets.sql": """\
-- One row per person. The first column identifies the person; each other column becomes an
-- attribute of the same name. Replace this with a query on your own tables.
SELECT
  customer_id AS "user_id",
  count(*)    AS "open_tickets"
FROM tickets
WHERE status = 'open' AND customer_id IS NOT NULL
GROUP BY customer_id
""",
    "syncs/open_tickets.yml": """\
# yaml-language-server: $schema=../.rowlift/schema/sync.json
sync: open_tickets
preset: traits                # traits: bad rows stop the run; import: they are left out
kind: person                  # person | account
source: warehouse
query: models/open_tickets.sql
identify_by: user_id          # user_id | email | anonymous_id
schedule: {{every: 12h}}
removed: clear                # who has no open ticket any more loses the attribute
destinations: []              # the workspace only; add: - {{use: crm}}
""",
    ".env.example": """\
# Copy to .env, fill in, and load it before rowlift: set -a; . ./.env; set +a
PGHOST=localhost
PGDATABASE=shop
PGUSER=rowlift_ro
PGPASSWORD=
# SEGMENT_WRITE_KEY=
# CUSTOMERIO_SITE_ID=
# CUSTOMERIO_API_KEY=
""",
    ".gitignore": """\
.rowlift/
.env
""",
}


@dataclass(frozen=True, slots=True)
class Scaffold:
    """What was written and what was there before, as paths below the folder."""

    root: Path
    written: tuple[str, ...]
    kept: tuple[str, ...]


def scaffold(root: Path, kinds: ConnectorKinds, *, name: str | None = None) -> Scaffold:
    """Write a small project that passes the offline check.

    The schemas below `.rowlift` are written anew. Raises Problem if the name cannot be one or the
    folder cannot be written.
    """
    project = _name(name if name is not None else suggestion(root.resolve().name) or "rowlift")
    written = []
    try:
        for path, text in FILES.items():
            if _write(root / path, text.format(name=project)):
                written.append(path)
        write_schemas(root, kinds)
    except OSError as error:
        reason = error.strerror or "it cannot be written"
        raise Problem("FILE_UNREADABLE", f"{error.filename or root}: {reason}.") from None
    return Scaffold(root, tuple(written), tuple(path for path in FILES if path not in written))


def write_schemas(root: Path, kinds: ConnectorKinds) -> None:
    """Write the JSON Schemas that the files' first lines name, for completion in an editor."""
    folder = root / SCHEMAS
    folder.mkdir(parents=True, exist_ok=True)
    names: tuple[FileKind, ...] = ("rowlift", "connections", "sync", "forward", "audience")
    for kind in names:
        schema = json.dumps(json_schema(kind, kinds), indent=2, ensure_ascii=False)
        (folder / f"{kind}.json").write_text(schema + "\n", encoding="utf-8")


def _name(name: str) -> str:
    try:
        return checked_name(name)
    except ValueError as error:
        raise Problem("VALUE_WRONG", f"The project's name {error}.") from None


def _write(path: Path, text: str) -> bool:
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        return False
    return True
