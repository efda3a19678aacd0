"""Spans to an OpenTelemetry collector over OTLP and HTTP; needs the extra `traces`."""

import hashlib
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.trace import Span as OtelSpan
from opentelemetry.trace import Status, StatusCode

from rowlift.core import spans
from rowlift.core.errors import RowliftError
from rowlift.core.version import VERSION

_PATH = "/v1/traces"
_SECONDS = 5.0  # for one attempt of the exporter

_trace: ContextVar[str] = ContextVar("trace", default="")


@contextmanager
def exporting(url: str) -> Iterator[None]:
    """Send the spans of a block to a collector, such as http://127.0.0.1:4318.

    Headers and the like come from OpenTelemetry's own variables. A collector that is away costs
    its spans and nothing else.
    """
    logging.getLogger("opentelemetry").setLevel(logging.ERROR)  # it warns of every attempt
    exporter = OTLPSpanExporter(url.rstrip("/") + _PATH, timeout=_SECONDS)
    resource = Resource.create({"service.name": "rowlift", "service.version": VERSION})
    provider = TracerProvider(resource=resource, id_generator=_Ids(), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    spans.collect(_Exported(provider))
    try:
        yield
    finally:
        spans.collect(None)
        provider.shutdown()


class _Ids(RandomIdGenerator):
    """Gives the spans of one run the same trace, also in another process after a crash."""

    def generate_trace_id(self) -> int:
        if not (name := _trace.get()):
            return super().generate_trace_id()
        return int.from_bytes(hashlib.sha256(name.encode()).digest()[:16])


class _Exported:
    def __init__(self, provider: TracerProvider) -> None:
        self._tracer = provider.get_tracer("rowlift", VERSION)

    @contextmanager
    def span(self, name: str, trace: str, facts: dict[str, object]) -> Iterator[spans.Span]:
        token = _trace.set(trace or _trace.get())
        try:
            with self._tracer.start_as_current_span(
                name, attributes=_told(facts), record_exception=False, set_status_on_exception=False
            ) as begun:
                try:
                    yield _Noted(begun)
                except BaseException as error:
                    begun.set_status(Status(StatusCode.ERROR, _code(error)))
                    raise
        finally:
            _trace.reset(token)


class _Noted:
    def __init__(self, begun: OtelSpan) -> None:
        self._begun = begun

    def note(self, **facts: object) -> None:
        self._begun.set_attributes(_told(facts))


def _told(facts: Mapping[str, object]) -> dict[str, str | int | float]:
    return {
        f"rowlift.{name}": fact
        for name, fact in facts.items()
        if isinstance(fact, str | int | float)
    }


def _code(error: BaseException) -> str:
    """Return an error's name: its message may quote a row."""
    return error.code if isinstance(error, RowliftError) else type(error).__name__
