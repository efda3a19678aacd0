"""Sources behind an SSH server: PostgreSQL and MariaDB through a tunnel."""

import socket
import time

import asyncssh
import psycopg
import pytest

from postgres_shop import READERS, read, refusal
from rowlift.core.errors import ConnectError
from rowlift.kit.reach import Reach
from rowlift.sources.mysql import MySQL, MySQLConfig
from servers.ssh import ssh_server

SQL = "SELECT id, name FROM app.people"


@pytest.fixture
def bastion(tmp_path):
    with ssh_server(tmp_path) as server:
        yield server


@pytest.mark.parametrize("reader", READERS)
def test_a_server_behind_ssh_is_read_and_its_name_verified(shop, bastion, reader):
    name = {"host": "localhost", "reader": reader}
    source = shop.source(ssh=bastion.keys, **name)
    assert read(source, SQL).num_rows == 100
    assert ("verify-full" in str(list(source.check()))) is True
    assert set(bastion.asked) == {("localhost", shop.database.server.port)}
    elsewhere = shop.source(ssh=bastion.keys, host="127.0.0.2", reader=reader)
    assert refusal(elsewhere.now).code == "TLS_FAILED"


def test_a_locked_key_opens_the_tunnel(shop, bastion):
    assert shop.source(ssh=bastion.by_key).now() > 0


def test_mariadb_is_read_through_a_tunnel(mariadb_database, bastion):
    server = mariadb_database.server
    mariadb_database.execute("CREATE TABLE people (id INT)", "INSERT INTO people VALUES (1), (2)")
    given = {
        "host": "localhost", "port": server.port, "database": mariadb_database.name,
        "user": server.user, "password": server.password, "allow_unsafe_user": True,
        "ssl_ca": str(server.ca_file), "ssh": bastion.keys,
    }  # fmt: skip
    for mode, reader in (("VERIFY_IDENTITY", "auto"), ("VERIFY_CA", "connectorx")):
        source = MySQL(MySQLConfig(**given, ssl_mode=mode, reader=reader))
        assert source.query("SELECT id FROM people").read_all().num_rows == 2
        source.close()
    with pytest.raises(ValueError, match="VERIFY_IDENTITY"):
        MySQLConfig(**given, ssl_mode="VERIFY_IDENTITY", reader="connectorx")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"password": "canary-wrong"}, "SSH_LOGIN_FAILED"),
        ({"user": "nobody"}, "SSH_LOGIN_FAILED"),
        ({"private_key": "nowhere/key"}, "SSH_LOGIN_FAILED"),
        ({"host": "127.0.0.1"}, "SSH_HOST_UNKNOWN"),
        ({"known_hosts": "nowhere"}, "SSH_HOST_UNKNOWN"),
        ({"port": 1}, "CONNECT_FAILED"),
        ({"host": "no-such-host.invalid"}, "CONNECT_FAILED"),
    ],
)
def test_F33_what_keeps_the_tunnel_shut_is_told(shop, bastion, tmp_path, change, code):
    files = {k: str(tmp_path / v) for k, v in change.items() if k in {"private_key", "known_hosts"}}
    source = shop.source(ssh={**bastion.keys, **change, **files})
    error = refusal(source.now)
    assert (type(error), error.code) == (ConnectError, code)
    assert "canary" not in f"{error} {error.mend}"
    failed = list(source.check())[-1]
    assert (failed.step, failed.level, failed.code) == ("network", "error", code)


def test_a_key_that_is_not_known_comes_with_its_fingerprint(shop, bastion, tmp_path):
    (tmp_path / "none").write_text("")
    ssh = {**bastion.keys, "known_hosts": str(tmp_path / "none")}
    error = refusal(shop.source(ssh=ssh).now)
    algorithm, key, *_ = (tmp_path / "known_hosts").read_text().split(" ", 1)[1].split()
    fingerprint = asyncssh.import_public_key(f"{algorithm} {key}").get_fingerprint()
    assert error.code == "SSH_HOST_UNKNOWN"
    assert f"not known: {algorithm} {fingerprint}." in error.message


def test_the_server_that_ssh_does_not_reach_is_told(shop, bastion):
    error = refusal(shop.source(ssh=bastion.keys, port=1).now)
    assert error.code == "CONNECT_FAILED"


def test_S21_public_only_looks_at_the_ssh_server(shop, bastion):
    error = refusal(shop.source(ssh=bastion.keys, public_only=True).now)
    assert (error.code, "localhost" in error.message) == ("ADDRESS_REFUSED", True)
    opened = shop.source(ssh=bastion.keys, public_only=True, allow_networks=["localhost"])
    assert opened.now() > 0


def test_a_tunnel_that_fell_is_dug_again_and_closed_in_the_end(shop, bastion):
    config = shop.config(ssh=bastion.keys)
    reach = Reach(config)
    first = reach.way()
    psycopg.connect(**config.parameters(first)).close()
    bastion.drop()
    while reach.way() is first:
        time.sleep(0.01)
    second = reach.way()
    psycopg.connect(**config.parameters(second)).close()
    reach.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", second.port))
