"""What counts of a state, as text that can be compared."""

import sqlalchemy as sa


def everything(url: str) -> dict[str, list[str]]:
    """Return every row but the ends of leases and the files that nobody published."""
    engine = sa.create_engine(url)
    found = sa.MetaData()
    found.reflect(engine)
    try:
        with engine.connect() as connection:
            return {
                name: sorted(repr(tuple(row)) for row in connection.execute(_query(table)))
                for name, table in found.tables.items()
            }
    finally:
        engine.dispose()


def _query(table: sa.Table) -> sa.Select[tuple[object, ...]]:
    query = sa.select(*(column for column in table.c if column.name != "lease_until"))
    return query.where(table.c.state != "writing") if table.name == "files" else query
