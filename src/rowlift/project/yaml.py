"""One YAML file, read into plain values; whatever could surprise is refused with its place.

Scalars follow the core schema of YAML 1.2 (section 10.3.2): `no` and `12:30:45` are texts. A number
that starts with 0, an alias, an anchor, a tag, a merge key or a repeated key is a problem.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from ruamel.yaml import YAML
from ruamel.yaml.error import StringMark, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from rowlift.core.errors import Place
from rowlift.project.documents import Document, KeyPath
from rowlift.project.problems import Problem, shown
from rowlift.project.texts import read_text

MAX_DEPTH = 30  # a level of conditions takes two, and a dozen of them are judged by the audience
MAX_DIGITS = 18

_NULL = re.compile(r"~|null|Null|NULL|")
_TRUE = re.compile(r"true|True|TRUE")
_FALSE = re.compile(r"false|False|FALSE")
_INT = re.compile(r"[-+]?[0-9]+")
_BASED = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]{1,2})?")
_LEADING_ZERO = re.compile(r"[-+]?0[0-9]+(\.[0-9]*)?([eE][-+]?[0-9]+)?")

_SYNTAX = (
    ("mapping values are not allowed", 'There is a second ": " here: put the value in quotes'),
    ("'\\t'", "A tab stands here: YAML is indented with spaces"),
    ("cannot start any token", "A value cannot start with this character: put it in quotes"),
    ("could not find expected ':'", 'A key without ":" stands before this place'),
    ("expected <block end>", "The indentation does not fit the lines above"),
    ("end of stream", "A quote is not closed"),
    ("expected ','", "A comma is missing, or a bracket is not closed"),
    ("unknown escape", "An unknown \\ sequence: use single quotes to keep \\ as it is"),
)


def read_document(path: Path, name: str, *, private: bool = False) -> Document:
    """Read a YAML file; what is wrong with it stands in the document's problems."""
    try:
        return parse(read_text(path, name), name, private=private)
    except Problem as problem:
        return Document(name, private, spoiled={()}, problems=[problem])


def parse(text: str, name: str, *, private: bool = False) -> Document:
    """Parse YAML text; what is wrong with it stands in the document's problems."""
    document = Document(name, private)
    try:
        builder = _Builder(document)
        for event in _events(text, name):
            builder.feed(event)
        if not document.places:
            _refuse("YAML_INVALID", "The file is empty: keys are expected.", Place(name, 1, 1))
    except Problem as problem:
        document.problems.append(problem)
        document.spoiled.add(())
    return document


def _events(text: str, name: str) -> Iterator[Event]:
    try:
        yield from YAML(typ="safe", pure=True).parse(text)
    except YAMLError as error:
        _refuse("YAML_INVALID", _in_our_words(error), _place_of(error, text, name))
    except (ArithmeticError, AssertionError, ValueError):
        # ruamel.yaml lets these out of broken escapes and version directives.
        _refuse("YAML_INVALID", "The YAML cannot be read.", Place(name, 1, 1))


def _in_our_words(error: YAMLError) -> str:
    problem = str(getattr(error, "problem", "")) + str(getattr(error, "reason", ""))
    for part, words in _SYNTAX:
        if part in problem:
            return f"{words}."
    if "special characters" in problem:
        return "A control character stands here: remove it."
    return "The YAML cannot be read here."


def _place_of(error: YAMLError, text: str, name: str) -> Place:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    if isinstance(mark, StringMark):
        return Place(name, mark.line + 1, mark.column + 1)
    before = text[: getattr(error, "position", 0)]
    return Place(name, before.count("\n") + 1, len(before) - before.rfind("\n"))


def _refuse(code: str, message: str, place: Place, mend: str = "") -> NoReturn:
    raise Problem(code, message, place=place, mend=mend)


@dataclass(slots=True)
class _Frame:
    """A mapping or list being filled; `key` is the mapping's key that waits for its value."""

    holder: dict[str, Any] | list[Any]
    path: KeyPath
    key: str | None = None


class _Builder:
    """Builds plain values from events, without recursion and without following aliases."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.frames: list[_Frame] = []
        self.started = False

    def feed(self, event: Event) -> None:
        match event:
            case DocumentStartEvent():
                self._start(event)
            case MappingEndEvent() | SequenceEndEvent():
                self.frames.pop()
            case ScalarEvent() if self._awaits_key():
                self._key(event)
            case ScalarEvent():
                self._store(self._scalar(event), event)
            case AliasEvent():
                self._alias(event)
            case MappingStartEvent():
                self._open({}, event)
            case SequenceStartEvent():
                self._open([], event)

    def _start(self, event: DocumentStartEvent) -> None:
        if self.started:
            text = "A second document starts here: keep one document per file."
            _refuse("YAML_FORBIDDEN", text, self._place(event), "Remove the --- line.")
        if event.version or event.tags:
            text = "Lines that start with % are not allowed."
            _refuse("YAML_FORBIDDEN", text, self._place(event), "Remove the line.")
        self.started = True

    def _awaits_key(self) -> bool:
        frame = self.frames[-1] if self.frames else None
        return frame is not None and isinstance(frame.holder, dict) and frame.key is None

    def _key(self, event: ScalarEvent) -> None:
        frame, place = self.frames[-1], self._place(event)
        self._check_marks(event, place)
        key = _paired(str(event.value))
        if event.style is None and key == "<<":
            self._forbid('The merge key "<<" is not allowed.', place, "Write the keys out.")
            self.document.spoiled.add((*frame.path, key))
        if not key or not _is_text(key):
            self._forbid("A key is empty or not text.", place, "Write a name before the colon.")
        path = (*frame.path, key)
        if path in self.document.keys:
            line = self.document.keys[path].line
            text = f"The key {shown(key)} stands here twice, first in line {line}."
            self._forbid(text, place, "Remove one of the two.")
        self.document.keys[path] = place
        frame.key = key

    def _open(self, holder: dict[str, Any] | list[Any], event: Event) -> None:
        place = self._place(event)
        if self._awaits_key():
            text = "A key must be plain text: put a value that starts with { or [ in quotes."
            _refuse("YAML_FORBIDDEN", text, place, "Write: key: 'value'")
        if len(self.frames) >= MAX_DEPTH:
            _refuse("YAML_FORBIDDEN", "The values are nested too deep.", place, "Write it flatter.")
        self._check_marks(event, place)
        path = self._store(holder, event)
        self.frames.append(_Frame(holder, path))

    def _alias(self, event: AliasEvent) -> None:
        if self._awaits_key():
            _refuse("YAML_FORBIDDEN", "Aliases (*name) are not allowed.", self._place(event))
        self._store(None, event)
        self._forbid("Aliases (*name) are not allowed.", self._place(event), "Write the value out.")

    def _store(self, value: object, event: Event) -> KeyPath:
        if not self.frames:
            return self._store_root(value, event)
        frame = self.frames[-1]
        if isinstance(frame.holder, list):
            path: KeyPath = (*frame.path, len(frame.holder))
            frame.holder.append(value)
        else:
            key, frame.key = frame.key or "", None
            path = (*frame.path, key)
            frame.holder[key] = value
        self.document.places[path] = self._place(event)
        if value is None:
            self.document.spoiled.add(path)
        return path

    def _store_root(self, value: object, event: Event) -> KeyPath:
        place = self._place(event)
        if not isinstance(value, dict):
            text = 'The file must hold keys, each on a line of its own such as "name: value".'
            _refuse("YAML_INVALID", text, place)
        else:
            self.document.value = value
            self.document.places[()] = place
        return ()

    def _scalar(self, event: ScalarEvent) -> object:
        place = self._place(event)
        self._check_marks(event, place)
        text = _paired(str(event.value))
        if not _is_text(text):
            self._wrong("This text holds half a character (a lone surrogate).", place)
            return None
        if event.tag is not None:
            return None
        if event.style is not None:
            return text
        if _NULL.fullmatch(text):
            if not self.frames:
                return None
            mend = "Give it a value, write '' or [] for an empty one, or remove the line."
            self._wrong("There is no value here.", self._key_place(place), mend)
            return None
        return self._plain(text, place)

    def _plain(self, text: str, place: Place) -> object:
        if _TRUE.fullmatch(text) or _FALSE.fullmatch(text):
            return bool(_TRUE.fullmatch(text))
        if _LEADING_ZERO.fullmatch(text):
            mend = "Write it without the zero, or in quotes if it is text."
            self._wrong("A number cannot start with 0.", place, mend)
            return None
        if len(text) > MAX_DIGITS and _FLOAT.fullmatch(text):
            mend = "Put it in quotes if it is text."
            self._wrong("A number has too many digits.", place, mend)
            return None
        if _INT.fullmatch(text):
            return int(text)
        if _BASED.fullmatch(text) and len(text) <= MAX_DIGITS:
            return int(text, 0)
        return float(text) if _FLOAT.fullmatch(text) else text

    def _check_marks(self, event: Event, place: Place) -> None:
        if getattr(event, "anchor", None):
            self._forbid("Anchors (&name) are not allowed.", place, "Remove the & and its name.")
        if getattr(event, "tag", None):
            self._forbid("Tags (!name) are not allowed.", place, "Remove the ! and its name.")

    def _key_place(self, place: Place) -> Place:
        """An empty value has the place of whatever follows it: its key is the better one."""
        frame = self.frames[-1] if self.frames else None
        if frame is None or frame.key is None:
            return place
        return self.document.keys[(*frame.path, frame.key)]

    def _place(self, event: Event) -> Place:
        mark = event.start_mark
        return Place(self.document.path, mark.line + 1, mark.column + 1)

    def _forbid(self, message: str, place: Place, mend: str) -> None:
        self.document.problems.append(Problem("YAML_FORBIDDEN", message, place=place, mend=mend))

    def _wrong(self, message: str, place: Place, mend: str = "") -> None:
        self.document.problems.append(Problem("VALUE_WRONG", message, place=place, mend=mend))


def _paired(text: str) -> str:
    """Join the two halves in which JSON writes a character beyond U+FFFF."""
    if _is_text(text):
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")


def _is_text(text: str) -> bool:
    return not any("\ud800" <= letter <= "\udfff" for letter in text)
