"""Every rule and reject by its stable code: what is wrong and how to mend it.

The reference page is generated from this table; a code that is not here cannot be raised.
"""

from rowlift.core.rules import (
    advice,
    columns,
    commands,
    destinations,
    files,
    http,
    messages,
    rows,
    runs,
    service,
    sources,
    sql,
    state,
    users,
)
from rowlift.core.rules.scopes import Rule, Scope

__all__ = ["RULES", "Rule", "Scope", "rule"]

_ALL = (
    *columns.RULES,
    *rows.RULES,
    *messages.RULES,
    *runs.RULES,
    *advice.RULES,
    *service.RULES,
    *sql.RULES,
    *sources.RULES,
    *destinations.RULES,
    *files.RULES,
    *state.RULES,
    *users.RULES,
    *http.RULES,
    *commands.RULES,
)
RULES = {rule.code: rule for rule in _ALL}


def rule(code: str) -> Rule:
    """Return the rule of a code; KeyError means a code was raised that nobody documented."""
    return RULES[code]
