"""BigQuery keeps the contract of every source behind a network, as far as the emulator goes."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from random import Random

import pytest

from documented import since
from rowlift.core.errors import SourceError
from rowlift.core.ports import Source
from rowlift.operations.probes import LITERALS
from rowlift.sources.bigquery import BigQuery, BigQueryConfig
from rowlift.testing.extractions import BROKEN, CUTS, PEOPLE, NetworkSourceSuite, Origin
from rowlift.testing.proxy import Proxy, Trouble
from rowlift.testing.values import VALUES
from servers import BigQueryDataset

ROWS = "INSERT INTO {here}.people VALUES (1, 'Ada'), (2, ''), (3, NULL)"
ESCAPES = {"\\": r"\\", "'": r"\'", "\n": r"\n", "\r": r"\r"}
NUMBERS = "UNNEST(GENERATE_ARRAY(0, 199999))"


class TestBigQuery(NetworkSourceSuite):
    """The emulator keeps 38 digits of a BIGNUMERIC, 10 of them decimals."""

    streams = False
    since = since("bigquery")
    driver = "google.cloud.bigquery"
    lacks = ("service", "decimal", "intervals", "estimates", "names", "size", "roles")
    secrets = ("PRIVATE KEY", "token-")
    values = tuple(one for one in VALUES if one.value_type != "decimal" or len(one.text) < 38)
    literals = LITERALS["bigquery"]
    big = f"SELECT i AS id, REPEAT('x', 200) AS name FROM {NUMBERS} AS i"
    late_error = (
        "SELECT IF(i = 150000, ERROR('late'), i) AS id, REPEAT('x', 200) AS name "
        f"FROM {NUMBERS} AS i"
    )
    good_rows = range(1)  # rows come when the job has ended, so an error comes before them
    endless = f"SELECT COUNT(*) AS n FROM {NUMBERS} AS a, {NUMBERS} AS b, {NUMBERS} AS c"

    def escaped(self, text: str) -> str:
        return text.translate(str.maketrans(ESCAPES))

    def test_T7_F30_a_read_that_is_cut_anywhere_is_an_error(
        self, far: Source, origin: Origin, proxy: Proxy
    ) -> None:
        """All at once, since what was lost is asked for again; that may make it whole."""
        sql = self.some(rows=PEOPLE)
        assert far.query(sql).read_all().num_rows == PEOPLE
        within = Random(0).sample(range(2, proxy.longest), CUTS - 2)
        with ThreadPoolExecutor(CUTS) as threads:
            came = [*threads.map(lambda cut: rows_or_code(origin, sql, cut), [0, 1, *within])]
        assert {PEOPLE, *BROKEN} >= set(came)
        assert sum(one in BROKEN for one in came) > CUTS / 2

    @pytest.fixture
    def origin(self, bigquery_dataset: BigQueryDataset) -> Origin:
        dataset = bigquery_dataset
        dataset.execute("CREATE TABLE {here}.people (id INT64, name STRING)", ROWS)
        settings = {**dataset.settings(), "reader": "rest"}
        return Origin("bigquery", settings, dataset.forget, dataset.running)


def rows_or_code(origin: Origin, sql: str, cut: int) -> int | str:
    """Read over connections that each break after as many bytes."""
    with Proxy(origin.settings["host"], origin.settings["port"]) as proxy:
        proxy.trouble = Trouble(after=cut, then="reset" if cut % 2 else "half-close")
        settings = {**origin.settings, "port": proxy.port, "connect_timeout": 2}
        with closing(BigQuery(BigQueryConfig.model_validate(settings))) as source:
            try:
                return int(source.query(sql).read_all().num_rows)
            except SourceError as error:
                return error.code
