"""Project files as careless hands leave them."""

import json

import pytest

SYNC = """\
sync: traits
source: warehouse
sql: SELECT user_id, plan FROM people
identify_by: user_id
"""
QUERY = "SELECT user_id, plan FROM people"


def written(shop, content):
    path = shop.folder / "syncs" / "traits.yml"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())


@pytest.mark.parametrize(
    "content",
    [SYNC.replace("\n", "\r\n"), b"\xef\xbb\xbf" + SYNC.encode(), SYNC.replace("\n", "\r")],
    ids=["CRLF", "BOM", "CR"],
)
def test_files_of_other_editors_are_read(cli, shop, content):
    written(shop, content)
    assert cli("check").code == 0


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "latin-1"])
def test_another_encoding_is_named(cli, shop, encoding):
    written(shop, (SYNC + "# ü\n").encode(encoding))
    done = cli("check")
    assert done.code == 2
    assert "syncs/traits.yml is not UTF-8 text. [FILE_UNREADABLE]" in done.stderr
    assert "Save it as UTF-8" in done.stderr
    assert "1 problem\n" in done.stderr


@pytest.mark.parametrize(
    ("content", "place", "words"),
    [
        (SYNC.replace("SELECT", "%SELECT"), "3:6", "cannot start with this character"),
        (SYNC.replace("SELECT user_id,", "SELECT user_id:"), "3:20", 'a second ": "'),
        (SYNC.replace("SELECT", "'SELECT"), "5:1", "A quote is not closed"),
        (SYNC.replace(QUERY, ""), "3:1", "There is no value here"),
        (SYNC.replace(" user_id\n", "\n"), "4:1", "There is no value here"),
        ("---\n", "2:1", "The file must hold keys"),
        (SYNC + "\0", "5:1", "not UTF-8"),
    ],
)
def test_one_slip_is_one_problem(cli, shop, content, place, words):
    written(shop, content)
    for command in (["check"], ["run", "-q"]):
        done = cli(*command)
        assert done.code == 2
        assert f"syncs/traits.yml:{place}: " in done.stderr
        assert words in done.stderr
        assert done.stderr.count("× ") == 1  # noqa: RUF001
        assert "more)" not in done.stderr


def test_characters_that_json_writes_in_two_halves_are_read(cli, shop):
    sync = {"sync": "traits", "source": "warehouse", "identify_by": "user_id"}
    written(shop, json.dumps(sync | {"sql": 'SELECT user_id, plan AS "🙂" FROM people'}))
    done = cli("preview", "traits")
    assert done.code == 0
    assert "🙂" in done.stdout
