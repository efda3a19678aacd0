"""What is remembered, damaged between two runs."""

import shutil


def test_a_sync_whose_files_are_gone_is_reset_although_a_delivery_waits(cli, shop):
    shop.files("lake")
    shop.sync("traits", "SELECT user_id, plan FROM people", "lake")
    assert cli("run", "traits").code == 0
    before = shop.lines()
    shop.sql("UPDATE people SET plan = 'new'")
    assert cli("run", "traits", "--no-wait").code == 0
    shutil.rmtree(shop.folder / ".rowlift" / "files")
    broken = cli("run", "traits")
    assert broken.code == 1
    assert "[STATE_DAMAGED]" in broken.stderr
    assert "rowlift state reset" in broken.stderr
    assert cli("state", "reset", "traits", "--yes").code == 0
    mended = cli("run", "traits")
    assert mended.code == 0
    assert "3 delivered of 3 due" in mended.stdout
    assert len(shop.lines()) == 6
    assert all("new" in str(one) for one in shop.lines() if one not in before)
