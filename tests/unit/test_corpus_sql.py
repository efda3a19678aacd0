"""Hostile texts of queries: what is refused before anything connects, under which code."""

import time

import pytest

from corpus import ident, samples
from rowlift.core.errors import SourceError
from rowlift.core.rules import RULES
from rowlift.kit.sqlguard import guard, render

DIALECTS = ["postgres", "mysql", "duckdb", "sqlite", "tsql"]
ENGINES = [
    "bigquery",
    "postgres",
    "redshift",
    "mysql",
    "duckdb",
    "sqlite",
    "files",
    "snowflake",
    "sqlserver",
]
DIALECT_OF = {"files": "duckdb", "sqlserver": "tsql"}  # else it has the engine's name
SECONDS = 5


def outcome(sql, dialect):
    """The code of a refusal, after a look at its words, or of a note; empty for a plain query."""
    began = time.process_time()
    try:
        guarded = guard(sql, dialect)
    except SourceError as refused:
        error = refused
    else:
        return "SQL_UNREAD" if guarded.unread else ""
    assert time.process_time() - began < SECONDS
    assert error.mend
    assert error.code in RULES
    assert len(error.message) < 150
    for foreign in ("sqlglot", "TokenType", "<class", "Token(", "\x1b", "Required keyword"):
        assert foreign not in str(error)
    return error.code


@pytest.mark.parametrize("sample", samples("sql.toml"), ids=ident)
def test_S1_texts_are_read_as_the_corpus_says(sample):
    dialects = sample.get("dialects", DIALECTS)
    came = {dialect: outcome(sample["sql"], dialect) for dialect in dialects}
    assert came == dict.fromkeys(dialects, sample.code)


@pytest.mark.parametrize("engine", ENGINES)
def test_S1_unsafe_queries_are_refused_or_left_to_the_engine(engine):
    some = samples(f"unsafe/{engine}.toml")
    came = {one["sql"]: outcome(one["sql"], DIALECT_OF.get(engine, engine)) for one in some}
    assert came == {one["sql"]: one.code for one in some}


@pytest.mark.parametrize("sample", samples("sql.toml", "tags"), ids=ident)
def test_S45_only_the_one_tag_is_known_and_it_becomes_a_number(sample):
    if not sample.code:
        assert render(sample["sql"], 17, "postgres") == sample["text"]
        return
    with pytest.raises(SourceError) as refused:
        guard(render(sample["sql"], 17, "postgres"), "postgres")
    assert (refused.value.code, bool(refused.value.place)) == (sample.code, True)
