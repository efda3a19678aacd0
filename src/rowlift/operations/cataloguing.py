"""What a source has to select from, remembered so that completion need not ask for every key."""

from hashlib import sha256

from rowlift.core.clock import Clock
from rowlift.core.specs import OWN, ConnectionSpec
from rowlift.operations.home import Home, source_config
from rowlift.state.catalogues import Catalogue, CatalogueFiles

KEPT_FOR = 86_400  # seconds


def catalogue(home: Home, clock: Clock, name: str, *, refresh: bool) -> Catalogue:
    """Return a source's catalogue, a day old at most, as this connection shows it.

    One without tables is not kept: it may be that grants are missing. Raises ConfigError
    NAME_UNKNOWN and SourceError.
    """
    if name == OWN.name:  # its segments come and go
        with home.source(name) as source:
            return Catalogue(clock.now().timestamp(), tuple(source.catalog()))
    connection = _fingerprint(home, home.declared(name))
    kept = None if refresh else _kept(home, clock, name, connection)
    if kept:
        return kept
    with home.source(name) as source:
        found = Catalogue(clock.now().timestamp(), tuple(source.catalog()))
    if found.tables:
        CatalogueFiles(home.store.files.root).keep(home.sources.get(name, name), connection, found)
    return found


def remembered(home: Home, clock: Clock, name: str) -> Catalogue | None:
    """Return a source's catalogue if it is known already; the source is not asked."""
    if name == OWN.name:
        return None
    return _kept(home, clock, name, _fingerprint(home, home.declared(name)))


def _kept(home: Home, clock: Clock, name: str, connection: str) -> Catalogue | None:
    kept = CatalogueFiles(home.store.files.root).load(home.sources.get(name, name), connection)
    now = clock.now().timestamp()
    return kept if kept and now - KEPT_FOR <= kept.as_of <= now else None


def _fingerprint(home: Home, declared: ConnectionSpec) -> str:
    """Return what tells two connections apart by everything but their secrets."""
    settings = source_config(home.project.root, declared, home.env).model_dump_json()
    return sha256(f"{declared.type} {settings}".encode()).hexdigest()
