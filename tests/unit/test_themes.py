"""A theme of the web UI changes colours alone, so one theme tells of all else in both."""

import re
from pathlib import Path

import rowlift

WEB = Path(rowlift.__file__).parent / "web"
CHOSEN = re.compile(r':root\[data-theme(="\w+")?\] { color-scheme: (light|dark); }')
ASKS = re.compile(r"prefers-color-scheme|matchMedia|\[data-theme")
OURS = [one for one in WEB.rglob("*") if one.suffix in {".css", ".js", ".html"}]


def test_only_colours_differ_between_themes() -> None:
    """`light-dark()` is a colour by its definition; all else would have to ask for the theme."""
    texts = {
        one.name: CHOSEN.sub("", one.read_text(encoding="utf-8"))
        for one in OURS
        if "vendor" not in one.parts
    }
    assert "light-dark(" in texts["tokens.css"]
    assert [name for name, text in texts.items() if ASKS.search(text)] == []
