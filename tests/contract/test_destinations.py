"""Every destination under the public contract suite."""

import csv
import json

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError
from standardwebhooks import Webhook as Verifier

from rowlift import __version__
from rowlift.core.errors import DestinationError
from rowlift.core.nouns import Column, Feed, Kind, Op, Outcome, Verdict
from rowlift.core.ports import Batch
from rowlift.destinations.files import Files
from rowlift.destinations.segment import Segment, known
from rowlift.destinations.webhook import Webhook
from rowlift.kit.exchange import Reply
from rowlift.kit.http import Http
from rowlift.kit.packed import pack
from rowlift.kit.signatures import signature, signing_key
from rowlift.testing import misbehaviour as m
from rowlift.testing.destinations import (
    COLUMNS,
    TIMESTAMP,
    HttpDestinationSuite,
    ReadableSuite,
    batch_of,
    rows_of,
)
from rowlift.testing.fake import FakeDestination, applied, deliveries, requests
from rowlift.testing.sink import Sink
from rowlift.testing.texts import HOSTILE_TEXTS

LOOPBACK = ("127.0.0.0/8",)
WRITE_KEY = "k3y-that-nobody-may-see"
SECRET = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
NEW_SECRET = "whsec_" + "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVo="
TOKEN = "Bearer t0ken-that-nobody-may-see"


CLIENT = Http(LOOPBACK)


@pytest.fixture(scope="module", autouse=True)
def closed_client():
    yield
    CLIENT.close()


def feed(**changes):
    given = {
        "sync_uid": "sync-uid",
        "sync": "people",
        "kind": Kind.PERSON,
        "identify_by": "user_id",
        "match": "user_id",
        "columns": COLUMNS,
    }
    return Feed(**given | changes)


def segment_settings(sink):
    return {"write_key": WRITE_KEY, "endpoint": f"{sink.url}/v1", "allow_networks": LOOPBACK}


def segment(sink, of=None, http=None, **changes):
    config = Segment.Config(**segment_settings(sink) | changes)
    return Segment(config, of or feed(), http or CLIENT)


def webhook_settings(sink):
    return {
        "url": f"{sink.url}/hooks/p4th-token",
        "secret": SECRET,
        "headers": {"Authorization": TOKEN},
        "allow_networks": LOOPBACK,
    }


def webhook(sink, of=None, http=None, **changes):
    config = Webhook.Config(**webhook_settings(sink) | changes)
    return Webhook(config, of or feed(), http or CLIENT)


@pytest.fixture
def sink():
    with Sink() as one:
        yield one


class TestSegment(HttpDestinationSuite):
    type = "segment"
    secrets = (WRITE_KEY,)

    def settings(self, sink):
        return segment_settings(sink)


class TestSegmentByEmail(TestSegment):
    feed = feed(identify_by="email", match="email")


class TestSegmentAccounts(TestSegment):
    feed = feed(kind=Kind.ACCOUNT, identify_by="group_id", match="group_id")


class TestWebhook(HttpDestinationSuite):
    type = "webhook"
    secrets = (SECRET, TOKEN, "p4th-token")
    reads_reply = False

    def settings(self, sink):
        return webhook_settings(sink)


class TestFiles(ReadableSuite):
    def destination(self, place, feed):
        return Files(Files.Config(path=place), feed, Http())

    def arrived(self, place):
        lines = [json.loads(line) for line in only_file(place).read_bytes().split(b"\n")[:-1]]
        return [(line["key"]["user_id"], line["attributes"]) for line in lines]


class TestCsvFiles(TestFiles):
    def destination(self, place, feed):
        return Files(Files.Config(path=place, format="csv"), feed, Http())

    def arrived(self, place):
        with only_file(place).open(newline="", encoding="utf-8") as text:
            rows = list(csv.DictReader(text))
        return [
            (row["key"].removeprefix("'") if row["key"][:2] == "'=" else row["key"], bare(row))
            for row in rows
        ]


class TestParquetFiles(TestFiles):
    def destination(self, place, feed):
        return Files(Files.Config(path=place, format="parquet"), feed, Http())

    def arrived(self, place):
        return [(row["key"], row) for row in pq.read_table(only_file(place)).to_pylist()]


class TestFake(ReadableSuite):
    def destination(self, place, feed):
        return FakeDestination(FakeDestination.Config(path=place), feed)

    def arrived(self, place):
        return [(key, message["attributes"]) for key, message in applied(place).items()]


def only_file(folder):
    (found,) = [path for path in folder.rglob("*") if path.is_file()]
    return found


def bare(row):
    return {name: cell[1:] if cell[:2] == "'=" else cell for name, cell in row.items()}


def record(sink, at=0):
    return list(sink.taken.records.values())[at]


# Segment


def test_segment_identify_by_user_id(sink):
    built = segment(sink)
    built.deliver(batch_of(built, rows_of(["u1"], [{"name": "Ann", "old": None}])))
    assert record(sink) == {
        "type": "identify",
        "messageId": "0" * 64,
        "userId": "u1",
        "timestamp": TIMESTAMP,
        "traits": {"name": "Ann", "old": None},
        "context": {"library": {"name": "rowlift", "version": __version__}},
    }
    request = sink.requests[0]
    assert request.path == "/v1/batch"
    assert request.headers["user-agent"] == f"rowlift/{__version__}"
    assert request.headers["content-encoding"] == "gzip"
    assert "cookie" not in request.headers


def test_segment_identify_by_anonymous_id(sink):
    built = segment(sink, feed(identify_by="anonymous_id", match="anonymous_id"))
    built.deliver(batch_of(built, rows_of(["anon-1"])))
    assert record(sink)["anonymousId"] == "anon-1"
    assert "userId" not in record(sink)


@pytest.mark.parametrize("attributes", [{}, {"name": "Ann"}])
def test_segment_identify_by_email_carries_it_three_ways(sink, attributes):
    built = segment(sink, feed(identify_by="email", match="email"))
    built.deliver(batch_of(built, rows_of(['a"b@x.org'], [attributes])))
    sent = record(sink)
    assert sent["traits"] == {"email": 'a"b@x.org'} | attributes
    assert sent["anonymousId"] == 'rowlift:email:a"b@x.org'
    assert sent["context"]["externalIds"] == [
        {"id": 'a"b@x.org', "type": "email", "collection": "users", "encoding": "none"}
    ]


def test_segment_keeps_the_spelling_of_an_email_column(sink):
    columns = (*COLUMNS, Column("email", "text", "text"))
    built = segment(sink, feed(identify_by="email", match="email", columns=columns))
    batch = batch_of(built, rows_of(["ann@x.org"], [{"email": "Ann@x.org"}]))
    assert batch.messages[0].as_py().count('"email":') == 1
    built.deliver(batch)
    assert record(sink)["traits"] == {"email": "Ann@x.org"}


def test_segment_group_has_an_anonymous_id_of_sync_and_group(sink):
    built = segment(sink, feed(kind=Kind.ACCOUNT, identify_by="group_id", match="group_id"))
    built.deliver(batch_of(built, rows_of(["acme", "init"])))
    assert [one["type"] for one in sink.taken.records.values()] == ["group", "group"]
    assert record(sink)["groupId"] == "acme"
    assert record(sink)["anonymousId"] == "rowlift:sync-uid:acme"
    assert record(sink, 1)["anonymousId"] == "rowlift:sync-uid:init"


def test_segment_clear_is_an_identify_with_nulls(sink):
    built = segment(sink)
    built.deliver(batch_of(built, rows_of(["u1"], [{"name": None}], Op.CLEAR)))
    assert (record(sink)["type"], record(sink)["traits"]) == ("identify", {"name": None})


def test_segment_requests_are_the_same_bytes_every_time(sink):
    for _ in range(2):
        built = segment(sink)
        built.deliver(batch_of(built, rows_of(["u1", "u2"])))
    first, second = sink.requests
    assert (first.body, first.raw_size) == (second.body, second.raw_size)


def test_segment_without_gzip_sends_plain(sink):
    built = segment(sink, gzip=False)
    built.deliver(batch_of(built, rows_of(["u1"])))
    assert "content-encoding" not in sink.requests[0].headers


def test_segment_full_batch_keeps_the_limits(sink):
    built = segment(sink, gzip=False)
    one = pc.binary_length(built.encode(rows_of(["u0000"])))[0].as_py()
    count = (built.limits.batch_bytes - built.limits.envelope_bytes) // (one + 1)
    rows = rows_of([f"u{at:04}" for at in range(count)], [{"name": "n0", "score": 0}] * count)
    built.deliver(batch_of(built, rows))
    assert 450_000 < sink.requests[0].raw_size <= 475_000
    assert count < built.limits.batch_rows == 2500


def test_segment_refuses_more_traits_than_its_profiles_take(sink):
    columns = tuple(Column(f"c{at}", "text", "text") for at in range(300))
    by_email = {"identify_by": "email", "match": "email"}
    segment(sink, feed(columns=columns[1:]))
    segment(sink, feed(columns=columns, kind=Kind.ACCOUNT, match="group_id"))
    for too_many in ({"columns": columns}, {"columns": columns[1:], **by_email}):
        with pytest.raises(DestinationError) as caught:
            segment(sink, feed(**too_many))
        assert caught.value.code == "CANNOT_DO"


@pytest.mark.parametrize(
    ("status", "level", "code"),
    [
        (200, "ok", ""),
        (403, "error", "CREDENTIALS_REFUSED"),
        (404, "error", "CREDENTIALS_REFUSED"),
        (301, "error", "UNAVAILABLE"),
        (429, "error", "UNAVAILABLE"),
        (503, "error", "UNAVAILABLE"),
    ],
)
def test_segment_blames_the_key_only_where_it_is_the_key(status, level, code):
    finding = known(Reply(status, {}))
    assert (finding.level, finding.code) == (level, code)


def test_segment_account_tells_keys_apart_and_hides_them(sink):
    names = {segment(sink).account, segment(sink, write_key="another").account}
    assert len(names) == 2
    assert WRITE_KEY not in "".join(names)


# Webhook


def test_S23_the_published_vector_is_signed_alike():
    body = b'{"type":"sync.batch","timestamp":"2026-11-21T10:00:00Z","data":{"n":1}}'
    assert (
        signature([signing_key(SECRET)], "msg_0001", 1795255200, body)
        == "v1,IGIgUHA1mrxBlrG8US0IlsaJZYJWMmjJzof/JccZQq4="
    )


def test_S23_a_receiver_verifies_with_either_secret_during_rotation(sink):
    built = webhook(sink, secrets=(NEW_SECRET,))
    built.deliver(batch_of(built, rows_of(HOSTILE_TEXTS)))
    request = sink.requests[0]
    for secret in (SECRET, NEW_SECRET):
        assert Verifier(secret).verify(request.body, dict(request.headers))
    assert request.headers["webhook-signature"].count("v1,") == 2
    assert request.headers["webhook-id"] == "batch-1"


def test_a_webhook_without_secret_is_not_signed(sink):
    built = webhook(sink, secret=None)
    built.deliver(batch_of(built, rows_of(["a"])))
    assert "webhook-signature" not in sink.requests[0].headers


def test_T19_a_webhook_says_when_its_records_were_read(sink):
    built = webhook(sink, feed(kind=Kind.ACCOUNT, identify_by="group_id", match="group_id"))
    built.deliver(batch_of(built, rows_of(["acme"], [{"plan": "pro"}], Op.DELETE)))
    assert json.loads(sink.requests[0].body) == {
        "type": "records.changed",
        "timestamp": TIMESTAMP,
        "data": {
            "sync": "people",
            "kind": "account",
            "object_type": "1",
            "records": [
                {
                    "op": "delete",
                    "key": {"group_id": "acme"},
                    "message_id": "0" * 64,
                    "attributes": {"plan": "pro"},
                }
            ],
        },
    }
    assert sink.requests[0].headers["authorization"] == TOKEN
    assert sink.requests[0].path == "/hooks/p4th-token"


@pytest.mark.parametrize(
    ("kind", "match", "parts", "names"),
    [
        (Kind.OBJECT, "object_id", ("course", 'c"1'), ("object_type", "object_id")),
        (
            Kind.RELATIONSHIP,
            "email",
            ("1", "acme", "ann@x.org"),
            ("object_type", "object_id", "email"),
        ),
    ],
)
def test_a_joined_key_is_taken_apart_for_its_readers(sink, tmp_path, kind, match, parts, names):
    of = feed(kind=kind, identify_by=match, match=match)
    files = Files(Files.Config(path=tmp_path), of, Http())
    hook = webhook(sink, of)
    rows = rows_of([json.dumps(parts), json.dumps(parts)])
    files.deliver(batch_of(files, rows))
    hook.deliver(batch_of(hook, rows))
    lines = only_file(tmp_path).read_text().splitlines()
    told = [*map(json.loads, lines), *sink.requests[0].records]
    assert [one["key"] for one in told] == [dict(zip(names, parts, strict=True))] * 4


@pytest.mark.parametrize(
    "page",
    [
        b"<html>",
        b"\r\n <!DOCTYPE html>",
        b"\xef\xbb\xbf<!doctype  HTML PUBLIC",
        b'<?xml version="1.0"?>\n<!DOCTYPE html>',
    ],
)
def test_T16_a_web_page_takes_no_records_from_a_webhook(sink, page):
    sink.misbehave(m.status(200, page))
    built = webhook(sink)
    assert built.deliver(batch_of(built, rows_of(["a"]))).default.code == "REPLY_UNREADABLE"


def test_a_single_webhook_sends_the_message_id(sink):
    built = webhook(sink, batch=False)
    assert built.limits.batch_rows == 1
    built.deliver(batch_of(built, rows_of(["a"])))
    assert sink.requests[0].headers["webhook-id"] == "0" * 64


def test_F53_partial_answers_are_matched_by_index(sink):
    built = webhook(sink)
    sink.misbehave(m.partial({1: ("bad", f"no {TOKEN}", False), 2: ("busy", "later", True)}))
    outcomes = built.deliver(batch_of(built, rows_of(["a", "b", "c"])))
    assert outcomes.default == Outcome(Verdict.DELIVERED)
    assert outcomes.rows == {
        1: Outcome(Verdict.REJECTED, "REFUSED", "bad: no ***"),
        2: Outcome(Verdict.PENDING, "UNAVAILABLE", "busy: later"),
    }
    assert list(sink.taken.by_key) == ["a"]


@pytest.mark.parametrize(
    "body",
    [
        b'{"errors":[{"index":3}]}',
        b'{"errors":[{"index":-1}]}',
        b'{"errors":[{"index":true}]}',
        b'{"errors":[{"index":"0"}]}',
        b'{"errors":[{"code":"x"}]}',
        b'{"errors":[0]}',
        b'{"errors":0}',
        b"{}",
        b"[]",
        b"",
        b"null",
    ],
)
def test_F53_an_unknown_row_puts_the_batch_in_doubt(sink, body):
    built = webhook(sink)
    sink.misbehave(m.status(207, body))
    outcomes = built.deliver(batch_of(built, rows_of(["a", "b", "c"])))
    assert outcomes.default.verdict is Verdict.IN_DOUBT
    assert not outcomes.rows


@pytest.mark.parametrize(
    "wrong",
    [
        {"secret": "whsec_short"},
        {"secret": "whsec_!!!!not-base64!!!!"},
        {"headers": {"X-A": "umläut"}},
        {"headers": {"X-A": "a\r\nX-B: b"}},
        {"headers": {"X A": "b"}},
        {"headers": {"Host": "b"}},
        {"headers": {"webhook-id": "b"}},
        {"headers": {"X-Key": "b", "x-key": "c"}},
        {"headers": {"Content-Length": "5"}},
        {"url": "ftp://example.org"},
        {"url": "https://user:pass@example.org/"},
        {"allow_networks": ("10.0.0.0/99",)},
        {"batch_rows": 0},
        {"unknown": "v4lue"},
    ],
)
def test_a_wrong_webhook_setting_is_refused_without_repeating_it(sink, wrong):
    with pytest.raises(ValidationError) as caught:
        webhook(sink, **wrong)
    for value in wrong.values():
        assert str(value) not in str(caught.value)


def test_a_webhook_that_redirects_fails_its_check(sink):
    sink.misbehave(m.redirect(301, "https://new.example/"))
    (finding,) = webhook(sink).check()
    assert (finding.level, finding.code) == ("error", "REDIRECTED")


def test_a_closed_destination_keeps_no_connection():
    with Sink() as sink:
        built = webhook(sink, http=Http(LOOPBACK))
        built.deliver(batch_of(built, rows_of(["a"])))
        built.close()
        built.deliver(batch_of(built, rows_of(["a"])))
        built.close()
        assert sink.connections == 2


def test_a_webhook_that_does_not_answer_fails_its_check(sink):
    built = webhook(sink)
    sink.close()
    (finding,) = built.check()
    assert (finding.level, finding.code) == ("error", "UNREACHABLE")


# Files


def test_files_are_private_and_named_by_time_number_and_batch(tmp_path):
    built = Files(Files.Config(path=tmp_path / "out"), feed(sync="../up & away"), Http())
    built.deliver(batch_of(built, rows_of(["a"]), "id/1"))
    path = only_file(tmp_path / "out")
    assert path.relative_to(tmp_path).as_posix() == (
        "out/_up_away/2026-11-21T100000000Z-000000-id_1.jsonl"
    )
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    ("cell", "written"),
    [
        ("=1+1", "'=1+1"),
        ("+49 30 1", "'+49 30 1"),
        ("-2+3", "'-2+3"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\t=1"),
        ("\r=1", "'\r=1"),
        ("\n=1", "'\n=1"),
        ("\uff1d1", "'\uff1d1"),
        ("\uff0b1", "'\uff0b1"),
        ("\uff0d1", "'\uff0d1"),
        ("\uff20x", "'\uff20x"),
        ("-5", "-5"),
        ("-1.5e-7", "-1.5e-7"),
        ("a=b", "a=b"),
        ("", ""),
        ('x"y,z\r\n', 'x"y,z\r\n'),
    ],
)
def test_S29_formula_cells_are_defused(tmp_path, cell, written):
    built = Files(Files.Config(path=tmp_path, format="csv"), feed(), Http())
    built.deliver(batch_of(built, rows_of([cell], [{"name": cell}])))
    with only_file(tmp_path).open(newline="", encoding="utf-8") as text:
        (row,) = csv.DictReader(text)
    assert (row["key"], row["name"]) == (written, written)


def test_csv_tells_null_from_the_empty_text_and_ends_lines_by_the_rfc(tmp_path):
    built = Files(Files.Config(path=tmp_path, format="csv"), feed(), Http())
    built.deliver(batch_of(built, rows_of(["a"], [{"name": "", "score": None}])))
    lines = only_file(tmp_path).read_bytes().split(b"\r\n")
    assert lines[0] == b'"op","key","message_id","name","score"'
    assert lines[1].endswith(b',"",')
    assert lines[2:] == [b""]


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_columns_keep_their_names_and_ours_stay_first(tmp_path, kind):
    names = ("op", "key", "a/b~c", 'q"uote', "é", "key_", "$.x")
    columns = tuple(Column(name, "text", "text") for name in names)
    built = Files(Files.Config(path=tmp_path, format=kind), feed(columns=columns), Http())
    values = {name: f"v{at}" for at, name in enumerate(names)}
    built.deliver(batch_of(built, rows_of(["k"], [values])))
    path = only_file(tmp_path)
    if kind == "parquet":
        (row,) = pq.read_table(path).to_pylist()
    else:
        with path.open(newline="", encoding="utf-8") as text:
            (row,) = csv.DictReader(text)
    assert list(row)[:3] == ["op", "key", "message_id"]
    assert list(row)[3:] == ["op_", "key_", "a/b~c", 'q"uote', "é", "key__", "$.x"]
    assert list(row.values())[3:] == [f"v{at}" for at in range(7)]


def test_parquet_has_one_schema_whatever_the_rows_hold(tmp_path):
    built = Files(Files.Config(path=tmp_path, format="parquet"), feed(), Http())
    for ident, attributes in (("1", {}), ("2", {"name": "x", "score": 12345678901234})):
        built.deliver(batch_of(built, rows_of(["k"], [attributes]), ident))
    schemas = {str(pq.read_schema(path)) for path in tmp_path.rglob("*.parquet")}
    assert len(schemas) == 1
    assert "score: string" in schemas.pop()


def test_one_folder_is_one_account_however_it_is_written(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "out")
    paths = (tmp_path / "out", tmp_path / "link", tmp_path / "x" / ".." / "out")
    built = [Files(Files.Config(path=path), feed(), Http()) for path in paths]
    assert len({one.account for one in built}) == 1


def test_files_of_a_killed_writer_are_swept_at_the_end(tmp_path):
    built = Files(Files.Config(path=tmp_path), feed(), Http())
    built.deliver(batch_of(built, rows_of(["a"])))
    (tmp_path / "people" / ".half.jsonl.99999999.tmp").write_bytes(b"half")
    built.close()
    assert only_file(tmp_path).suffix == ".jsonl"


def test_the_check_of_files_leaves_nothing_behind(tmp_path):
    (finding,) = Files(Files.Config(path=tmp_path / "new"), feed(), Http()).check()
    assert finding.level == "ok"
    assert list((tmp_path / "new").iterdir()) == []


def test_a_full_disk_stops_the_destination(tmp_path):
    built = Files(Files.Config(path=tmp_path / "file"), feed(), Http())
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DestinationError) as caught:
        built.deliver(batch_of(built, rows_of(["a"])))
    assert caught.value.code == "FOLDER_UNWRITABLE"
    (finding,) = built.check()
    assert (finding.level, finding.code) == ("error", "FOLDER_UNWRITABLE")


# The fake


def fake(path, **changes):
    return FakeDestination(FakeDestination.Config(path=path, **changes), feed())


def test_the_fake_loses_replies_and_counts_each_message_once(tmp_path):
    path = tmp_path / "fake.jsonl"
    built = fake(path, seed=3, lost_replies=0.5, unavailable=0.3)
    verdicts = []
    for number in range(20):
        batch = batch_of(built, rows_of([f"k{number}"]), f"b{number}")
        batch = Batch(
            batch.id,
            number,
            batch.keys,
            pa.array([f"m{number}"]),
            pack(pc.replace_substring(batch.messages, "0" * 64, f"m{number}")),
            batch.timestamp,
        )
        while (outcome := built.deliver(batch).default).verdict is not Verdict.DELIVERED:
            verdicts.append(outcome.verdict)
    assert {Verdict.IN_DOUBT, Verdict.PENDING} == set(verdicts)
    assert len(applied(path)) == 20
    assert len(deliveries(path)) == 20 + verdicts.count(Verdict.IN_DOUBT)


def test_the_fake_goes_on_after_a_torn_line(tmp_path):
    path = tmp_path / "fake.jsonl"
    built = fake(path)
    built.deliver(batch_of(built, rows_of(["a"])))
    with path.open("ab") as log:
        log.write(b'{"batch": "torn')
    built.deliver(batch_of(built, rows_of(["a"]), "batch-2"))
    assert [one["batch"] for one in requests(path)] == ["batch-1", "batch-2"]


def test_the_fake_rejects_rows_and_refuses_batches(tmp_path):
    built = fake(tmp_path / "fake.jsonl", reject=("a",), poison=("p",))
    outcomes = built.deliver(batch_of(built, rows_of(["a", "b"])))
    assert {at: one.verdict for at, one in outcomes.rows.items()} == {0: Verdict.REJECTED}
    refused = built.deliver(batch_of(built, rows_of(["b", "p"])))
    assert refused.default.verdict is Verdict.REFUSED
    assert list(applied(tmp_path / "fake.jsonl")) == ["b"]
