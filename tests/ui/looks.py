"""What must hold of every page: no rule of accessibility broken in either theme, at any width."""

from collections.abc import Sequence

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Page

WIDTHS = (390, 820, 1440)
HEIGHT = 880
RULES = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    "resultTypes": ["violations"],
}
# A theme is colours alone, as tests/unit/test_themes.py sees: the other rules hold in both or none.
COLOURS = {
    "runOnly": {"type": "rule", "values": ["color-contrast", "link-in-text-block"]},
    "resultTypes": ["violations"],
}
THEMES = {"light": RULES, "dark": COLOURS}
IS_THERE = "typeof axe === 'object'"
BREACHES = """rules => axe.run(rules).then(
    found => found.violations.map(one => [one.id, one.nodes[0].html]))"""
WIDTH = "document.documentElement.scrollWidth"

Wrong = tuple[str, ...]


def broken(page: Page, state: str = "") -> list[Wrong]:
    """Return the rules that a page breaks: its address or state, theme, rule, first element."""
    if not page.evaluate(IS_THERE):
        page.evaluate(AXE_SCRIPT)
    wrong: list[Wrong] = []
    for theme, rules in THEMES.items():
        page.emulate_media(color_scheme=theme)
        found = page.evaluate(BREACHES, rules)
        wrong += [(state or page.url, theme, *one) for one in found]
    return wrong


def too_wide(page: Page, state: str = "", widths: Sequence[int] = WIDTHS) -> list[Wrong]:
    """Return the widths of a window that a page is wider than, and leave the window as it was."""
    before, wrong = page.viewport_size, []
    for width in widths:
        page.set_viewport_size({"width": width, "height": HEIGHT})
        if (wide := page.evaluate(WIDTH)) > width:
            wrong.append((state or page.url, f"{wide} of {width} pixels"))
    assert before
    page.set_viewport_size(before)
    return wrong
