"""Which columns of a query are compared with the moment of the last run."""

import pytest

from rowlift.kit.sqladvice import cursors


@pytest.mark.parametrize(
    ("sql", "dialect", "expected"),
    [
        ("SELECT * FROM t WHERE seen > {{last_sync_time}}", "postgres", [("t", "seen")]),
        ("SELECT * FROM t WHERE Seen > to_timestamp({{last_sync_time}})", "postgres",
         [("t", "seen")]),
        ("SELECT * FROM t WHERE {{last_sync_time}} <= a OR b >= {{last_sync_time}}", "postgres",
         [("t", "a"), ("t", "b")]),
        ("SELECT * FROM t WHERE EXTRACT(EPOCH FROM a) BETWEEN {{last_sync_time}} AND 5", "postgres",
         [("t", "a")]),
        ("SELECT * FROM t x JOIN u y ON x.i = y.i WHERE y.seen > {{last_sync_time}}", "mysql",
         [("u", "seen")]),
        ("SELECT * FROM t JOIN u ON t.i = u.i WHERE seen > {{last_sync_time}}", "mysql",
         [("", "seen")]),
        ("WITH w AS (SELECT * FROM t WHERE seen > {{last_sync_time}}) SELECT * FROM w", "sqlite",
         [("t", "seen")]),
        ("SELECT [id] FROM dbo.t WHERE [Seen] > DATEADD(s, {{last_sync_time}}, 0)", "tsql",
         [("t", "seen")]),
        ("SELECT {{last_sync_time}} AS a FROM t WHERE b > 5", "postgres", []),
        ("SELECT '{{last_sync_time}}' FROM t -- a > {{last_sync_time}}", "postgres", []),
        ("SELECT * FROM t WHERE ((", "postgres", []),
        ("", "postgres", []),
    ],
)  # fmt: skip
def test_the_columns_of_the_cursor(sql, dialect, expected):
    assert [(one.table, one.column) for one in cursors(sql, dialect)] == expected


@pytest.mark.parametrize(
    ("sql", "dialect", "index"),
    [
        ('SELECT * FROM app."Odd ""Table" AS x WHERE x."Seen at" > {{last_sync_time}}', "postgres",
         'CREATE INDEX Odd__Table_Seen_at ON app."Odd ""Table" ("Seen at");'),
        ("SELECT * FROM `t;t` WHERE `a``b` > {{last_sync_time}}", "mysql",
         "CREATE INDEX t_t_a_b ON `t;t` (`a``b`);"),
        ("SELECT * FROM t, u WHERE seen > {{last_sync_time}}", "postgres", ""),
    ],
)  # fmt: skip
def test_an_index_is_advised_by_the_names_of_the_query(sql, dialect, index):
    (found,) = cursors(sql, dialect)
    assert found.index == index


@pytest.mark.parametrize(
    ("compared", "alone"),
    [
        ("seen > {{last_sync_time}}", "SELECT seen FROM `a b`"),
        ("x.seen BETWEEN ({{last_sync_time}} - 60) AND 5", "SELECT seen FROM `a b`"),
        ("seen > FROM_UNIXTIME({{last_sync_time}})", ""),
        ("UNIX_TIMESTAMP(seen) > {{last_sync_time}}", ""),
        ("seen > '1970-01-01' + INTERVAL {{last_sync_time}} SECOND", ""),
    ],
)
def test_a_column_that_is_compared_with_the_seconds_can_be_looked_at(compared, alone):
    (found,) = cursors(f"SELECT * FROM `a b` AS x WHERE {compared}", "mysql")
    assert found.alone == alone
