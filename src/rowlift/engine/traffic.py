"""What a destination would get, reckoned from a few encoded rows and from its limits."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median_low
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from rowlift.core.estimates import Cadence, Traffic
from rowlift.core.nouns import Limits, Op
from rowlift.core.ports import Destination, Rows

_MESSAGE_ID = "0" * 32
_DAY = 86_400


@dataclass(frozen=True, slots=True)
class Load:
    """How many messages there are, and how many bytes of them and requests, as far as is known."""

    messages: int
    bytes: int | None
    calls: int | None


def sampled(
    destination: Destination, rows: Sequence[tuple[str, Mapping[str, Any]]], timestamp: str
) -> float | None:
    """Return the bytes of a message, the mean of some keys and attributes; None without any."""
    if not rows:
        return None
    texts = [json.dumps(attributes, ensure_ascii=False) for _, attributes in rows]
    count = len(rows)
    encoded = destination.encode(
        Rows(
            pa.array([key for key, _ in rows], pa.string()),
            pa.array([Op.UPSERT.value] * count, pa.string()),
            pa.array([_MESSAGE_ID] * count, pa.string()),
            pa.array(texts, pa.string()),
            timestamp,
        )
    )
    return float(pc.mean(pc.binary_length(encoded)).as_py())


def load(messages: int, size: float | None, limits: Limits) -> Load:
    """Return what so many messages of a size are, in requests as large as the limits allow."""
    if size is None:
        return Load(messages, None, None) if messages else Load(0, 0, 0)
    fitting = int((limits.batch_bytes - limits.envelope_bytes) // (size + 1))
    calls = math.ceil(messages / max(1, min(limits.batch_rows, fitting)))
    return Load(messages, round(messages * size), calls)


def traffic(
    name: str,
    whole: Load,
    usual: Sequence[int],
    limits: Limits,
    cadence: Cadence | None,
) -> Traffic:
    """Return what a destination gets of a run that sends everything, and of a day as usual."""
    rate = limits.requests_per_second
    sends = median_low(usual) if usual else None
    a_day = None
    if cadence and whole.calls is not None:
        runs = cadence.runs_a_day * (1 - (cadence.skipped or 0))
        share = 1.0 if sends is None else sends / max(1, whole.messages)
        each = math.ceil(whole.calls * share)
        a_day = math.ceil(runs * each)
    return Traffic(
        name,
        whole.messages,
        whole.calls,
        whole.bytes,
        seconds=whole.calls / rate if rate and whole.calls is not None else None,
        usual=sends,
        calls_a_day=a_day,
        quota=a_day / (rate * _DAY) if rate and a_day is not None else None,
    )


def large_told(told: Traffic) -> str:
    """Say what is about to be sent."""
    size = (told.bytes or 0) / 1_000_000
    text = f"{told.messages:,} messages in {told.calls:,} calls, {size:,.0f} MB"
    minutes = (told.seconds or 0) / 60
    return f"{text}; at least {minutes:,.0f} min at its rate limit." if minutes else f"{text}."
