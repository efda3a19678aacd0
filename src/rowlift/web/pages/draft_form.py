"""The form of a draft and the sync's document that it stands for, one way and the other.

What is default is left out, and keys that the form does not show stay as they are, so that a sync
made here reads like one that somebody wrote.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

WEEK = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DEFAULTS = {
    "description": "", "preset": "traits", "kind": "person", "object_type": "", "mode": "upsert",
    "removed": "keep", "empty_values": "ignore", "empty_strings": "keep", "suppressed": "skip",
    "second_identifier": "attach", "source": "", "sql": "", "identify_by": "", "fresh_within": "",
}  # fmt: skip
_PICKED = ("way", "table", "key")


class Fields(Protocol):
    """What a form sent: the last value of a name, or all of them."""

    def get(self, key: str, /) -> Any: ...
    def getlist(self, key: str) -> list[Any]: ...


def read(
    form: Fields, before: Mapping[str, Any], seen: Mapping[str, Any]
) -> tuple[str, dict[str, Any], dict[str, Any]]:
    """Return the name, the document and what the page remembers, as the form has them."""
    document = {key: value for key, value in before.items() if key not in _SHOWN}
    document |= {
        key: value
        for key, default in DEFAULTS.items()
        if (value := _text(form, key, before.get(key, default))) != default
    }
    if document.get("kind") != "object":
        document.pop("object_type", None)
    if "audience" in before:
        document["audience"] = _feed(form, _map(before["audience"]))
    elif not form.get("workspace"):
        document["workspace"] = "none"
    document |= dict(_parts(form, before))
    document.pop("guards", None)
    if guards := _guards(form, before):
        document["guards"] = guards
    view = {**seen, **{name: _text(form, name, seen.get(name, "")) for name in _PICKED}}
    if form.get("picking"):
        view["picked"] = [str(one) for one in form.getlist("pick")]
    return _text(form, "name", "").strip(), document, view


def _parts(form: Fields, before: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    if segment := _segment(form):
        yield "segment", segment
    if second := _second(form):
        yield "relationships", second
    yield "destinations", [*_uses(form, before.get("destinations", ()))]
    if (schedule := _schedule(form)) is not None:
        yield "schedule", schedule


def _guards(form: Fields, before: Mapping[str, Any]) -> dict[str, Any]:
    """Return the guards with the one for people whom nobody knows as the form has it."""
    guards = dict(_map(before.get("guards")))
    kept, value = guards.pop("unknown", ""), _text(form, "unknown", "")
    return guards | ({"unknown": kept if str(kept) == value else value} if value else {})


def _feed(form: Fields, before: Mapping[str, Any]) -> dict[str, Any]:
    """Return whose people are sent, with which attributes, and what the trait is called."""
    feed = {key: one for key, one in before.items() if key not in {"name", "attributes", "trait"}}
    feed["name"] = _text(form, "audience_name", "")
    typed = _text(form, "audience_attributes", "").splitlines()
    if attributes := [one.strip() for one in typed if one.strip()]:
        feed["attributes"] = attributes
    if trait := _text(form, "audience_trait", "").strip():
        feed["trait"] = trait
    return feed


def _segment(form: Fields) -> dict[str, Any] | None:
    way = form.get("segment")
    if way == "new":
        return {"name": _text(form, "segment_new", ""), "create": True}
    return {"name": _text(form, "segment_known", "")} if way == "known" else None


def _second(form: Fields) -> dict[str, Any] | None:
    sql = _text(form, "second_sql", "")
    if not sql.strip():
        return None
    second = {"sql": sql, "identify_by": _text(form, "second_identify_by", "id")}
    whose = _text(form, "second_replace_for", "")
    return second | ({"replace_for": whose} if whose else {})


def _uses(form: Fields, before: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    known = {str(one.get("use", "")): one for one in before}
    for name in map(str, form.getlist("to")):
        use: dict[str, Any] = {**known.get(name, {}), "use": name}
        for key in ("match", "mode", "removed"):
            use.pop(key, None)
            if value := _text(form, f"{key}:{name}", ""):
                use[key] = value
        columns = [str(one) for one in form.getlist(f"column:{name}")]
        yield use | _mapping(form, name, columns, use) if columns else use


def _mapping(
    form: Fields, name: str, columns: Sequence[str], use: dict[str, Any]
) -> dict[str, Any]:
    """Return which columns go, and their new names; those that nobody has seen stay as they are."""
    goes = {str(one) for one in form.getlist(f"goes:{name}")}
    told: dict[str, Any] = {}
    others = [one for one in use.pop("exclude", ()) if one not in columns]
    stay = [*others, *(one for one in columns if one not in goes)]
    if use.pop("only", None) and stay:
        told["only"] = [one for one in columns if one in goes]
    elif stay:
        told["exclude"] = stay
    fields = {old: new for old, new in use.pop("fields", {}).items() if old not in columns}
    for column in columns:
        new = _text(form, f"as:{name}:{column}", "").strip()
        if new and new != column and column in goes:
            fields[column] = new
    return told | ({"fields": fields} if fields else {})


def _schedule(form: Fields) -> Any:
    way, zone = form.get("when"), _text(form, "timezone", "")
    if way == "every":
        count, unit = _text(form, "every_count", ""), _text(form, "every_unit", "h")
        schedule: dict[str, Any] = {"every": f"{count}{unit}"}
    elif way == "at":
        days = [day for day in WEEK if day in form.getlist("day")]
        schedule = {"at": _text(form, "at", "")}
        schedule |= {"days": days} if 0 < len(days) < len(WEEK) else {}
    elif way == "cron":
        schedule = {"cron": _text(form, "cron", "")}
    else:
        return "off" if way == "off" else None
    start = _text(form, "start_at", "")
    schedule |= {"start_at": start} if start else {}
    needs_zone = zone not in {"", "UTC"} and (way != "every" or start)
    return schedule | ({"timezone": zone} if needs_zone else {})


def _text(form: Fields, name: str, default: Any) -> Any:
    value = form.get(name)
    return value.replace("\r\n", "\n") if isinstance(value, str) else default


_SHOWN = {
    *DEFAULTS,
    "audience",
    "workspace",
    "segment",
    "relationships",
    "destinations",
    "schedule",
    "sync",
}


def shown(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of the form for a document, whatever is wrong with that."""
    values = {key: document.get(key, default) for key, default in DEFAULTS.items()}
    segment, second = _map(document.get("segment")), _map(document.get("relationships"))
    uses = document.get("destinations")
    mappings = filter(_map, uses if isinstance(uses, list) else ())
    feed = document.get("audience")
    values |= {
        "audience": {"name": feed} if isinstance(feed, str) else _map(feed),
        "workspace": document.get("workspace", "write") != "none",
        "segment": "off" if not segment else "new" if segment.get("create") else "known",
        "segment_name": segment.get("name", ""),
        "unknown": str(_map(document.get("guards")).get("unknown", "")),
        "second": second,
        "uses": {str(one.get("use")): one for one in mappings},
    }
    return values | _shown_schedule(document.get("schedule"), values["preset"])


def _shown_schedule(written: Any, preset: Any) -> dict[str, Any]:
    schedule = _map(written)
    if written is None and preset == "traits":
        schedule = {"every": "12h"}
    way = next((one for one in ("every", "at", "cron") if one in schedule), "off")
    every, days = str(schedule.get("every", "12h")).strip(), schedule.get("days")
    return {
        "when": way, "every_count": every[:-1].strip(), "every_unit": every[-1:],
        "at": schedule.get("at", "08:00"), "days": days if isinstance(days, list) else WEEK,
        "cron": schedule.get("cron", "0 * * * *"), "start_at": schedule.get("start_at", ""),
        "timezone": schedule.get("timezone", "UTC"),
    }  # fmt: skip


def _map(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
