"""Run as a program by ArrowChild: reads one query with connectorx, which panics where it fails."""

import sys

import connectorx

from rowlift.kit.arrowteller import asked, tell

BATCH_ROWS = 20_000


def main() -> int:
    """Answer the one request: url, before (statements run first) and sql."""
    request = asked()
    try:
        reader = connectorx.read_sql(
            request["url"],
            request["sql"],
            return_type="arrow_stream",
            protocol="binary",
            batch_size=BATCH_ROWS,
            pre_execution_query=request["before"],
        )
        tell(reader.schema, reader)
    except BaseException as error:  # noqa: BLE001 - a panic is not an Exception; the parent judges
        sys.stderr.write(f"\n{error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
