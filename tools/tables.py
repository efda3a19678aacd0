"""Writes the tables of a new state database as SQL, from the migrations; --check only compares."""

import io
import sys

from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import ScriptDirectory

from rowlift.state.fresh import TABLES
from rowlift.state.migrate import REVISIONS


def tables(dialect: str) -> str:
    """Return all that the migrations do to an empty database, a statement a paragraph."""
    out = io.StringIO()
    options = {"as_sql": True, "output_buffer": out}
    context = MigrationContext.configure(dialect_name=dialect, opts=options)
    revisions = list(ScriptDirectory(str(REVISIONS)).walk_revisions())
    with Operations.context(context):
        for one in reversed(revisions):
            one.module.upgrade()
    out.write("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY);\n\n")
    out.write(f"INSERT INTO alembic_version VALUES ('{revisions[0].revision}');\n")
    return "".join(f"{line.rstrip()}\n" for line in out.getvalue().splitlines())


def main(*, only_check: bool) -> int:
    """Write the files that are not current, or say which they are."""
    stale = 0
    for dialect, path in TABLES.items():
        wanted = tables(dialect)
        if path.exists() and path.read_text(encoding="utf-8") == wanted:
            continue
        stale += 1
        print(f"{path.name} is not current: make docs" if only_check else path.name)
        if not only_check:
            path.write_text(wanted, encoding="utf-8")
    return stale if only_check else 0


if __name__ == "__main__":
    sys.exit(main(only_check="--check" in sys.argv[1:]))
