"""The queries of a sync: one for its rows, and perhaps one that relates people and objects."""

from dataclasses import dataclass

from rowlift.core.specs import SyncSpec

RELATIONSHIPS = "relationships"


@dataclass(frozen=True, slots=True)
class Part:
    """One query of a sync; under its uid stand the image, the ledgers and the files of its rows.

    The name of the sync's own rows is empty.
    """

    name: str
    spec: SyncSpec
    uid: str

    @property
    def title(self) -> str:
        """Return what the part is called where people look on."""
        return f"{self.spec.name} {self.name}".strip()


def uids(sync_uid: str) -> dict[str, str]:
    """Return the uids of all the parts that a sync may have, by name."""
    return {"": sync_uid, RELATIONSHIPS: f"{sync_uid}.{RELATIONSHIPS}"}


def parts(spec: SyncSpec, sync_uid: str, first_rows: int | None = None) -> tuple[Part, ...]:
    """Return the parts of a sync in the order in which they are imported.

    Where `first_rows` are tried it is its own alone: whom others relate may not be there.
    """
    second = None if first_rows else spec.relating
    specs = {"": spec} | ({RELATIONSHIPS: second} if second else {})
    return tuple(Part(name, one, uids(sync_uid)[name]) for name, one in specs.items())
