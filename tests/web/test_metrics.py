"""What Prometheus reads: the figures of the state, for whom has the right, and of nobody's rows."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from doors.api import Api
from intake import Inlet
from rowlift.core.rights import Right, Role
from rowlift.operations.metering import METRICS
from rowlift.web.metrics import rendered
from world import World

Samples = dict[tuple[str, frozenset[str]], float]


def at(name: str, *labels: str) -> tuple[str, frozenset[str]]:
    return name, frozenset(labels)


def samples(text: str) -> Samples:
    found: Samples = {}
    for family in text_string_to_metric_families(text):
        for one in family.samples:
            key = at(one.name, *one.labels.values())
            assert key not in found
            found[key] = one.value
    return found


def figures(world: World) -> Samples:
    with world.project() as project:
        return samples(rendered(project.watch.figures()).decode())


@pytest.fixture
def monitor(api: Api) -> Iterator[httpx.Client]:
    with api.by_token(Role.VIEWER, [Right.METRICS]) as client:
        yield client


@pytest.mark.door("api")
def test_C11_metrics_tell_runs_rows_and_lag(api: Api, monitor: httpx.Client, shop: World) -> None:
    shop.run()
    answer = monitor.get(f"{api.url}/metrics")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    found = samples(answer.text)
    assert found[at("rowlift_runs_total", "people", "Some rows failed")] == 1
    assert found[at("rowlift_rows_total", "people", "read")] == 2
    assert found[at("rowlift_rows_total", "people", "rejected")] == 1
    assert found[at("rowlift_workspace_rows_total", "people", "written")] == 1
    assert found[at("rowlift_deliveries_total", "people", "crm", "Completed")] == 1
    assert found[at("rowlift_delivered_rows_total", "people", "crm", "delivered")] == 1
    assert found[at("rowlift_run_duration_seconds_count", "people")] == 1
    assert found[at("rowlift_run_duration_seconds_bucket", "people", "+Inf")] == 1
    assert at("rowlift_sync_lag_seconds", "people") not in found
    assert found[at("rowlift_runs_active")] == 0
    assert "example.com" not in answer.text
    shop.run()
    assert monitor.get("/metrics").text == answer.text  # for some seconds


@pytest.mark.door("api")
def test_C11_metrics_are_not_for_everybody(api: Api, monitor: httpx.Client) -> None:
    with api.anybody() as guest, api.by_token(Role.VIEWER, [Right.READ]) as reader:
        for path in ("/metrics", "/api/v1/metrics"):
            assert guest.get(api.url + path).status_code == 401
            assert reader.get(api.url + path).status_code == 403
    assert monitor.get("/runs").status_code == 403


def test_counts_go_on_whatever_becomes_of_runs(shop: World) -> None:
    shop.rows(("ann", "ann@example.com", "pro"))
    for _ in range(3):
        shop.run()
    before = figures(shop)
    assert before[at("rowlift_runs_total", "people", "Completed")] == 3
    assert 0 <= before[at("rowlift_sync_lag_seconds", "people")] < 600
    assert before[at("rowlift_run_duration_seconds_count", "people")] == 3
    with shop.project() as project, project.watch.home.store.database.transaction("test") as state:
        state.exec_driver_sql("DELETE FROM deliveries")
        state.exec_driver_sql("DELETE FROM runs")
    after = figures(shop)
    assert {key: value for key, value in after.items() if key[0].endswith("_total")} == {
        key: value for key, value in before.items() if key[0].endswith("_total")
    }


def test_a_destination_that_was_given_up_is_told_until_it_works(shop: World) -> None:
    shop.crm["failing"] = 0.999999
    shop.rows(*((f"u{number}", f"u{number}@example.com", "pro") for number in range(30)))
    shop.run()
    assert figures(shop)[at("rowlift_circuit_open", "people", "crm")] == 1
    del shop.crm["failing"]
    shop.run()
    assert figures(shop)[at("rowlift_circuit_open", "people", "crm")] == 0


def test_what_is_gone_from_the_project_is_left_out(shop: World) -> None:
    shop.run()
    shop.sync["sync"] = "renamed"
    labels = {label for _, labels in figures(shop) for label in labels}
    assert "people" not in labels


def test_messages_are_counted(tmp_path: Path) -> None:
    inlet = Inlet(tmp_path / "acme")
    with inlet.opened() as asked:
        for body in ({"type": "track", "event": "Seen", "userId": "ann"}, {"type": "track"}):
            asked.post("track", body)
        project = asked.project
        waiting = samples(rendered(project.watch.figures()).decode())
        assert waiting[at("rowlift_message_requests_waiting")] == 2
        project.ingest.write_some()
        found = samples(rendered(project.watch.figures()).decode())
    assert found[at("rowlift_message_requests_waiting")] == 0
    assert found[at("rowlift_message_requests_total")] == 2
    assert found[at("rowlift_messages_total", "rejected")] == 1


def test_every_sample_is_of_a_metric_that_is_described(shop: World) -> None:
    shop.run()
    with shop.project() as project:
        found = project.watch.figures()
    for name, labels in found.values:
        assert len(labels) == len(METRICS[name].labels), name
    assert all(name.startswith("rowlift_") for name in METRICS)
