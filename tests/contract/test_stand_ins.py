"""What a stand-in lacks is declared by its suite, told by the documentation, and all there is."""

import runpy
from pathlib import Path

import pytest

from documented import lacks
from rowlift.testing.sources import SourceSuite
from rowlift.testing.values import VALUES

FILES = sorted(Path(__file__).parent.glob("test_source*.py"))
SUITES = {
    name: one
    for path in FILES
    for name, one in runpy.run_path(str(path)).items()
    if name.startswith("Test") and issubclass(one, SourceSuite)
}
HEADINGS = {
    "TestBigQuery": "Google BigQuery",
    "TestMySQLConnectorX": "MySQL and MariaDB",
    "TestMySQLPyMySQL": "MySQL and MariaDB",
    "TestRedshift": "Amazon Redshift",
    "TestSQLServer": "SQL Server and Azure SQL",
    "TestSQLServerFree": "SQL Server and Azure SQL",
    "TestSnowflake": "Snowflake",
}
OWN = ("bool", "timestamptz", "json")  # MySQL itself has them in columns, not in expressions


def test_a_suite_declares_exactly_what_the_page_lists():
    declared = {name: one.lacks for name, one in SUITES.items() if one.lacks}
    assert declared == {name: lacks(heading) for name, heading in HEADINGS.items()}


@pytest.mark.parametrize("name", HEADINGS)
def test_no_value_is_left_out_that_is_not_declared(name):
    suite = SUITES[name]
    texts = {one.text for one in suite.values}
    left = {one.value_type for one in VALUES if one.text not in texts}
    assert left <= {*suite.lacks, *(OWN if name.startswith("TestMySQL") else ())}


@pytest.mark.parametrize("name", SUITES)
def test_no_test_of_the_contract_is_left_out(name):
    asked = [one for one in dir(SUITES[name]) if one.startswith("test_")]
    assert len(asked) > 20
    for one in asked:
        marks = {mark.name for mark in getattr(getattr(SUITES[name], one), "pytestmark", ())}
        assert not marks & {"skip", "skipif", "xfail"}


def test_no_suite_skips_a_test_as_it_runs():
    assert [path.name for path in FILES if "pytest.skip" in path.read_text()] == []
