"""From what an operation answered to a page, or to JSON for who asks for it."""

from dataclasses import dataclass
from typing import Any

from fastapi import Request
from jinja2 import Environment, PackageLoader, StrictUndefined
from pydantic import TypeAdapter
from starlette.responses import HTMLResponse, Response

from rowlift.core.rights import Right
from rowlift.operations.callers import Caller
from rowlift.operations.differing import differences
from rowlift.operations.discretion import seen_by
from rowlift.operations.glance import About
from rowlift.web import problems
from rowlift.web.pages import runwords, words
from rowlift.web.pages.assets import address, icon
from rowlift.web.pages.charts import bars, days, sent_per_run
from rowlift.web.pages.forms import Wrong
from rowlift.web.pages.mends import here, stopped
from rowlift.web.rights import page_token, project_of

THEMES = ("system", "light", "dark")
THEME_COOKIE = "rowlift-theme"

# What a page says after a form, by the word in its address: nobody else's text gets in.
SAID = {
    "asked": "The run was asked for. It begins as soon as no other run is active.",
    "paused": "The sync is paused: nothing of it begins until you resume it.",
    "resumed": "The sync runs again, from its next slot on.",
    "unpinned": "What was undone may come back, with the next run that reads it.",
    "discarded": "The plan is forgotten. Nothing was changed or sent.",
    "cancelling": "The run was asked to end. It does within seconds; what is due stays due.",
    "retrying": "The rows that did not go are tried again, each in its newest version.",
    "mended": "The sync is changed. Run it when you like.",
    "forgotten": "What was sent is forgotten. The next run sends everything.",
    "sync-made": "The sync is made. Its first run comes with its schedule, or when you ask for it.",
    "started": "The sync is kept and its first run was asked for.",
    "kept": "The sync is kept. It begins with its schedule, or when it is run.",
    "edited": "The change is kept. It takes effect at the next run.",
    "restored": "The version is brought back. It takes effect at the next run.",
    "deleted": "The sync is deleted. What it imported stays.",
    "dropped": "The draft is dropped.",
    "suppressed": "The person is suppressed. Destinations that have them are told within seconds.",
    "unsuppressed": "The person is processed again, from the next run of each sync on.",
    "identified": "The identifiers are changed. What syncs remember under the old ones stays.",
    "parted": "They are two people again. What syncs have written since stays with this one.",
    "erased": "The person is erased. What the source still returns comes back with the next run.",
    "connected": "It is saved, and was tested: what was found is below.",
    "tested": "It was tested again: what was found is below.",
    "verified": "It was read back: what was found is below.",
    "unverified": "The verification was asked to end. It does within seconds, and keeps nothing.",
    "repaired": "What differs is due again. A plan of the sync shows it; its next run sends it.",
    "refreshed": "The tables were asked for anew.",
    "disconnected": "It is out of use. What it brought or took stays where it is.",
    "settings": "The settings are kept. They hold from the next run on.",
    "pruned": "What was older than the retention is forgotten.",
    "member": "The change is kept. Whom it is about signs in again.",
    "signed-out-there": "They are signed out everywhere.",
    "revoked": "It lets nobody in any more.",
    "channel-made": "The channel is made. Send a test to see whether it arrives.",
    "channel-edited": "The change is kept. Send a test to see whether it arrives.",
    "channel-tested": "The test was taken. Look whether it arrived.",
    "channel-removed": "The channel is out of use.",
    "signed-out": "You are signed out.",
    "made": "The first admin is made. Sign in to go on.",
}


@dataclass(frozen=True, slots=True)
class Frame:
    """What stands around every page: where one is, who one is, and how it looks."""

    about: About
    caller: Caller
    csrf: str
    path: str
    theme: str
    said: str
    is_first: bool

    @classmethod
    def of(cls, request: Request) -> "Frame":
        """Return the frame of a page that somebody asked for."""
        caller: Caller = request.state.caller
        return cls(
            project_of(request).glance.about(),
            caller,
            page_token(caller.session) if caller.session else "",
            request.url.path,
            theme_of(request),
            SAID.get(request.query_params.get("said", ""), ""),
            "cursor" not in request.query_params,
        )

    def may(self, right: str) -> bool:
        """Tell whether the reader has a right."""
        return Right(right) in self.caller.rights


def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader("rowlift.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals |= {"icon": icon, "asset": address, "days": days}
    made.globals |= {"bars": bars, "sent_per_run": sent_per_run}
    made.filters |= words.FILTERS | runwords.FILTERS
    made.filters |= {"here": here, "stopped": stopped, "differing": differences}
    made.tests |= words.TESTS
    return made


_TEMPLATES = _environment()


def show(
    request: Request, template: str, page: Any, status: int = 200, *, wrong: Wrong | None = None
) -> Response:
    """Answer with what an operation found: as a page, or as JSON where that is asked for.

    Where a form was `wrong` the page says so, and its fields keep what was typed.
    """
    page, wrong = seen_by(request.state.caller, (page, wrong))
    if wants_json(request):
        if wrong:
            return problems.answer(wrong.problem)
        told = TypeAdapter(type(page)).dump_json(page)
        return Response(told, status, media_type="application/json")
    html = text(template, page=page, frame=Frame.of(request), wrong=wrong)
    return HTMLResponse(html, wrong.problem.status if wrong else status)


def bare(request: Request, template: str, status: int = 200, **given: Any) -> Response:
    """Answer with a page that needs nobody to be signed in."""
    return HTMLResponse(text(template, theme=theme_of(request), **given), status)


def text(template: str, **given: Any) -> str:
    """Return a page's HTML."""
    return _TEMPLATES.get_template(template).render(**given)


def wants_json(request: Request) -> bool:
    """Tell whether JSON is asked for rather than a page."""
    accepted = request.headers.get("accept", "")
    return "application/json" in accepted and "text/html" not in accepted


def theme_of(request: Request) -> str:
    """Return how the reader wants pages to look."""
    theme = request.cookies.get(THEME_COOKIE, "")
    return theme if theme in THEMES else THEMES[0]
