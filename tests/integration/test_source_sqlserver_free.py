"""The SQL Server source without Microsoft's driver: python-tds, encrypted by ourselves."""

import re
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pyarrow as pa
import pydantic
import pytest

from rowlift.core.errors import ConnectError
from rowlift.sources.dialects.sqlserver_words import error
from rowlift.sources.sqlserver import SQLServer
from rowlift.testing.proxy import Proxy
from servers import TdsDatabase
from tds_shop import ENDLESS, Shop, children, opened, refusal

# PRELOGIN with one option, ENCRYPTION, which is 2: not supported
NOT_ENCRYPTING = bytes.fromhex("0401000f000000000100060001ff02")
CHOOSE = """
import sys
from rowlift.core.errors import SourceError
from rowlift.sources.dialects.sqlserver_drivers import chosen
from rowlift.sources.sqlserver import SQLServerConfig
for missing in sys.argv[1].split():
    sys.modules[missing] = None
given = dict(pair.split("=") for pair in sys.argv[2:])
config = SQLServerConfig(host="h", database="d", user="u", password="p", **given)
try:
    print(chosen(config).module)
except SourceError as error:
    print(error.code, error.mend)
"""


@pytest.fixture
def shop(tds_database: TdsDatabase) -> Shop:
    return opened(tds_database, "python-tds")


def exhibit(source: SQLServer) -> pa.Table:
    return source.query("SELECT * FROM exhibit").read_all()


def test_both_drivers_give_the_same_rows(shop: Shop) -> None:
    theirs = shop.source(reader="mssql-python")
    assert exhibit(shop.source()).equals(exhibit(theirs), check_metadata=True)


def test_nothing_of_microsofts_is_loaded_and_all_goes_through_a_socket(shop: Shop) -> None:
    server = shop.database.server
    with Proxy(server.host, server.port) as proxy:
        before = set(children())
        reader = shop.source(port=proxy.port).query(ENDLESS)
        (child,) = set(children()) - before
        about = Path(f"/proc/{child}")
        public = (about / "cmdline").read_bytes() + (about / "environ").read_bytes()
        assert not re.search("mssql|msodbc|ddbc", (about / "maps").read_text())
        assert b"canary" not in public
        assert proxy.longest > 1000
        assert server.ask("library", shop.user) == "python-tds"
        reader.close()


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"encrypt": "optional", "ssl_ca": None},
        {"trust_server_certificate": True, "ssl_ca": None},
        {"host_name_in_certificate": None},  # the certificate has the address too
    ],
)
def test_all_is_encrypted_however_little_is_verified(shop: Shop, options: dict[str, Any]) -> None:
    shop.source(**options).now()
    assert shop.database.server.ask("encrypts", shop.user)


def overheard(listener: socket.socket) -> bytes:
    """What somebody says to a server that does not encrypt, after PRELOGIN."""
    client, _ = listener.accept()
    with client:
        client.recv(4096)
        client.sendall(NOT_ENCRYPTING)
        return client.recv(4096)


@pytest.mark.parametrize("encrypt", ["optional", "yes"])
def test_a_server_that_does_not_encrypt_hears_no_password(shop: Shop, encrypt: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor() as threads:
        heard = threads.submit(overheard, listener)
        with pytest.raises(ConnectError) as caught:
            shop.source(port=listener.getsockname()[1], encrypt=encrypt).now()
        assert heard.result() == b""
    assert (caught.value.code, "does not encrypt" in caught.value.message) == ("TLS_FAILED", True)


def test_who_is_sent_on_arrives_encrypted(shop: Shop) -> None:
    server = shop.database.server
    with Proxy(server.host, server.port) as proxy:
        server.ask("send_on", shop.database.name, "localhost\\one", proxy.port)
        assert shop.source().query("SELECT id FROM people").read_all().num_rows == 3
        assert proxy.longest > 1000
        assert server.ask("encrypts", shop.user)


def test_who_is_sent_on_verifies_the_next_server_too(shop: Shop) -> None:
    server = shop.database.server
    server.ask("send_on", shop.database.name, server.wrong_host, server.port)
    assert refusal(shop.source(host_name_in_certificate=None), "SELECT 1 AS a").code == "TLS_FAILED"


@pytest.mark.parametrize(
    ("missing", "options", "told"),
    [
        ("", {}, "mssql_python"),
        ("mssql_python", {}, "pytds"),
        ("", {"reader": "python-tds"}, "pytds"),
        ("pytds", {"reader": "python-tds"}, 'DRIVER_MISSING pip install "rowlift[sqlserver-free]"'),
        ("mssql_python", {"encrypt": "strict"}, 'DRIVER_MISSING pip install "rowlift[sqlserver]"'),
        ("mssql_python pytds", {}, 'DRIVER_MISSING pip install "rowlift[sqlserver]"'),
    ],
)
def test_the_driver_is_taken_that_is_there_and_can(
    missing: str, options: dict[str, str], told: str
) -> None:
    asking = [sys.executable, "-c", CHOOSE, missing, *map("=".join, options.items())]
    done = subprocess.run(asking, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == told


@pytest.mark.parametrize(
    "options", [{"encrypt": "strict"}, {"authentication": "entra_service_principal"}]
)
def test_what_it_cannot_do_is_refused_before_anybody_connects(
    shop: Shop, options: dict[str, str]
) -> None:
    with pytest.raises(pydantic.ValidationError, match="use mssql-python"):
        shop.config(**options)


def test_a_server_of_another_language_is_understood_by_its_numbers() -> None:
    told = error(
        "Ungültiger Objektname 'nope'.", 208, user="reader", where="shop:1433", connecting=False
    )
    assert told.code == "TABLE_UNKNOWN"
