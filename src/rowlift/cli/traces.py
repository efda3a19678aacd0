"""Traces of what a command does, where the environment says to which collector they go."""

from collections.abc import Iterator
from contextlib import contextmanager

from rowlift.core.errors import ConfigError

TRACES = "ROWLIFT_TRACES_URL"


@contextmanager
def traced(url: str) -> Iterator[None]:
    """Send the spans of a block to a collector; without a URL nothing is imported or done.

    Raises ConfigError DRIVER_MISSING, and VALUE_WRONG for what is no address.
    """
    if not url:
        yield
        return
    if not url.startswith(("http://", "https://")):
        text = f"{TRACES} is not the address of a collector."
        raise ConfigError("VALUE_WRONG", text, mend="Write http://HOST:4318, or unset it.")
    try:
        from rowlift.kit.otel import exporting
    except ModuleNotFoundError as error:
        text = f"{TRACES} is set, and OpenTelemetry is not installed."
        mend = 'Run: pip install "rowlift[traces]"'
        raise ConfigError("DRIVER_MISSING", text, mend=mend) from error
    with exporting(url):
        yield
