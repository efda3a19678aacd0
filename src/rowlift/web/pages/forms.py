"""Forms of our own pages: each brings the token that other pages cannot read."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from secrets import token_urlsafe
from typing import Annotated, Self

from fastapi import Depends, Form, Query, Request
from starlette.datastructures import FormData
from starlette.responses import RedirectResponse

from rowlift.core.digits import IN_64_BITS, number_of
from rowlift.core.errors import ConfigError, RowliftError
from rowlift.operations.draft_desk import Sending
from rowlift.web.problems import Problem, problem

FIELD = "csrf"
SEE_OTHER = 303

Text = Annotated[str, Form(max_length=1000)]
Names = Annotated[str, Form(max_length=1_000_000)]
Failed = Annotated[bool, Query()]
NO = False
Way = Annotated[str, Form(max_length=2000)]

MOST_FIELDS = 5000
LONGEST_WINDOW = 40  # characters of its name
_FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")


@dataclass(frozen=True, slots=True)
class Wrong:
    """What is wrong about a form, at which of its fields, and what was typed into all of them."""

    problem: Problem
    at: str = ""
    typed: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, error: RowliftError, at: str = "", **typed: str) -> Self:
        """Return what an operation raised, at a field of its form."""
        return cls(problem(error), at, typed)


async def sent_by_ours(request: Request) -> None:
    """Let the token of a form count as the header that scripts send."""
    if request.method == "POST" and request.headers.get("content-type", "").startswith(_FORMS):
        sent = (await request.form(max_fields=MOST_FIELDS)).get(FIELD)
        request.state.csrf = sent if isinstance(sent, str) else ""


async def _filled(request: Request) -> Mapping[str, str]:
    sent = await request.form()
    return {name: value for name, value in sent.items() if isinstance(value, str)}


Filled = Annotated[Mapping[str, str], Depends(_filled)]
"""Everything that a form holds, where its fields are known at run time only."""


def onward(path: str) -> RedirectResponse:
    """Lead the browser to the page after a form."""
    return RedirectResponse(path, SEE_OTHER)


def version_in(text: str) -> int:
    """Return the version that a form holds; none is 0, which no definition has."""
    return number_of(text) or 0


def shown_anew() -> Sending:
    """Return a window that nothing was sent from yet."""
    return Sending(token_urlsafe(9))


def sent_in(form: FormData) -> Sending:
    """Return which window sent a form, and when that was written where a script says so."""
    window = str(form.get("window", ""))[:LONGEST_WINDOW]
    return Sending(window, number_of(str(form.get("written_at", "")), IN_64_BITS) or 0)


def names(text: str, file: bytes = b"") -> list[str]:
    """Return who is named in a text and a file, one in each line; raises ConfigError."""
    try:
        read = file.decode("utf-8-sig")
    except UnicodeDecodeError:
        read = "\0"
    if "\0" in read:
        mend = "Save it as plain text, one id or address in each line."
        raise ConfigError("FILE_UNREADABLE", "The file is no UTF-8 text.", mend=mend)
    found = [line.strip() for line in f"{text}\n{read}".splitlines() if line.strip()]
    if not found:
        mend = "Write an id or an e-mail address in each line."
        raise ConfigError("VALUE_WRONG", "Nobody is named.", mend=mend)
    return found


def confirm(typed: str, name: str) -> None:
    """Raise ConfigError VALUE_WRONG unless somebody typed the name of what is to go for good."""
    if typed.strip() != name:
        text = f"This is not “{name}”, so nothing was done."
        raise ConfigError("VALUE_WRONG", text, mend="Type it exactly as it is shown.")
