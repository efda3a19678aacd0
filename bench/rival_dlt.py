"""The same job with dlt: the rows of the plain script to a destination function, 100 a call."""

import json
import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib import import_module
from typing import Any

import requests

from bench import baseline

PORT, SQL, URL = sys.argv[1:]
NOW = datetime.now(UTC).isoformat()
SESSION = requests.Session()
SESSION.auth = (os.environ["WRITE_KEY"], "")


def post(rows: Sequence[baseline.Row], _: object) -> None:
    """Post one batch; raises HTTPError when it was refused."""
    messages = [baseline.message(dict(row), NOW) for row in rows]
    body = json.dumps({"batch": messages}, default=baseline.plain)
    headers = {"Content-Type": "application/json"}
    answer = SESSION.post(f"{URL}/batch", data=body, headers=headers, timeout=baseline.TIMEOUT)
    answer.raise_for_status()


dlt: Any = import_module("dlt")
segment = dlt.destination(
    post, batch_size=100, naming_convention="direct", skip_dlt_columns_and_tables=True
)
pipeline = dlt.pipeline("people", destination=segment, pipelines_dir="pipelines")
pipeline.run(baseline.from_postgresql(int(PORT), SQL), table_name="people")
