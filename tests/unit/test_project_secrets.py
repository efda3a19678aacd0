"""References and secrets: resolved for use, and never shown anywhere."""

import json
import traceback
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.project.kinds import FOLDER, KINDS, Tool, Warehouse
from rowlift.core.errors import Place
from rowlift.core.specs import ConnectionSpec
from rowlift.project.files import read
from rowlift.project.problems import Problem, ProjectInvalid
from rowlift.project.references import expand, has_reference, without_defaults
from rowlift.project.secrets import inspect, masked, resolve

HERE = Place("connections.yml", 4, 7)
CANARY = "CANARY-7f3a"


def warehouse(**config) -> ConnectionSpec:
    config = {"host": "h", "database": "d", "user": "u"} | config
    places = {key: Place("connections.yml", 4, 7) for key in config}
    return ConnectionSpec(
        "w", "postgres", config, places={"": Place("connections.yml", 3)} | places
    )


def tool(**config) -> ConnectionSpec:
    return ConnectionSpec("t", "segment", {"write_key": "${KEY}"} | config, places={"": HERE})


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("plain", "plain"),
        ("${A}", "a"),
        ("x${A}y${B}z", "xaybz"),
        ("${EMPTY}", ""),
        ("${NONE:-default}", "default"),
        ("${EMPTY:-default}", "default"),
        ("${A:-default}", "a"),
        ("${NONE:-}", ""),
        ("${NONE:-http://h:80/?a=$b}", "http://h:80/?a=$b"),
        ("$${A}", "${A}"),
        ("$$${A}", "$${A}"),
        ("$A $ $1", "$A $ $1"),
        ("${REFERENCE}", "${A}"),
    ],
)
def test_references_are_replaced_once(text, value):
    env = {"A": "a", "B": "b", "EMPTY": "", "REFERENCE": "${A}"}
    assert expand(text, env, HERE) == value


@pytest.mark.parametrize(
    "text",
    ["${A${B}}", "${", "${A", "${}", "${1A}", "${A-B}", "${A:default}", "${Ä}", "${A:-{}}"],
)
def test_broken_references_are_refused(text):
    with pytest.raises(Problem) as caught:
        expand(text, {"A": CANARY, "B": CANARY}, HERE)
    assert caught.value.code == "VALUE_WRONG"
    assert caught.value.place == HERE
    assert CANARY not in str(caught.value)


@pytest.mark.parametrize("text", ["${file:x}", "${file:}", "${file:../x}", "${file:~/x}"])
def test_a_secret_file_needs_its_whole_path(text):
    with pytest.raises(Problem, match="absolute"):
        expand(text, {}, HERE)


def test_a_file_is_read_without_its_last_line_end(tmp_path):
    path = tmp_path / "secret"
    path.write_bytes(b" s\nt \r\n")
    assert expand(f"${{file:{path}}}", {}, HERE) == " s\nt "


@pytest.mark.parametrize(
    ("content", "code"),
    [(None, "FILE_MISSING"), (b"\xff", "FILE_UNREADABLE"), (b"x" * 70_000, "FILE_UNREADABLE")],
)
def test_a_secret_file_that_cannot_be_used_is_named(tmp_path, content, code):
    path = tmp_path / "secret"
    if content:
        path.write_bytes(content)
    with pytest.raises(ProjectInvalid) as caught:
        resolve(warehouse(password=f"${{file:{path}}}"), Warehouse, {})
    assert caught.value.code == code
    assert str(path) in str(caught.value)


def test_resolving_gives_the_connectors_own_class():
    spec = warehouse(port="${PORT}", verify="${VERIFY:-false}", password="${PASSWORD}")
    config = resolve(spec, Warehouse, {"PORT": "6543", "PASSWORD": "pa:/@#%ss"})
    assert config.port == 6543
    assert config.verify is False
    assert config.password.get_secret_value() == "pa:/@#%ss"
    assert spec.config["password"] == "${PASSWORD}"


def test_relative_paths_start_at_the_projects_folder(tmp_path):
    spec = warehouse(ca_file="${CA}")
    assert resolve(spec, Warehouse, {"CA": "tls/ca.pem"}, tmp_path).ca_file == (
        tmp_path / "tls/ca.pem"
    )
    assert resolve(spec, Warehouse, {"CA": "/ca.pem"}, tmp_path).ca_file == Path("/ca.pem")
    assert resolve(warehouse(host="tls/h"), Warehouse, {}, tmp_path).host == "tls/h"


def test_lists_and_mappings_are_resolved():
    spec = tool(keys=["${OLD}", "plain"], headers={"Authorization": "Bearer ${KEY}"})
    config = resolve(spec, Tool, {"KEY": "new-key", "OLD": "old-key"})
    assert [one.get_secret_value() for one in config.keys] == ["old-key", "plain"]
    assert config.headers["Authorization"].get_secret_value() == "Bearer new-key"


def test_every_unset_variable_is_named_at_its_place():
    spec = warehouse(password="${PASSWORD}", port="${PORT}")
    with pytest.raises(ProjectInvalid) as caught:
        resolve(spec, Warehouse, {})
    assert [str(one) for one in caught.value.problems] == [
        "connections.yml:4:7: The variable PASSWORD is not set. [VARIABLE_UNSET]",
        "connections.yml:4:7: The variable PORT is not set. [VARIABLE_UNSET]",
    ]
    assert "${PORT:-default}" in caught.value.problems[1].mend


@pytest.mark.parametrize(
    ("spec", "config", "expected"),
    [
        (warehouse(port="${S}"), Warehouse, "port must be a whole number without quotes."),
        (warehouse(verify="${S}"), Warehouse, "verify must be true or false."),
        (tool(region="${S}", write_key="long"), Tool, "region must be us or eu."),
        (tool(write_key="bad${S}"), Tool, "write_key must not be ***."),
        (tool(write_key="badbadbad"), Tool, "write_key must not be ***."),
        (tool(extra="${S}", write_key="long"), Tool, '"extra" is not a known key of t (segment).'),
        (warehouse(host=["${S}"]), Warehouse, "host must be text: put it in quotes."),
    ],
)
def test_a_resolved_value_is_never_in_an_error(spec, config, expected):
    with pytest.raises(ProjectInvalid) as caught:
        resolve(spec, config, {"S": CANARY, "KEY": CANARY})
    assert caught.value.message.startswith(expected)
    shown = "".join(traceback.format_exception(caught.value)) + repr(vars(caught.value))
    assert CANARY not in shown
    assert "badbadbad" not in shown.replace("tool(write_key", "")


@given(secret=st.text(min_size=3).filter(lambda text: text not in "write_key must not be text"))
def test_secrets_never_leak_whatever_they_are(secret):
    env = {"S": "bad" + secret, "KEY": "long enough"}
    for spec in (tool(write_key="${S}"), tool(region="${S}"), tool(keys="${S}")):
        with pytest.raises(ProjectInvalid) as caught:
            resolve(spec, Tool, env)
        for problem in caught.value.problems:
            assert "bad" + secret not in str(problem) + problem.mend


@pytest.mark.parametrize(
    ("spec", "config", "paths"),
    [
        (warehouse(password=CANARY), Warehouse, ["password"]),
        (warehouse(password=f"${{P:-{CANARY}}}"), Warehouse, ["password"]),
        (warehouse(password="${P}"), Warehouse, []),
        (warehouse(password="${P:-}"), Warehouse, []),
        (warehouse(password="${file:/run/secrets/p}"), Warehouse, []),
        (warehouse(password=""), Warehouse, []),
        (tool(keys=["${A}", CANARY], headers={"X": CANARY}), Tool, ["keys[2]", "headers.X"]),
    ],
)
def test_a_secret_in_the_file_is_a_warning(spec, config, paths):
    found = list(inspect(spec, config))
    assert [one.code for one in found] == ["SECRET_IN_FILE"] * len(paths)
    assert all(one.is_warning for one in found)
    assert [one.message.split(" ")[0] for one in found] == paths
    assert not any(CANARY in str(one) for one in found)


def test_values_behind_references_wait_for_the_environment():
    assert list(inspect(warehouse(port="${PORT}", user="${USER}"), Warehouse)) == []
    broken = inspect(warehouse(port="${PORT}", verify="x", pord=1), Warehouse)
    assert [one.code for one in broken] == ["VALUE_WRONG", "KEY_UNKNOWN"]


def test_what_is_shown_holds_references_or_set():
    spec = tool(
        write_key=f"${{KEY:-{CANARY}}}",
        region="eu",
        keys=["${OLD}", CANARY],
        headers={"A": f"Bearer {CANARY} ${{T}}", "B": "${file:/run/b}", "C": "${"},
    )
    shown = masked(spec, Tool)
    assert shown == {
        "write_key": "${KEY}",
        "region": "eu",
        "keys": ["${OLD}", "set"],
        "headers": {"A": "set", "B": "${file:/run/b}", "C": "set"},
    }


@given(st.dictionaries(st.sampled_from(["write_key", "keys", "headers"]), st.text(min_size=1)))
def test_nothing_secret_is_ever_shown(config):
    marked = {key: f"{CANARY}{value}" for key, value in config.items()}
    shown = masked(ConnectionSpec("t", "segment", marked), Tool)
    assert CANARY not in json.dumps(shown)


@given(st.text(alphabet="${}A:-file/\\ x"))
def test_any_text_expands_or_is_a_problem(text):
    problem = _problem(text)
    assert problem is None or problem.code in {"VALUE_WRONG", "FILE_MISSING", "FILE_UNREADABLE"}
    if problem is None and not has_reference(text):
        assert without_defaults(text, HERE) == text


def _problem(text: str) -> Problem | None:
    try:
        expand(text, {"A": "", "x": "", "AA": ""}, HERE)
    except Problem as problem:
        return problem if problem.code != "VARIABLE_UNSET" else None
    return None


def test_references_work_only_below_a_connection(tmp_path):
    for name in ("rowlift.yml", "connections.yml"):
        (tmp_path / name).write_text((FOLDER / "shop" / name).read_text())
    (tmp_path / "syncs").mkdir()
    text = "sync: s\nsource: ${SOURCE}\nsql: SELECT '${HOME}'\nidentify_by: id\n"
    (tmp_path / "syncs/s.yml").write_text(text)
    found = read(tmp_path, KINDS)
    assert [one.place.line for one in found.problems] == [2]
    (tmp_path / "syncs/s.yml").write_text(text.replace("${SOURCE}", "warehouse"))
    assert read(tmp_path, KINDS).spec.syncs["s"].sql == "SELECT '${HOME}'"
    connections = (tmp_path / "connections.yml").read_text().replace("postgres", '"${TYPE}"')
    (tmp_path / "connections.yml").write_text(connections)
    assert read(tmp_path, KINDS).problems[0].code == "NAME_UNKNOWN"


MISUSED = f"""profiles:
  dev:
    sources:
      a: {{type: postgres, host: h, database: d, user: u, port: {CANARY}, password: {CANARY}}}
      b: {{type: postgres, password: [{CANARY}], verify: {CANARY}, host: {{x: {CANARY}}}}}
    destinations:
      c: {{type: segment, write_key: {{x: {CANARY}}}, region: {CANARY}}}
      d: {{type: segment, write_key: bad{CANARY}, headers: {CANARY}, keys: "${{{CANARY}}}"}}
"""
MISPLACED = (
    MISUSED
    + f"""\
      e: {CANARY}
      f: [{CANARY}]
      g: {{type: [{CANARY}], description: {{a: {CANARY}}}, renamed_from: {CANARY}}}
"""
)


@pytest.mark.parametrize(("text", "count"), [(MISUSED, 14), (MISPLACED, 5)])
def test_no_secret_of_the_file_is_in_any_problem(tmp_path, text, count):
    (tmp_path / "rowlift.yml").write_text((FOLDER / "shop/rowlift.yml").read_text())
    (tmp_path / "connections.yml").write_text(text)
    found = read(tmp_path, KINDS).problems
    assert len(found) == count
    assert not any(CANARY in f"{one}{one.mend}" for one in found)
