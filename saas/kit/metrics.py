"""Figures of this process in the text format of Prometheus. Nothing is counted for them: they are read when asked."""

from collections.abc import Callable, Iterator, Mapping

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4


class Metrics:
    """One for each process; every series carries the process's id, since each process of a machine has its own."""

    def __init__(self, process: str) -> None:
        self._process = process
        self._registry = CollectorRegistry(auto_describe=False)

    def gauge(self, name: str, help_text: str, read: Callable[[], float]) -> None:
        self._registry.register(_Reader(lambda: self._gauge(name, help_text, read())))

    def counters(self, name: str, help_text: str, label: str, read: Callable[[], Mapping[str, float]]) -> None:
        """One series for each value of `label`; `read` gives numbers that never fall."""
        self._registry.register(_Reader(lambda: self._counter(name, help_text, label, read())))

    def text(self) -> bytes:
        return generate_latest(self._registry)

    def _gauge(self, name: str, help_text: str, value: float) -> Metric:
        family = GaugeMetricFamily(name, help_text, labels=["process"])
        family.add_metric([self._process], value)
        return family

    def _counter(self, name: str, help_text: str, label: str, values: Mapping[str, float]) -> Metric:
        family = CounterMetricFamily(name, help_text, labels=["process", label])
        for value, count in sorted(values.items()):
            family.add_metric([self._process, value], count)
        return family


class _Reader:
    def __init__(self, read: Callable[[], Metric]) -> None:
        self._read = read

    def collect(self) -> Iterator[Metric]:
        yield self._read()
