"""After a run: what changed since the last good one, and whether last_sync_time moved."""

import pytest

from doors.api import Api
from rowlift.core.rights import Role
from world import World

GOOD = ("ann", "ann@example.com", "pro")


@pytest.mark.door("api")
def test_B16_a_run_tells_what_changed_since_the_last_good_one(api: Api, shop: World) -> None:
    shop.rows(GOOD)
    good = shop.run()
    shop.sync |= {"sql": "SELECT user_id, email, plan AS tier FROM people"}
    shop.rows(GOOD, ("", "nobody@example.com", "pro"))
    bad = shop.run()
    with api.as_user(Role.VIEWER) as viewer:
        told = viewer.get(f"/runs/{bad.id}/changes").json()
        assert viewer.get(f"/runs/{good.id}/changes").json()["good"] is None
        assert viewer.get("/runs/999/changes").status_code == 404
    assert (told["good"], told["rows_before"], told["rows_now"]) == (good.id, 1, 2)
    assert told["columns"] == [
        {"name": "plan", "before": "text", "after": None},
        {"name": "tier", "before": None, "after": "text"},
    ]
    (edit,) = told["edits"]
    assert (edit["kind"], edit["name"], edit["origin"]) == ("sync", "people", "files")
    assert '\n+sql: "SELECT user_id, email, plan AS tier FROM people"\n' in edit["diff"]


@pytest.mark.door("api")
def test_B16_a_run_tells_why_last_sync_time_did_not_move(api: Api, shop: World) -> None:
    shop.sync |= {"sql": "SELECT user_id, email, plan FROM people WHERE {{last_sync_time}} >= 0"}
    shop.rows(GOOD)
    good = shop.run()
    shop.rows(*(("", f"{at}@example.com", "pro") for at in range(3)))
    shop.sync |= {"preset": "traits"}
    with pytest.raises(Exception, match="rows break the rules"):
        shop.run()
    with api.as_user(Role.VIEWER) as viewer:
        moved = viewer.get(f"/runs/{good.id}/facts").json()
        stopped = viewer.get(f"/runs/{good.id + 1}/facts").json()
        sent = viewer.get(f"/runs/{good.id}/requests").json()["items"]
    assert moved["moved_to"]
    assert moved["targets"][-1] == "crm"
    assert stopped["moved_to"] is None
    assert "guard stopped" in stopped["why_not"]
    assert stopped["is_read_since"]
    assert sent == []
