"""Style sheets, scripts, fonts and icons: under addresses that change with what they hold."""

import hashlib
import re
from functools import cache
from http import HTTPStatus
from pathlib import Path

from markupsafe import Markup
from starlette.datastructures import QueryParams
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

FOLDER = Path(__file__).parent.parent / "static"

_IMPORTED = re.compile(rb'(?<= from ")\./(?P<file>[\w-]+\.js)(?=";)')
_FOREVER = "public, max-age=31536000, immutable"
_A_DAY = "public, max-age=86400"
_ASK_AGAIN = "no-cache"


class Assets(StaticFiles):
    """Serves the files; browsers keep for good what is asked for under the name of its content."""

    def __init__(self) -> None:
        super().__init__(directory=FOLDER)

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Return a file and how long it may be kept."""
        answer = await super().get_response(path, scope)
        is_named = QueryParams(scope["query_string"]).get("v") == _digest(path)
        is_font = path.endswith(".woff2")  # the style sheet names them plainly
        kept = _FOREVER if is_named else _A_DAY if is_font else _ASK_AGAIN
        if _is_ours(path) and answer.status_code == HTTPStatus.OK:
            answer = Response(_content(path), media_type="text/javascript")
        answer.headers["Cache-Control"] = kept
        return answer


def address(path: str) -> str:
    """Return the address of a file as it is now."""
    return f"/static/{path}?v={_digest(path)}"


@cache
def icon(name: str, style: str = "") -> Markup:
    """Return an icon that stands in the text of a page; nothing is read out for it."""
    drawing = (FOLDER / "vendor" / "lucide" / f"{name}.svg").read_text(encoding="utf-8")
    inner = drawing[drawing.index(">", drawing.index("<svg")) + 1 : drawing.index("</svg>")]
    return Markup(
        '<svg class="icon {}" viewBox="0 0 24 24" aria-hidden="true" focusable="false">{}</svg>'
    ).format(style, Markup("".join(inner.split("\n"))))  # noqa: S704 - our own file


@cache
def _digest(path: str) -> str:
    file = (FOLDER / path).resolve()
    if not (file.is_relative_to(FOLDER) and file.is_file()):
        return ""
    return hashlib.sha256(_content(path)).hexdigest()[:12]


def _is_ours(path: str) -> bool:
    return path.endswith(".js") and "/" not in path


@cache
def _content(path: str) -> bytes:
    """Return a file as it is served: our scripts import others by the names of their content."""
    content = (FOLDER / path).read_bytes()
    if not _is_ours(path):
        return content
    return _IMPORTED.sub(lambda found: b"./" + _named(found["file"].decode()), content)


def _named(path: str) -> bytes:
    return f"{path}?v={_digest(path)}".encode()
