"""What is written as YAML is read back as it was, whatever it holds."""

from hypothesis import given
from hypothesis import strategies as st

from rowlift.project.writing import write_yaml
from rowlift.project.yaml import parse

PLAIN = st.characters(exclude_categories=["Cs", "Cc", "Cn", "Co", "Zl", "Zp"])
TEXTS = st.text(PLAIN | st.sampled_from("\n\t #:-'\"{}[]&*!|>%@`"), max_size=30)
SPOKEN = st.sampled_from(
    ["no", "null", "~", "012", "0x1f", "1e3", "12:30", "", "---", "a\nb", "<<"]
)
VALUES = st.recursive(
    TEXTS | SPOKEN | st.booleans() | st.integers(-(10**16), 10**16),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(TEXTS.filter(bool), inner, max_size=3)
    ),
    max_leaves=8,
)
DOCUMENTS = st.dictionaries(TEXTS.filter(bool), VALUES, min_size=1, max_size=4)


@given(DOCUMENTS)
def test_a_document_reads_back_as_it_was(document):
    read = parse(write_yaml(document), "document")
    assert (read.value, read.problems) == (document, [])


def test_a_query_stands_as_its_author_wrote_it():
    text = write_yaml({"sync": "people", "sql": "SELECT id,\n  plan\nFROM people\n"})
    assert text == "sync: people\nsql: |\n  SELECT id,\n    plan\n  FROM people\n"
