"""Rules of alerts as written, resolved: what a sync says goes before what the project says."""

from collections.abc import Mapping
from typing import Any

from rowlift.core.specs import AlertSpec
from rowlift.project.units import threshold


def rules_of(project: Mapping[str, Any], sync: Mapping[str, Any]) -> AlertSpec:
    """Return the rules that hold for one sync; both are as the files' models wrote them."""
    rules = {**project, **sync}
    if "to" in rules:
        rules["to"] = tuple(rules["to"])
    if "rows_failed" in rules:
        rules["rows_failed"] = threshold(rules["rows_failed"])
    if rules.get("slower") == "off":
        rules["slower"] = None
    if "count_off" in rules:
        share = threshold(rules["count_off"])
        rules["count_off"] = share and share.percent
    return AlertSpec(**rules)
