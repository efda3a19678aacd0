"""A form from a connector's configuration class, and the document that a filled one stands for."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from rowlift.project.writing import write_yaml
from rowlift.project.yaml import parse

Control = Literal[
    "text", "number", "choice", "switch", "secret", "secret_text", "lines", "pairs", "secrets",
    "named_secrets", "yaml",
]  # fmt: skip
Filled = Mapping[str, str]

DROP = "~drop"  # behind the name of a control: leave that secret out
NAME = "~name"
NOTHING: Filled = {}
_MORE = 2  # empty rows for entries that are new

_LONG = frozenset({"private_key", "keyfile_json"})  # secrets of many lines
_TLS = ("ssl", "encrypt", "trust_server", "host_name_in")
_FINE = frozenset({
    "allow_networks", "allow_unsafe_user", "application_intent", "batch", "batch_rows",
    "connect_timeout", "endpoint", "fetch_rows", "gzip", "isolation", "labels",
    "maximum_bytes_billed", "memory_limit", "public_only", "reader", "requests_per_second",
    "statement_timeout", "storage_host", "storage_port", "threads", "tinyint1",
})  # fmt: skip
_WORDS = {
    "api": "API", "ca": "authority", "iam": "IAM", "id": "ID", "json": "JSON",
    "keyfile": "key file", "oauth": "OAuth", "ssh": "SSH", "ssl": "TLS",
    "sslcert": "TLS client certificate", "sslkey": "TLS client key", "sslmode": "TLS mode",
    "sslrootcert": "TLS authority",
    "tinyint1": "tinyint(1)", "url": "URL",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Entry:
    """One of several secrets of a field: what it is called, since when it is set, if it goes."""

    path: str
    name: str
    set_at: float | None = None
    is_typed: bool = False
    is_dropped: bool = False


@dataclass(frozen=True, slots=True)
class Field:
    """One control: what it is called, what stands in it, and what is wrong with it.

    Of a secret is known since when it is `set_at`, whether it was typed into this form and is kept
    for it, and whether it is to go; nothing else of it ever stands here.
    """

    path: str
    label: str
    help: str
    control: Control
    required: bool = False
    default: str = ""
    choices: Sequence[str] = ()
    low: str = ""
    high: str = ""
    value: str = ""
    set_at: float | None = None
    is_typed: bool = False
    is_dropped: bool = False
    entries: Sequence[Entry] = ()
    error: str = ""
    code: str = ""

    @property
    def key(self) -> str:
        """Return its key in the file."""
        return self.path.rpartition(".")[2]

    @property
    def is_touched(self) -> bool:
        """Tell whether anything stands in it that is not its default, or is wrong."""
        stands = self.value != self.default if self.control == "switch" else bool(self.value)
        several = [one.name or one.set_at or one.is_typed for one in self.entries]
        known = [self.set_at, self.is_typed, *several]
        return bool(stands or self.error or any(known))


@dataclass(frozen=True, slots=True)
class Section:
    """Fields that belong together; all but the first are folded away until one is used."""

    title: str
    help: str
    fields: Sequence[Field]

    @property
    def is_open(self) -> bool:
        """Tell whether there is something to see."""
        return any(one.is_touched for one in self.fields)


@dataclass(frozen=True, slots=True)
class Standing:
    """What stands in a form: a document, since when its secrets are set, and what is wrong.

    `wrong` holds message and code by path. Of a form that comes back `before` is the document that
    it was first made from, `filled` what it held, and its secrets that are kept.
    """

    document: Mapping[str, Any] = field(default_factory=dict)
    secrets: Mapping[str, float] = field(default_factory=dict)
    wrong: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    before: Mapping[str, Any] | None = None
    filled: Filled = field(default_factory=dict)

    @property
    def origin(self) -> Mapping[str, Any]:
        """Return the document whose secrets the form counts."""
        return self.document if self.before is None else self.before


def sections(config: type[BaseModel], stands: Standing) -> list[Section]:
    """Return the form of a configuration class, with what stands in it."""
    main: list[Field] = []
    tls: list[Field] = []
    fine: list[Field] = []
    nested: list[Section] = []
    for key, info in _fields(config):
        if model := _model(info.annotation):
            inner = stands.document.get(key) or {}
            told = [_field(f"{key}.{name}", one, inner, stands) for name, one in _fields(model)]
            nested.append(Section(_label(key), info.description or "", told))
            continue
        made = _field(key, info, stands.document, stands)
        is_tls = key.startswith(_TLS)
        (tls if is_tls else fine if key in _FINE and not made.required else main).append(made)
    found = [Section("", "", main)]
    if tls:
        found.append(Section("TLS", "How the connection is encrypted, and whom it trusts", tls))
    found += nested
    if fine:
        found.append(Section("Limits and details", "As they are they suit most", fine))
    return found


def document_of(
    config: type[BaseModel], filled: Filled, before: Mapping[str, Any]
) -> dict[str, Any]:
    """Return what a filled form says; an untouched secret stays what it was before."""
    document: dict[str, Any] = {}
    for key, info in _fields(config):
        old = before.get(key)
        if model := _model(info.annotation):
            inner = old if isinstance(old, Mapping) else {}
            told = {
                name: value
                for name, one in _fields(model)
                if (value := _read(f"{key}.{name}", one, filled, inner.get(name))) is not None
            }
            if told:
                document[key] = told
        elif (value := _read(key, info, filled, old)) is not None:
            document[key] = value
    return document


def typed_secrets(config: type[BaseModel], filled: Filled) -> dict[str, str]:
    """Return the secrets that were typed into a form, by the names of their controls."""
    return {path: filled[path] for path in _secrets(config, filled) if filled.get(path)}


def with_typed(filled: Filled, typed: Filled) -> Filled:
    """Return a filled form with secrets of before where it has none, and drops none either."""
    open_ = {one for one in typed if not filled.get(one) and not filled.get(one + DROP)}
    return {**filled, **{one: typed[one] for one in open_}}


def _secrets(config: type[BaseModel], filled: Filled) -> Iterator[str]:
    for key, info in _fields(config):
        model = _model(info.annotation)
        inner = [(f"{key}.{name}", one) for name, one in _fields(model)] if model else []
        for path, one in inner or [(key, info)]:
            control = _control(path.rpartition(".")[2], one)
            if control in {"secret", "secret_text"}:
                yield path
            elif control in {"secrets", "named_secrets"}:
                held = (name.removeprefix(f"{path}.") for name in filled if name.startswith(path))
                yield from (f"{path}.{at}" for at in held if at.isdecimal())


# the fields of a class


def _fields(config: type[BaseModel]) -> Iterator[tuple[str, FieldInfo]]:
    for name, info in config.model_fields.items():
        yield info.alias or name, info


def _field(path: str, info: FieldInfo, holder: Mapping[str, Any], stands: Standing) -> Field:
    key = path.rpartition(".")[2]
    control, value = _control(key, info), holder.get(key)
    default = _written(info.default, control) if not info.is_required() else ""
    low, high = _range(info)
    error, code = stands.wrong.get(path, ("", ""))
    is_set = stands.secrets.get(path) if _is_secret(control) else None
    return Field(
        path, _label(key), info.description or "", control,
        required=info.is_required(), default=default, choices=_choices(info.annotation),
        low=low, high=high, value=_shown(value, control, default),
        set_at=is_set, is_typed=bool(stands.filled.get(path)) and _is_secret(control),
        is_dropped=path + DROP in stands.filled, entries=_entries(path, control, stands),
        error=error, code=code,
    )  # fmt: skip


def _control(key: str, info: FieldInfo) -> Control:
    one = _plain(info.annotation)
    origin, args = get_origin(one), get_args(one)
    if one is SecretStr:
        return "secret_text" if key in _LONG else "secret"
    if one is bool:
        return "switch"
    if origin is Literal:
        return "choice"
    if one in {int, float}:
        return "number"
    if isinstance(origin, type) and issubclass(origin, Mapping):
        held = _plain(args[1])
        return "named_secrets" if held is SecretStr else "yaml" if _model(held) else "pairs"
    if isinstance(origin, type) and issubclass(origin, Sequence):
        return "secrets" if _plain(args[0]) is SecretStr else "lines"
    return "text"


def _plain(annotation: Any) -> Any:
    """Return an annotation without Annotated and without None around it."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return _plain(get_args(annotation)[0])
    if origin in {Union, UnionType}:
        return _plain(next(one for one in get_args(annotation) if one is not type(None)))
    return annotation


def _model(annotation: Any) -> type[BaseModel] | None:
    one = _plain(annotation)
    return one if isinstance(one, type) and issubclass(one, BaseModel) else None


def _choices(annotation: Any) -> Sequence[str]:
    one = _plain(annotation)
    return [str(each) for each in get_args(one)] if get_origin(one) is Literal else ()


def _range(info: FieldInfo) -> tuple[str, str]:
    low = high = ""
    for one in info.metadata:
        low = _first(one, "ge", "gt") or low
        high = _first(one, "le", "lt") or high
    return low, high


def _first(limit: object, *names: str) -> str:
    found = [getattr(limit, name, None) for name in names]
    return next((str(one) for one in found if one is not None), "")


def _label(key: str) -> str:
    words = " ".join(_WORDS.get(one, one) for one in key.split("_"))
    return words[:1].upper() + words[1:]


# what stands in them


def _written(value: Any, control: Control) -> str:
    """Return a default as a form shows it; that of a secret is never told."""
    if value is None or control in {"secret", "secret_text"}:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float | str | Path) else ""


def _shown(value: Any, control: Control, default: str) -> str:
    if control in {"secret", "secret_text", "secrets", "named_secrets"}:
        return ""
    if value is None:
        return default if control == "switch" else ""
    if control == "lines" and isinstance(value, Sequence) and not isinstance(value, str):
        return "\n".join(map(str, value))
    if control == "pairs" and isinstance(value, Mapping):
        return "\n".join(f"{name}: {one}" for name, one in value.items())
    if control == "yaml" and isinstance(value, Mapping):
        return write_yaml(value)
    return _written(value, control) or str(value)


def _is_secret(control: Control) -> bool:
    return control in {"secret", "secret_text"}


def _entries(path: str, control: Control, stands: Standing) -> Sequence[Entry]:
    """Return the entries that there were, each at its place though it goes, and some new ones."""
    if control not in {"secrets", "named_secrets"}:
        return ()
    *holders, key = path.split(".")
    holder: Any = stands.origin
    for one in holders:
        holder = holder.get(one) or {}
    value, filled = holder.get(key) or (), stands.filled
    value = () if isinstance(value, str) else value
    known = [str(name) for name in value] if isinstance(value, Mapping) else range(len(value))
    named = control == "named_secrets"
    found = []
    for at in range(len(known) + _MORE):
        each, name = f"{path}.{at}", str(known[at]) if at < len(known) else ""
        found.append(
            Entry(
                each,
                (filled.get(each + NAME) or name) if named else "",
                stands.secrets.get(f"{path}.{name}") if name else None,
                bool(filled.get(each)),
                each + DROP in filled,
            )
        )
    return found


# what was filled in


def _read(path: str, info: FieldInfo, filled: Filled, old: Any) -> Any:
    """Return the value of a control, None where the file would leave it out."""
    control = _control(path.rpartition(".")[2], info)
    if control in {"secret", "secret_text"}:
        typed = filled.get(path, "").replace("\r\n", "\n")
        return typed or (None if filled.get(path + DROP) else old) or None
    if control in {"secrets", "named_secrets"}:
        return _several(control, _kept(path, filled, old))
    if control == "switch":
        on = path in filled
        return on if on != info.default or old is not None else None
    text = filled.get(path, "").replace("\r\n", "\n").strip()
    return _meant(control, text, path) if text else None


def _meant(control: Control, text: str, path: str) -> Any:
    if control == "number":
        return _number(text)
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    if control == "lines":
        return lines
    if control == "pairs":
        return {
            name.strip(): one.strip() for name, _, one in (line.partition(":") for line in lines)
        }
    return parse(text, path, private=True).value if control == "yaml" else text


def _several(control: Control, kept: Iterator[tuple[str, Any]]) -> Any:
    found = list(kept)
    if control == "secrets":
        return [one for _, one in found] or None
    return {name: one for name, one in found if name} or None


def _kept(path: str, filled: Filled, old: Any) -> Iterator[tuple[str, Any]]:
    """Yield name and secret of each entry: a new one, or what it was."""
    before = list(old.items()) if isinstance(old, Mapping) else [("", one) for one in old or ()]
    for at in range(len(before) + _MORE):
        each = f"{path}.{at}"
        known, was = before[at] if at < len(before) else ("", None)
        if filled.get(each + DROP):
            continue
        name = filled.get(each + NAME, "").strip() or known
        if isinstance(old, Mapping):  # one before it may have been left out meanwhile
            was = old.get(name)
        if value := filled.get(each, "") or was:
            yield name, value


def _number(text: str) -> int | float | str:
    for read in (int, float):
        try:
            return read(text)
        except ValueError:
            continue
    return text
