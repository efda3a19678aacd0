"""The figures as Prometheus reads them."""

import threading
import time
from collections.abc import Iterator
from itertools import accumulate

from fastapi import APIRouter, Request, Response
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector, CollectorRegistry

from rowlift.core.rights import Right
from rowlift.operations.metering import METRICS, Figures
from rowlift.operations.project import Project
from rowlift.web.ingest.calls import REFUSED
from rowlift.web.rights import Ours, door

KEPT_SECONDS = 5.0
_REFUSED = "rowlift_message_requests_refused_total"
_FAMILIES = {"counter": CounterMetricFamily, "gauge": GaugeMetricFamily}


class Exposition(Response):
    """Prometheus's text format."""

    media_type = "text/plain; version=0.0.4"


class Board:
    """Looks at the figures once in some seconds, however many ask."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._text = b""
        self._until = float("-inf")

    def text(self, project: Project) -> bytes:
        """Return the figures as they were within the last seconds."""
        with self._lock:
            if time.monotonic() > self._until:
                self._text = rendered(project.watch.figures())
                self._until = time.monotonic() + KEPT_SECONDS
            return self._text


router = APIRouter(tags=["service"])


@router.get("/metrics", response_class=Exposition, **door("watch.figures", Right.METRICS))
def metrics(request: Request, project: Ours) -> Exposition:
    """Tell the figures of the service in Prometheus's format; also at /metrics."""
    return Exposition(request.app.state.board.text(project))


def rendered(found: Figures) -> bytes:
    """Return figures as text."""
    registry = CollectorRegistry()
    registry.register(_Told(found))
    return generate_latest(registry)


class _Told(Collector):
    def __init__(self, found: Figures) -> None:
        self._found = found

    def collect(self) -> Iterator[Metric]:
        refused = {(_REFUSED, (code,)): float(count) for code, count in REFUSED.items()}
        values = dict(self._found.values) | refused
        for name, known in METRICS.items():
            if known.kind == "histogram":
                yield self._histogram(name)
                continue
            family = _FAMILIES[known.kind](name, known.about, labels=known.labels)
            for (of, labels), value in values.items():
                if of == name:
                    family.add_metric(labels, value)
            yield family

    def _histogram(self, name: str) -> Metric:
        family = HistogramMetricFamily(name, METRICS[name].about, labels=METRICS[name].labels)
        for one in self._found.durations:
            bounds = [bound for bound, _ in one.buckets]
            below = list(accumulate(count for _, count in one.buckets))
            family.add_metric(one.labels, list(zip(bounds, below, strict=True)), one.seconds)
        return family
