"""Texts that are data and nothing else, however they look."""

HOSTILE_TEXTS = (
    "plain",
    'quote " and \\ backslash \\" both',
    "line\nbreak\r\ttab \x00 nul \x1f \x7f",
    "ümläut é é Ω",
    "emoji 😀👩‍👩‍👧 \U0010ffff",
    "\u2028\u2029\ufeff zero\u200bwidth \u202ertl",
    "</script><b>{{x}}${y}%s",
    "=cmd|' /C calc'!A0",
    "a,b;c\td|e",
    "'; DROP TABLE people; --",
    " lead and trail ",
    "{",
    "}",
)
