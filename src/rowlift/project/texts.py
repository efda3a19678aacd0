"""The text of one file of a project: small, regular and UTF-8."""

from pathlib import Path

from rowlift.core.errors import Place
from rowlift.project.problems import Problem

MAX_BYTES = 1_000_000


def read_text(path: Path, name: str) -> str:
    """Return the text of a file; raises Problem if it is missing, too large or not UTF-8."""
    place = Place(name)
    try:
        if not path.is_file():
            what = "is not a file" if path.exists() else "does not exist"
            raise Problem("FILE_MISSING", f"{name} {what}.", place=place)
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        reason = error.strerror or "it cannot be opened"
        raise Problem("FILE_UNREADABLE", f"{name} cannot be read: {reason}.", place=place) from None
    if len(content) > MAX_BYTES:
        raise Problem(
            "FILE_UNREADABLE",
            f"{name} is larger than 1 MB.",
            place=place,
            mend="Only text written by people belongs here.",
        )
    return _decode(content, name)


def _decode(content: bytes, name: str) -> str:
    try:
        text = content.decode("utf-8-sig")
        _refuse_zeros(content)
    except UnicodeDecodeError as error:
        before = content[: error.start].decode("utf-8-sig", "replace")
        line = before.count("\n") + 1
        column = len(before) - before.rfind("\n")
        raise Problem(
            "FILE_UNREADABLE",
            f"{name} is not UTF-8 text.",
            place=Place(name, line, column),
            mend="Save it as UTF-8 in your editor.",
        ) from None
    return text


def _refuse_zeros(content: bytes) -> None:
    """A zero byte is UTF-16 without its mark, mostly; in text it means nothing."""
    zero = content.find(b"\0")
    if zero >= 0:
        raise UnicodeDecodeError("utf-8", content, zero, zero + 1, "a zero byte")
