"""What became of a delivery: batch by batch as rows, and in one word."""

from collections import Counter
from typing import Any

import pyarrow as pa

from rowlift.core.nouns import Outcome, Outcomes, Status, Verdict
from rowlift.engine.deliver import Stopped
from rowlift.state.deliveries import BatchRecord

_OF_BATCHES = pa.schema(
    [("batch", pa.int32()), ("verdict", pa.string()), ("code", pa.string()),
     ("reason", pa.string())]
)  # fmt: skip
_OF_ROWS = pa.schema([("position", pa.int32()), *_OF_BATCHES])


def verdict_tables(known: dict[int, BatchRecord]) -> tuple[pa.Table, pa.Table]:
    """Return what is known of each batch, and of the rows that differ from their batch."""
    left = Outcomes(Outcome(Verdict.IN_DOUBT, "INTERRUPTED", "A killed process may have sent it."))
    batch_rows, odd_rows = [], []
    for number, record in known.items():
        outcomes = record.outcomes or left
        batch_rows.append({"batch": number, **_cells(outcomes.default)})
        odd_rows += [
            {"batch": number, "position": position, **_cells(outcome)}
            for position, outcome in outcomes.rows.items()
        ]
    return pa.Table.from_pylist(batch_rows, _OF_BATCHES), pa.Table.from_pylist(odd_rows, _OF_ROWS)


def _cells(outcome: Outcome) -> dict[str, str]:
    return {
        "verdict": outcome.verdict.value,
        "code": "" if outcome.verdict is Verdict.DELIVERED else outcome.code,
        "reason": outcome.reason,
    }


def verdict(counts: dict[str, Any], stopped: Stopped | None) -> tuple[Status, str, str]:
    """Return how a delivery ended, with code and reason."""
    if stopped and stopped.code == "SUPERSEDED":
        return Status.COMPLETED, stopped.code, stopped.reason
    if stopped and stopped.code in {"INTERRUPTED", "CANCELLED"}:
        return Status.CANCELLED, stopped.code, stopped.reason
    if stopped:
        return Status.FAILED, stopped.code, stopped.reason
    failed = Counter(counts["codes"])
    if counts["rejected"] or counts["pending"] or counts["in_doubt"]:
        code = next(iter(failed), "")
        if counts["pending"] + counts["in_doubt"] == counts["due"]:
            return Status.FAILED, code, "No row was delivered; all stay due."
        return Status.SOME_ROWS_FAILED, code, f"Rows not delivered: {sum(failed.values()):,}."
    return Status.COMPLETED, "", ""
