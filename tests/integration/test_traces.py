"""Spans of a run, as a collector receives them over OTLP."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from doors.api import serving
from doors.cli import run_cli
from rowlift.cli.traces import traced
from rowlift.core.rights import Role
from world import World


class Collector:
    """Takes what OpenTelemetry's exporter posts, and parses it."""

    def __init__(self) -> None:
        self.spans: list = []
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                assert self.path == "/v1/traces"
                body = self.rfile.read(int(self.headers["content-length"]))
                collector.take(ExportTraceServiceRequest.FromString(body))
                self.send_response(200)
                self.send_header("content-type", "application/x-protobuf")
                self.end_headers()
                self.wfile.write(ExportTraceServiceResponse().SerializeToString())

            def log_message(self, *_: object) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def take(self, request: ExportTraceServiceRequest) -> None:
        for resource in request.resource_spans:
            for scope in resource.scope_spans:
                self.spans.extend(scope.spans)

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def collector() -> Iterator[Collector]:
    one = Collector()
    yield one
    one.close()


def facts(span) -> dict:
    values = {one.key: one.value for one in span.attributes}
    return {key: getattr(value, value.WhichOneof("value")) for key, value in values.items()}


@pytest.mark.door("cli")
def test_C11_a_run_is_traced_from_the_query_to_the_destination(world, collector) -> None:
    env = {"ROWLIFT_TRACES_URL": collector.url}
    assert run_cli("run", cwd=world.folder, env=env).code == 1
    by_name = {span.name: span for span in collector.spans}
    assert by_name.keys() == {"run", "read", "judge", "merge", "apply", "delivery", "plan", "send"}
    assert len({span.trace_id for span in collector.spans}) == 1
    for outer, inner in (
        ("run", ("read", "judge", "merge", "apply")), ("delivery", ("plan", "send")),
    ):  # fmt: skip
        for name in inner:
            assert by_name[name].parent_span_id == by_name[outer].span_id
    run, delivery = facts(by_name["run"]), facts(by_name["delivery"])
    assert (run["rowlift.run"], run["rowlift.sync"]) == (1, "people")
    assert run["rowlift.status"] == "Some rows failed"
    assert facts(by_name["read"])["rowlift.rows"] == 3
    assert facts(by_name["judge"])["rowlift.rejected"] == 1
    assert facts(by_name["apply"])["rowlift.written"] == 2
    assert (delivery["rowlift.destination"], delivery["rowlift.delivered"]) == ("crm", 2)
    assert "canary" not in str(collector.spans)


@pytest.mark.door("api")
def test_C11_a_request_is_traced_by_its_operation_and_names_nobody(world, collector) -> None:
    with (
        traced(collector.url),
        serving(world.folder) as api,
        api.as_user(Role.EDITOR) as editor,
    ):
        editor.post("/syncs/people/plans").raise_for_status()
        editor.get("/people/canary-1").close()
        editor.get("/canary-nowhere").close()
    found = [one for one in collector.spans if one.name == "request"]
    told = {
        (facts(one)["rowlift.operation"], facts(one)["rowlift.method"]): facts(one)[
            "rowlift.status"
        ]
        for one in found
    }
    assert told["person", "GET"] == 404
    assert told["", "GET"] == 404
    assert told["plans.make", "POST"] == 201
    assert "canary" not in str(collector.spans)


def test_a_run_that_fails_says_so_by_its_code_only(world, collector) -> None:
    world.sync["sql"] = "SELECT user_id, plan FROM nowhere_canary"
    with traced(collector.url), pytest.raises(Exception, match="nowhere_canary"):
        world.run()
    failed = {span.name: (span.status.code, span.status.message) for span in collector.spans}
    assert failed == {"read": (2, "TABLE_UNKNOWN"), "run": (2, "TABLE_UNKNOWN")}
    assert "canary" not in str(collector.spans)


def test_a_collector_that_is_away_costs_spans_only(world) -> None:
    env = {"ROWLIFT_TRACES_URL": "http://127.0.0.1:9"}
    result = run_cli("run", cwd=world.folder, env=env)
    assert result.code == 1
    assert "Traceback" not in result.stderr
    assert run_cli("ls", cwd=world.folder, env={"ROWLIFT_TRACES_URL": "x"}).code == 2


def test_nothing_of_it_is_imported_unless_it_is_asked_for() -> None:
    code = (
        "import sys, rowlift, rowlift.cli.app, rowlift.cli.run, rowlift.operations.project\n"
        "print([name for name in sys.modules if name.startswith('opentelemetry')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.fixture
def world(tmp_path) -> World:
    made = World(tmp_path / "acme")
    made.sync["workspace"] = "write"
    made.rows(("canary-1", "canary-pro"), ("canary-2", "free"), ("", "free"))
    made.save()
    return made
