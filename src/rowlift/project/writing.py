"""Documents as YAML that our own reader reads back to the same values, fit for people to read."""

import io
import re
from collections.abc import Mapping
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.nodes import ScalarNode
from ruamel.yaml.representer import SafeRepresenter

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_./@+-]*( [A-Za-z0-9_./@+-]+)*", re.ASCII)
_WORDS = frozenset({"null", "true", "false", "yes", "no", "on", "off", "y", "n"})
_TEXT = "tag:yaml.org,2002:str"
_WIDEST = 10**6


class _Representer(SafeRepresenter):
    """Writes each text in the plainest style that keeps it."""

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def text(self, data: str) -> ScalarNode:
        node: ScalarNode = self.represent_scalar(_TEXT, data, style=_style(data))
        return node


_Representer.add_representer(str, _Representer.text)


def write_yaml(document: Mapping[str, Any]) -> str:
    """Return a document as YAML; its keys keep their order."""
    yaml = YAML(typ="safe", pure=True)
    yaml.Representer = _Representer
    yaml.default_flow_style = False
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    yaml.allow_unicode = True
    yaml.width = _WIDEST
    out = io.StringIO()
    yaml.dump(dict(document), out)
    return out.getvalue()


def _style(text: str) -> str | None:
    if _PLAIN.fullmatch(text) and text.lower() not in _WORDS:
        return None
    return "|" if _is_block(text) else '"'


def _is_block(text: str) -> bool:
    """Tell whether a text of several lines can stand as it is."""
    lines = text.removesuffix("\n").split("\n")
    return (
        len(lines) > 1
        and not text.startswith((" ", "\n"))
        and all(line.isprintable() and line.rstrip() == line for line in lines)
        and lines[-1] != ""
    )
