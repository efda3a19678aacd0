"""The project folder that the demo writes, and that its reader goes on with."""

import hashlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path

from rowlift.core.errors import ConfigError
from rowlift.kit.durable import make_folder

PORT = "ROWLIFT_DEMO_PORT"
SECRET = "webhook.secret"  # noqa: S105
WAREHOUSE = "warehouse.duckdb"
MARKER = ".rowlift-demo.json"
WRITTEN_BY_RUNS = ("out", ".rowlift")

FIRST_QUERY = """\
SELECT u.external_id AS user_id, true AS has_open_ticket
FROM zendesk.tickets t
JOIN zendesk.users u ON u.id = t.requester_id
WHERE t.status IN ('new', 'open', 'pending', 'hold')
ORDER BY user_id
"""

MENDED_QUERY = """\
-- One row per person: DISTINCT, because many have several open tickets; and only users that are
-- linked to a customer. The first version of this query had neither, and the rules stopped it.
SELECT DISTINCT u.external_id AS user_id, true AS has_open_ticket
FROM zendesk.tickets t
JOIN zendesk.users u ON u.id = t.requester_id
WHERE t.status IN ('new', 'open', 'pending', 'hold') AND u.external_id IS NOT NULL
ORDER BY user_id
"""

FILES: Mapping[str, str] = {
    "rowlift.yml": """\
version: 1
workspace: {name: demo, identifiers: [id, email]}
""",
    "connections.yml": """\
default: demo
profiles:
  demo:
    sources:
      warehouse: {type: duckdb, path: warehouse.duckdb}
    destinations:
      lake: {type: files, path: out, format: jsonl}
      helpdesk:
        type: webhook
        url: http://127.0.0.1:${ROWLIFT_DEMO_PORT:-%(port)s}/rowlift
        secret: %(secret)s
        allow_networks: [127.0.0.1/32]    # loopback is refused unless it is allowed by name
""",
    "syncs/customers.yml": """\
sync: customers
description: Every customer of the shop, with plan and lifetime value
preset: import                # a bad row is left out and reported; the others go
kind: person
source: warehouse
query: models/customers.sql
identify_by: id
destinations:
  - {use: lake}
""",
    "syncs/open_tickets.yml": """\
sync: open_tickets
description: Who has an open Zendesk ticket
preset: traits                # a bad row stops the run before anything is sent
kind: person
source: warehouse
query: models/open_tickets.sql
identify_by: user_id
removed: clear                # without an open ticket the trait goes away
destinations:
  - {use: helpdesk, fields: {has_open_ticket: open_ticket}}
  - {use: lake}
""",
    "models/customers.sql": """\
SELECT c.customer_id AS id, c.email, c.name, c.country, c.signed_up_on,
    coalesce(s.plan, 'none') AS plan,
    coalesce(o.orders, 0) AS orders,
    coalesce(o.total, 0) AS lifetime_value
FROM shop.customers c
LEFT JOIN billing.subscriptions s ON s.customer_id = c.customer_id
LEFT JOIN (
    SELECT customer_id, count(*) AS orders, sum(total) AS total FROM shop.orders GROUP BY 1
) o ON o.customer_id = c.customer_id
ORDER BY id, c.name
""",
    "models/open_tickets.sql": FIRST_QUERY,
    ".gitignore": ".rowlift/\nout/\nwebhook.secret\n",
}


def write(folder: Path, port: int, secret: str) -> None:
    """Write the project's files; a folder that holds anything else is refused."""
    try:
        _write(folder, port, secret)
    except OSError as error:
        raise ConfigError(
            "FILE_UNREADABLE",
            f"The demo cannot be written to {folder}: {error.strerror or type(error).__name__}.",
            mend="Name another folder: rowlift demo FOLDER.",
        ) from error


def _write(folder: Path, port: int, secret: str) -> None:
    make_way(folder)
    for name in ("syncs", "models"):
        make_folder(folder / name)
    secret_file = folder.resolve() / SECRET
    secret_file.touch(mode=0o600)
    secret_file.write_text(secret + "\n", encoding="ascii")
    values = {"port": port, "secret": json.dumps(f"${{file:{secret_file}}}")}
    for name, text in FILES.items():
        whole = text % values if "%(" in text else text
        (folder / name).write_text(whole, encoding="utf-8")


def mark(folder: Path, port: int) -> None:
    """Remember what the demo wrote, so that only an untouched folder is ever overwritten."""
    digests = {name: _digest(folder / name) for name in FILES}
    text = json.dumps({"port": port, "files": digests}, indent=1)
    (folder / MARKER).write_text(text + "\n", encoding="ascii")


def receiver_of(folder: Path) -> tuple[str, int]:
    """Return the webhook's secret and port of a demo folder; raises ConfigError for another one."""
    if not (folder / MARKER).is_file():
        mend = "Run rowlift demo first."
        raise ConfigError("NO_PROJECT", f"{folder} is no folder of the demo.", mend=mend)
    port = json.loads((folder / MARKER).read_text(encoding="ascii"))["port"]
    return (folder / SECRET).read_text(encoding="ascii").strip(), int(port)


def make_way(folder: Path) -> None:
    """Remove what an earlier demo left; raises ConfigError if the folder holds anything else."""
    if not folder.exists() or not any(folder.iterdir()):
        return
    if not (folder / MARKER).is_file():
        raise _refused(folder, "is not empty and was not made by the demo")
    digests = json.loads((folder / MARKER).read_text(encoding="ascii"))["files"]
    edited = [name for name, digest in digests.items() if _digest(folder / name) != digest]
    if edited:
        raise _refused(folder, f"is an earlier demo in which you changed {', '.join(edited)}")
    known = {*digests, MARKER, WAREHOUSE, SECRET}
    for name in known:
        (folder / name).unlink(missing_ok=True)
    for name in WRITTEN_BY_RUNS:
        shutil.rmtree(folder / name, ignore_errors=True)


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""


def _refused(folder: Path, why: str) -> ConfigError:
    mend = "Name another folder: rowlift demo FOLDER; or remove this one yourself."
    return ConfigError("VALUE_WRONG", f"The folder {folder} {why}.", mend=mend)
