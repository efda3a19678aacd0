"""Every HTTP destination that takes events under the suite of forwards."""

import pytest

from rowlift.testing.forwards import HttpForwardSuite
from rowlift.testing.track import TrackServer

LOOPBACK = ["127.0.0.0/8"]


class TestSegment(HttpForwardSuite):
    type = "segment"

    def settings(self, sink):
        return {"write_key": "k", "endpoint": f"{sink.url}/v1", "allow_networks": LOOPBACK}

    def shown(self, record):
        return record["event"], record["properties"], record["context"]["traits"]


class TestWebhook(HttpForwardSuite):
    type = "webhook"
    reads_reply = False

    def settings(self, sink):
        return {"url": f"{sink.url}/hook", "allow_networks": LOOPBACK, "batch_rows": 16}

    def shown(self, record):
        return record["name"], record["properties"], record["traits"]


class TestCustomerio(HttpForwardSuite):
    type = "customerio"

    @pytest.fixture
    def place(self):
        with TrackServer() as server:
            yield server

    def settings(self, sink):
        login = {"site_id": "site", "api_key": "key", "batch_rows": 16}
        return {**login, "endpoint": sink.url, "allow_networks": LOOPBACK}

    def shown(self, record):
        attributes = record["attributes"]
        return record["name"], attributes, attributes
