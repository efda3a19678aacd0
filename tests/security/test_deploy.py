"""What runs the service on a server: neither root nor anything to write to but its own data."""

import configparser
import re
import shutil
import subprocess
from pathlib import Path

from ruamel.yaml import YAML

DEPLOY = Path(__file__).parents[2] / "deploy"
UNIT = DEPLOY / "rowlift.service"
EXPOSED = 15  # tenths of the ten that systemd gives to a service without any of it


def unit() -> configparser.SectionProxy:
    parser = configparser.RawConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string(UNIT.read_text())
    return parser["Service"]


def test_S42_the_unit_writes_to_one_folder_and_gains_no_privilege() -> None:
    found = dict(unit())
    wanted = {
        "DynamicUser": "yes",
        "ProtectSystem": "strict",
        "ProtectHome": "yes",
        "NoNewPrivileges": "yes",
        "CapabilityBoundingSet": "",
        "StateDirectory": "rowlift",
        "StateDirectoryMode": "0700",
        "UMask": "0077",
    }
    assert found | wanted == found
    assert not {"ReadWritePaths", "RuntimeDirectory", "User"} & found.keys()
    places = dict(one.split("=") for one in found["Environment"].split())
    assert places["ROWLIFT_DATA_DIR"] == places["TMPDIR"] == "/var/lib/rowlift"


def test_S42_systemd_itself_finds_it_hardly_exposed() -> None:
    if not (program := shutil.which("systemd-analyze")):
        assert "SystemCallFilter" in unit()
        return
    words = (program, "security", "--offline=yes", "--no-pager", f"--threshold={EXPOSED}", UNIT)
    done = subprocess.run(words, check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout[-300:] + done.stderr


def test_S42_a_service_ends_in_order_before_it_is_killed() -> None:
    drain = 15
    compose = YAML(typ="safe").load(DEPLOY / "compose.yaml")["services"]["rowlift"]
    for allowed in (unit()["TimeoutStopSec"], compose["stop_grace_period"].removesuffix("s")):
        assert int(allowed) > drain


def test_S42_the_container_is_not_root_and_its_root_is_read_only() -> None:
    compose = YAML(typ="safe").load(DEPLOY / "compose.yaml")["services"]["rowlift"]
    users = re.findall(r"^USER (\S+)$", (DEPLOY / "Containerfile").read_text(), re.MULTILINE)
    assert users == [compose["user"]]
    assert re.fullmatch(r"[1-9]\d+:[1-9]\d+", compose["user"])
    assert compose["read_only"] is True
    assert compose["cap_drop"] == ["ALL"]
    assert compose["security_opt"] == ["no-new-privileges:true"]
    written = [one for one in compose["volumes"] if not one.endswith(":ro")]
    assert written == ["state:/var/lib/rowlift"]
    assert all(one.startswith("127.0.0.1:") for one in compose["ports"])
