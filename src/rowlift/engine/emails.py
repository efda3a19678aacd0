"""Validity and case folding of e-mail addresses over whole columns.

One pattern settles nearly all of them in SQL. The distinct others, the odd ones, go through Python
once and are joined back.
"""

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.parquet as pq

from rowlift.core.identifiers import PLAIN_EMAIL, PLAIN_EMAIL_LENGTH, email_key, email_valid
from rowlift.engine.canon import Staged, key_sql
from rowlift.engine.duck import Duck, parquet
from rowlift.engine.duck import text as literal

MAX_EMAIL = 320  # longer than any address the RFCs allow: not worth a look

_PLAIN = f"""email_is_plain(x) AS
    length(x) <= {PLAIN_EMAIL_LENGTH} AND regexp_full_match(x, {literal(PLAIN_EMAIL)})"""
_ODD = """
SELECT {address} AS address FROM {staged}
WHERE length({address}) <= {longest} AND NOT email_is_plain({address})
"""
_LOOKED_AT = pa.schema([("address", pa.string()), ("folded", pa.string()), ("valid", pa.bool_())])


def look_at(duck: Duck, columns: Sequence[Staged], staged: str) -> bool:
    """Create the view `odd_email` of the addresses in some columns; tell whether there are any."""
    if not columns:
        return False
    duck.prepare([_PLAIN])
    each = [
        _ODD.format(address=key_sql(column), staged=staged, longest=MAX_EMAIL) for column in columns
    ]
    path = duck.scratch_file("emails")
    with pq.ParquetWriter(path, _LOOKED_AT) as out:
        for batch in duck.reader(f"SELECT DISTINCT address FROM ({' UNION ALL '.join(each)})"):
            out.write_batch(_looked_at(batch.column(0).to_pylist()))
    duck.run(f"CREATE OR REPLACE TEMP VIEW odd_email AS SELECT * FROM {parquet([path])}")
    return duck.count("odd_email") > 0


def folded_sql(column: Staged, *, odd: bool) -> tuple[str, str]:
    """Return the expression of the case-folded address and the join it needs."""
    address = key_sql(column)
    other = "odd_email.folded" if odd else "NULL"
    folded = (
        f"CASE WHEN strlen({address}) = length({address}) THEN lower({address})"
        f" ELSE coalesce({other}, {address}) END"
    )
    return folded, f"LEFT JOIN odd_email ON odd_email.address = {address}" if odd else ""


def wrong_sql(address: str, *, odd: bool) -> str:
    """Return the predicate of addresses that are not valid."""
    wrong = f"length({address}) > {MAX_EMAIL}"
    if odd:
        wrong += f" OR {address} IN (SELECT address FROM odd_email WHERE NOT valid)"
    return wrong


def _looked_at(addresses: Sequence[str]) -> pa.RecordBatch:
    folded = pa.array(list(map(email_key, addresses)), pa.string())
    valid = pa.array(list(map(email_valid, addresses)), pa.bool_())
    given = pa.array(addresses, pa.string())
    return pa.RecordBatch.from_arrays([given, folded, valid], schema=_LOOKED_AT)
