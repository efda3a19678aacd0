"""Every HTTP destination under the suite that sends through a whole project."""

import time

import pytest

from rowlift.testing import misbehaviour as m
from rowlift.testing.deliveries import HttpDeliverySuite
from rowlift.testing.sink import ident_of, key_of

LOOPBACK = ["127.0.0.0/8"]


class TestSegment(HttpDeliverySuite):
    type = "segment"

    def settings(self, sink):
        return {"write_key": "k", "endpoint": f"{sink.url}/v1", "allow_networks": LOOPBACK}


class TestWebhook(HttpDeliverySuite):
    type = "webhook"
    reads_reply = False

    def settings(self, sink):
        return {"url": f"{sink.url}/hook", "allow_networks": LOOPBACK, "batch_rows": 16}

    @pytest.mark.parametrize("status", [200, 207])
    def test_F53_T16_only_the_rows_that_were_named_go_again(self, place, shop, status):
        keys = [f"k{at:02}" for at in range(16)]
        shop.rows(keys)
        errors = {9: ("bad", "no such plan", False), 0: ("busy", "later", True)}
        place.misbehave(m.partial(errors, status))  # in another order than they were sent
        report = shop.run()
        counts = shop.delivery(report).counts
        assert (counts["delivered"], counts["rejected"]) == (15, 1)
        assert [[key_of(one) for one in request.records] for request in place.seen] == [
            keys,
            ["k00"],
        ]
        with shop.folder.project() as project:
            (reject,) = project.rejects(report.id)
        assert (reject["identifier"], reject["reason"]) == ("k09", "bad: no such plan")
        assert place.taken.repeats == 0

    def test_F48_one_id_names_one_content_so_that_no_receiver_drops_news(self, place, shop):
        shop.rows(["a", "b"])
        place.always(m.lost_reply())
        shop.run()
        (shop.path / "data" / "people.csv").write_text("user_id,plan\na,free\nb,pro\n")
        place.always(None)
        assert shop.delivery(shop.run()).counts["delivered"] == 2
        named = {}
        for request in place.seen:
            content = tuple(map(ident_of, request.records))
            named.setdefault(request.headers["webhook-id"], set()).add(content)
        assert [len(one) for one in named.values()] == [1, 1]

    def test_F53_an_answer_about_rows_nobody_sent_confirms_nothing(self, place, shop):
        shop.rows(["a", "b"])
        place.always(m.partial({2: ("bad", "which one?", False)}))
        counts = shop.delivery(shop.run()).counts
        assert (counts["delivered"], counts["in_doubt"]) == (0, 2)
        place.always(None)
        assert shop.delivery(shop.run()).counts["delivered"] == 2
        assert len(place.taken.records) == 2

    def test_F49_F57_no_receiver_holds_a_run_longer_than_its_deadline(self, place, shop):
        """Takes the half minute that a request may take."""
        keys = [f"k{at:02}" for at in range(64)]
        shop.rows(keys)
        place.misbehave(m.half_open(), m.silent(), m.slow_body(), m.endless_headers())
        started = time.monotonic()
        assert shop.delivery(shop.run()).counts["delivered"] == len(keys)
        assert 29 < time.monotonic() - started < 60
        assert len(place.taken.records) == len(keys)
