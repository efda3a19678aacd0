"""Files are whole or absent after any crash."""

import os
import subprocess
import sys

import pytest

from rowlift.kit.durable import LEFTOVERS, make_folder, sweep, write_durable

WRITE = """
import sys
from pathlib import Path
from rowlift.kit.durable import write_durable
write_durable(Path(sys.argv[1]), [b"new", b" text"])
"""


def test_written_file_is_private_and_complete(tmp_path):
    path = tmp_path / "image.parquet"
    assert write_durable(path, [b"one ", b"two"]) == 7
    assert path.read_bytes() == b"one two"
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path):
    path = tmp_path / "image.parquet"
    write_durable(path, [b"old"])

    def chunks():
        yield b"half"
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        write_durable(path, chunks())
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("point", "expected"),
    [
        ("file.before_write", b"old"),
        ("file.before_rename", b"old"),
        ("file.after_rename", b"new text"),
    ],
)
def test_killed_at_each_point_the_file_is_old_or_new(tmp_path, point, expected):
    path = tmp_path / "image.parquet"
    path.write_bytes(b"old")
    environment = {**os.environ, "ROWLIFT_FAULTS": f"{point}:1:kill"}
    killed = subprocess.run([sys.executable, "-c", WRITE, path], env=environment, check=False)
    assert killed.returncode == -9
    assert path.read_bytes() == expected
    assert {at.name for at in tmp_path.iterdir()} - {path.name} == {
        at.name for at in tmp_path.glob(LEFTOVERS)
    }
    sweep(tmp_path)
    assert list(tmp_path.iterdir()) == [path]


def test_what_a_living_process_writes_is_not_swept(tmp_path):
    for owner in (os.getpid(), 1):
        (tmp_path / f".image.{owner}.tmp").write_bytes(b"half")
    sweep(tmp_path)
    assert len(list(tmp_path.iterdir())) == 2


def test_a_planted_link_is_not_followed(tmp_path):
    victim = tmp_path / "victim"
    victim.write_bytes(b"safe")
    path = tmp_path / "image.parquet"
    path.with_name(f".{path.name}.{os.getpid()}.tmp").symlink_to(victim)
    with pytest.raises(OSError, match="symbolic"):
        write_durable(path, [b"x"])
    assert victim.read_bytes() == b"safe"


def test_folders_are_private(tmp_path):
    make_folder(tmp_path / "a" / "b")
    make_folder(tmp_path / "a" / "b")
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "a" / "b").stat().st_mode & 0o777 == 0o700
