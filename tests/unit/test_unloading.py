"""What is written out as files declares what it was written from."""

from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from rowlift.operations.kinds import ACCEPTS, KINDS
from rowlift.operations.opening import declarations
from rowlift.operations.unloading import as_files
from rowlift.project.check import load_able
from rowlift.state.definitions import Definition

NAMES = st.from_regex(r"[a-z][a-z0-9_-]{0,5}", fullmatch=True)
WORDS = st.text(
    st.characters(exclude_categories=["C", "Z"]) | st.sampled_from(" '\"#:"), max_size=20
)
QUERIES = st.builds("SELECT id,\n  '{}' AS a -- {}\nFROM t\n".format, WORDS, WORDS)


@st.composite
def workspaces(draw):
    names = draw(st.lists(NAMES, min_size=1, max_size=3, unique=True))
    of = [("workspace", "acme", {"version": 1, "workspace": {"name": "acme"}})]
    of += [("source", "shop", {"type": "files", "root": "data", "description": draw(WORDS)})]
    headers = {"X-Key": "${secret:a1}", "X-Plain": "${secret:b2}"}
    hook = {"type": "webhook", "url": "https://example.com", "headers": headers}
    of += [("destination", "hook", hook)]
    for name in names:
        sync = {"sync": name, "source": "shop", "sql": draw(QUERIES), "identify_by": "id"}
        second = {"sql": draw(QUERIES), "identify_by": "id"}
        sync |= draw(st.sampled_from([{}, {"relationships": second}, {"schedule": "off"}]))
        of += [("sync", name, sync | {"destinations": [{"use": "hook"}]})]
    return of


@settings(max_examples=40)
@given(workspaces())
def test_exported_and_read_again_it_is_the_same(definitions):
    held = [Definition("", kind, name, "", one, "rowlift", 1) for kind, name, one in definitions]
    files, variables = as_files(held)
    assert variables == {"HOOK_HEADERS_X_KEY", "HOOK_HEADERS_X_PLAIN"}
    with TemporaryDirectory() as folder:
        for name, text in files.items():
            path = Path(folder) / name
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(text.encode())
        read = declarations(load_able(Path(folder), KINDS, ACCEPTS))
    references = {"X-Key": "${HOOK_HEADERS_X_KEY}", "X-Plain": "${HOOK_HEADERS_X_PLAIN}"}
    for kind, name, document in definitions:
        wanted = document | ({"headers": references} if "headers" in document else {})
        wanted = {key: one for key, one in wanted.items() if one != "" or key != "description"}
        assert read[kind][name].mapping == wanted
