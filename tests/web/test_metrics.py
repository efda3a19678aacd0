"""What Prometheus reads: the figures of the state, for whom has the right, and of nobody's rows."""

import re
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
    assert 0 <= found[at("rowlift_sync_lag_seconds", "people")] < 600, "since it was made"
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
    found = figures(shop)
    assert found[at("rowlift_circuit_open", "people", "crm")] == 1
    assert found[at("rowlift_delivery_failing", "people", "crm")] == 1
    assert found[at("rowlift_rows_left", "people", "crm", "pending")] > 0
    del shop.crm["failing"]
    shop.run()
    found = figures(shop)
    assert found[at("rowlift_circuit_open", "people", "crm")] == 0
    assert found[at("rowlift_delivery_failing", "people", "crm")] == 0
    assert found[at("rowlift_rows_left", "people", "crm", "pending")] == 0
    shop.others["lake"] = {}
    shop.use["use"] = "lake"
    assert not [key for key in figures(shop) if key[0] == "rowlift_circuit_open"]


def test_whoever_is_on_call_finds_what_is_wrong(shop: World) -> None:
    hook = {"type": "webhook", "url": "https://127.0.0.1/x", "secret": "whsec_" + "A" * 32}
    shop.channels["ops"] = hook
    shop.sync["fresh_within"] = "1h"
    (shop.folder / "audiences").mkdir()
    shop.write("audiences/pros.yml", {"audience": "pros", "where": {"segment": "vips"}})
    shop.run()
    executed(shop, "UPDATE runs SET source_time = source_time - 7200")
    with shop.project() as project:
        project.pause("people")
    found = figures(shop)
    assert found[at("rowlift_sync_late", "people", "workspace")] == 1
    assert found[at("rowlift_sync_late", "people", "crm")] == 1
    assert found[at("rowlift_sync_data_age_seconds", "people", "crm")] >= 7200
    assert found[at("rowlift_sync_paused", "people")] == 1
    assert found[at("rowlift_channel_failing", "ops")] == 1
    assert found[at("rowlift_channel_notices_waiting", "ops")] == 0, "they are in its message"
    assert found[at("rowlift_audience_failing", "pros")] == 1
    assert found[at("rowlift_audience_due", "pros")] == 1
    assert found[at("rowlift_files_refused")] == 0
    shop.sync |= {"fresh_within": "9h", "attributes_fresh_within": {"plan": "1h"}}
    found = figures(shop)
    assert found[at("rowlift_sync_late", "people", "crm")] == 1, "one attribute is"
    with shop.project() as project:
        project.create_segment("vips")
        project.add_to_segment("vips", ["ann"])
        project.audiences.compute()
        (shop.folder / "rowlift.yml").write_text("version: [")
        project.refresh()
        found = samples(rendered(project.watch.figures()).decode())
    assert found[at("rowlift_audience_failing", "pros")] == 0
    assert found[at("rowlift_audience_due", "pros")] == 0
    assert found[at("rowlift_audience_people", "pros")] == 1
    assert 0 <= found[at("rowlift_audience_age_seconds", "pros")] < 600
    assert found[at("rowlift_files_refused")] == 1


def executed(shop: World, text: str) -> None:
    with shop.project() as project, project.watch.home.store.database.transaction("test") as state:
        state.exec_driver_sql(text)


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


LABELS = {
    "audience", "channel", "code", "destination", "forward", "kind", "outcome", "rule", "status",
    "sync", "target", "version",
}  # fmt: skip


@pytest.mark.parametrize("name", METRICS)
def test_names_and_units_are_those_that_prometheus_expects(name: str) -> None:
    """What promtool check metrics looks for, and that no label can hold a person."""
    one = METRICS[name]
    assert re.fullmatch(r"rowlift(_[a-z]+)+", name)
    assert name.endswith("_total") == (one.kind == "counter")
    assert not name.endswith(("_count", "_sum", "_bucket", "_info")) or name == "rowlift_build_info"
    assert not re.search(r"_(gauge|counter|histogram|ms|minutes|hours|days|kb|mb)(_|$)", name)
    assert ("second" in name) == bool(re.search(r"_seconds(_total)?$", name))
    assert {*one.labels} <= LABELS
    assert one.about.endswith((".", "0 or 1."))
