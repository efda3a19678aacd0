"""The files source on real files: CSV without guessing, Parquet, and nothing outside the folder."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from corpus import samples
from rowlift.core.errors import ConnectError, SourceError
from rowlift.sources.files import Files, FilesConfig

UNSAFE = [one["sql"] for one in samples("unsafe/files.toml")]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    return tmp_path / "data"


@pytest.fixture
def people(root: Path) -> Iterator[Files]:
    (root.parent / "secret.csv").write_text("word\nhush\n")
    (root / "people.csv").write_text("id,name\n1,Ada\n")
    (root / "link.csv").symlink_to(root.parent / "secret.csv")
    with opened(root) as source:
        yield source


@contextmanager
def opened(root: Path, **tables: dict[str, Any]) -> Iterator[Files]:
    config = FilesConfig.model_validate({"root": str(root), "tables": tables})
    with closing(Files(config)) as source:
        yield source


def rows(root: Path, sql: str = "FROM t", **options: Any) -> list[dict[str, Any]]:
    with opened(root, t={"path": "t.csv", **options}) as source:
        return source.query(sql).read_all().to_pylist()


def failure(root: Path, **options: Any) -> SourceError:
    with pytest.raises(SourceError) as caught:
        rows(root, **options)
    assert caught.value.mend
    return caught.value


def test_each_csv_and_parquet_file_is_a_table(root: Path) -> None:
    (root / "people.csv").write_text("id,name\n1,Ada\n")
    (root / "Big Deals.CSV").write_text("id\n1\n2\n")
    (root / "notes.txt").write_text("not a table")
    pq.write_table(pa.table({"id": [1, 2, 3]}), root / "orders.parquet")
    pq.write_table(pa.table({"id": [1]}), root / "people.parquet")
    with opened(root) as source:
        names = [table.name for table in source.catalog()]
        assert names == ["Big Deals", "orders", "people", "people.parquet"]
        assert [table.rows_estimate for table in source.catalog()] == [None, 3, None, 1]
        joined = "SELECT p.name FROM people p JOIN orders o ON p.id = CAST(o.id AS VARCHAR)"
        assert source.query(joined).read_all().to_pylist() == [{"name": "Ada"}]


def test_every_value_is_text_unless_types_are_asked_for(root: Path) -> None:
    (root / "t.csv").write_text("id,zip,day\n1,00501,2026-01-02\n2,10001,2026-01-03\n")
    assert rows(root)[0] == {"id": "1", "zip": "00501", "day": "2026-01-02"}
    assert rows(root, "SELECT id + 1 AS n, day FROM t", types="auto")[0] == {
        "n": 2,
        "day": "2026-01-02",
    }


def test_an_unquoted_nothing_is_null_and_a_quoted_one_is_empty(root: Path) -> None:
    (root / "t.csv").write_text('a,b,c\n,"",x\nNULL,"NULL",\\N\n')
    assert rows(root) == [
        {"a": None, "b": "", "c": "x"},
        {"a": "NULL", "b": "NULL", "c": "\\N"},
    ]
    assert rows(root, nulls=["NULL", "\\N"])[1] == {"a": None, "b": "NULL", "c": None}


def test_csv_as_rfc_4180_says(root: Path) -> None:
    (root / "t.csv").write_bytes('\ufeffid,"na""me"\r\n1,"a, ""b""\r\nc"\r\n2, d \r\n'.encode())
    assert rows(root) == [
        {"id": "1", 'na"me': 'a, "b"\r\nc'},
        {"id": "2", 'na"me': " d "},
    ]


def test_delimiter_header_and_encoding_are_as_declared(root: Path) -> None:
    (root / "t.csv").write_bytes("1;caf\xe9\n2;a,b\n".encode("latin-1"))
    assert rows(root, delimiter=";", header=False, encoding="latin-1") == [
        {"column0": "1", "column1": "café"},
        {"column0": "2", "column1": "a,b"},
    ]
    (root / "t.csv").write_bytes("id\tname\n1\tŻółć\n".encode("utf-16"))
    assert rows(root, delimiter="\t", encoding="utf-16") == [{"id": "1", "name": "Żółć"}]


def test_a_column_without_a_name_is_called_by_its_number(root: Path) -> None:
    (root / "t.csv").write_text("a,, ,b\n1,2,3,4\n")
    assert rows(root) == [{"a": "1", "column1": "2", "column2": "3", "b": "4"}]


@pytest.mark.parametrize("head", ["id,plan,plan", "id,plan,Plan", "id,,column1", "id,plan, plan "])
@pytest.mark.parametrize("sql", ["FROM t", "SELECT id FROM T", "SELECT count(*) AS n FROM t"])
def test_two_columns_of_one_name_are_refused_whichever_are_read(
    root: Path, head: str, sql: str
) -> None:
    (root / "t.csv").write_text(f"{head}\n1,2,3\n")
    with pytest.raises(SourceError, match=r"t\.csv, line 1: 2 columns are called") as caught:
        rows(root, sql)
    assert caught.value.code == "COLUMN_DUPLICATE"
    assert caught.value.mend == "Give each column its own name in the first line of the file."


def test_a_header_alone_is_an_empty_table(root: Path) -> None:
    (root / "t.csv").write_text("id,name\n")
    assert rows(root) == []


@pytest.mark.parametrize(
    ("content", "code", "told"),
    [
        (b"id,name\n1,a\n2,b,c\n", "QUERY_FAILED", "line 3: 3 columns where 2"),
        (b"id,name\n1,a\n2\n", "QUERY_FAILED", "line 3: 1 columns where 2"),
        (b"id,name\n1,a\n2,caf\xe9\n", "TEXT_ENCODING", "line 3: not valid"),
        (b'id,name\n1,"a\n2,b\n', "QUERY_FAILED", "line 2: a quote is not closed"),
        (b'id,name\n1,a\n2,"x"y\n', "QUERY_FAILED", "line 3: a quote"),
        (b"id,name\r\n1,a\n2,b\r\n", "QUERY_FAILED", "do not all end alike"),
        (b"\xff\xfei\0d\0\n\0", "TEXT_ENCODING", "line 1: not encoded as utf-8"),
        (b"id\n1\n" + b"x" * 2_100_000, "QUERY_FAILED", "line 3: longer than"),
        (b"", "FILE_UNREADABLE", "empty first line"),
        (b"id,na\xe9me\n1,a\n", "TEXT_ENCODING", "line 1: not encoded as utf-8"),
    ],
)
def test_a_broken_csv_is_told_with_its_line(
    root: Path, content: bytes, code: str, told: str
) -> None:
    (root / "t.csv").write_bytes(content)
    error = failure(root)
    assert error.code == code
    assert told in error.message
    assert "t.csv" in error.message
    assert "\n" not in error.message


def test_a_late_ragged_line_comes_out_of_the_reader(root: Path) -> None:
    (root / "t.csv").write_text("id,name\n" + "1,x\n" * 300_000 + "1,2,3\n")
    with opened(root) as source:
        reader = source.query("FROM t")
        read = reader.read_next_batch().num_rows
        with pytest.raises(SourceError, match="line 300002"):
            read += sum(batch.num_rows for batch in reader)
        assert read > 0


def test_several_files_are_one_table(root: Path) -> None:
    (root / "2026" / "01").mkdir(parents=True)
    (root / "2026" / "a.csv").write_text("id,name\n1,x\n")
    (root / "2026" / "01" / "b.csv").write_text("id,name\n2,y\n")
    with opened(root, t={"path": "2026/**/*.csv"}) as source:
        assert source.query("SELECT id FROM t ORDER BY id").read_all().to_pylist() == [
            {"id": "1"},
            {"id": "2"},
        ]
    (root / "2026" / "c.csv").write_text("name,id\nz,3\n")
    with (
        opened(root, t={"path": "2026/**/*.csv"}) as source,
        pytest.raises(SourceError, match="FILE_UNREADABLE"),
    ):
        source.query("FROM t").read_all()


def test_several_parquet_files_are_one_table(root: Path) -> None:
    for number in (1, 2):
        pq.write_table(pa.table({"id": [number]}), root / f"part{number}.parquet")
    with opened(root, t={"path": "part*.parquet"}) as source:
        assert source.query("FROM t").read_all().to_pylist() == [{"id": 1}, {"id": 2}]


def test_a_broken_file_spoils_only_its_own_table(root: Path) -> None:
    (root / "bad.parquet").write_text("nope")
    (root / "empty.csv").write_text("")
    (root / "wild[1].csv").write_text("id\n1\n")
    (root / "good.csv").write_text("id\n1\n")
    with opened(root) as source:
        assert source.query("FROM good").read_all().num_rows == 1
        for name in ("bad", "empty", '"wild[1]"'):
            for sql in (
                f"FROM {name}",
                f"SELECT count(*) AS n FROM {name}",
                f"SELECT id, plan FROM {name}",
                f"WITH x AS (SELECT t.id FROM {name} AS t) SELECT id FROM good JOIN x USING (id)",
            ):
                with pytest.raises(SourceError, match="FILE_UNREADABLE"):
                    source.query(sql).read_all()
        levels = {finding.message.partition(":")[0]: finding.level for finding in source.check()}
        assert (levels["good"], levels["bad"], levels["empty"]) == ("ok", "warning", "warning")


def test_a_missing_folder_or_file_is_told(root: Path) -> None:
    with opened(root / "none") as source:
        with pytest.raises(ConnectError) as caught:
            source.catalog()
        assert caught.value.code == "FILE_MISSING"
        assert [found.code for found in source.check()] == ["FILE_MISSING"]
    assert failure(root).code == "FILE_MISSING"
    with opened(root) as source:
        assert [found.level for found in source.check()] == ["warning"]


@pytest.mark.parametrize("name", ["t.csv", "t.parquet"])
def test_a_file_that_vanished_since_is_told(root: Path, name: str) -> None:
    (root / "t.csv").write_text("id\n1\n")
    pq.write_table(pa.table({"id": [1]}), root / "t.parquet")
    with opened(root, t={"path": name}) as source:
        assert source.query("FROM t").read_all().num_rows == 1
        (root / name).unlink()
        with pytest.raises(SourceError) as caught:
            source.query("FROM t").read_all()
        assert caught.value.code == "FILE_MISSING"


@pytest.mark.parametrize("path", ["../secret.csv", "link.csv", "out/secret.csv", "{up}/secret.csv"])
def test_no_path_leads_out_of_the_folder(root: Path, path: str) -> None:
    (root.parent / "secret.csv").write_text("word\nhush\n")
    (root / "link.csv").symlink_to(root.parent / "secret.csv")
    (root / "out").symlink_to(root.parent)
    error = failure(root, path=path.format(up=root.parent))
    assert error.code == "FILE_OUTSIDE_ROOT"
    assert "hush" not in str(error)


def test_links_inside_the_folder_and_to_it_are_followed(root: Path) -> None:
    (root / "real.csv").write_text("id\n1\n")
    (root / "t.csv").symlink_to("real.csv")
    (root.parent / "alias").symlink_to(root)
    assert rows(root.parent / "alias") == [{"id": "1"}]


def test_names_of_files_and_tables_may_hold_quotes(root: Path) -> None:
    (root / 'o\'neil "x".csv').write_text("it's\n1\n")
    with opened(root) as source:
        assert source.query('FROM "o\'neil ""x"""').read_all().to_pylist() == [{"it's": "1"}]


@pytest.mark.parametrize("sample", UNSAFE)
def test_ro_files_unsafe_queries_are_refused(people: Files, root: Path, sample: str) -> None:
    secret = root.parent / "secret.csv"
    before = {path: path.read_bytes() for path in root.parent.rglob("*.csv")}
    with pytest.raises(SourceError) as caught:
        people.query(sample.format(secret=secret, root=root, folder=root.parent)).read_all()
    assert caught.value.mend
    assert "hush" not in str(caught.value)
    assert {path: path.read_bytes() for path in root.parent.rglob("*.csv")} == before
    assert sorted(path.name for path in root.parent.iterdir()) == ["data", "secret.csv"]
    assert people.query("FROM people").read_all().num_rows == 1


def test_ro_files_the_instance_itself_reads_only_its_tables(people: Files, root: Path) -> None:
    with people.open().cursor() as cursor:
        assert cursor.execute(f"FROM read_text('{root}/people.csv')").arrow().read_all().num_rows
        for path in (root.parent / "secret.csv", root / "link.csv", root / ".." / "secret.csv"):
            with pytest.raises(duckdb.PermissionException):
                cursor.execute(f"FROM read_text('{path}')")
        for sql in ("SET allowed_paths = ['/']", "SET enable_external_access = true"):
            with pytest.raises(duckdb.Error):
                cursor.execute(sql)
