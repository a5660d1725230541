"""Prometheus metrics under TF-Serving's names, so that its dashboards and alerts work here too."""

import bisect
import threading
from collections.abc import Sequence

PROMETHEUS_PATH = "/monitoring/prometheus/metrics"
_MICROSECONDS = 1e6


class Counter:
    """A number that only grows, one per combination of label values."""

    def __init__(self, name: str, labels: Sequence[str] = ()) -> None:
        self.name = name
        self._labels = labels
        self._values: dict[tuple[str, ...], int] = {}
        self._lock = threading.Lock()

    def add(self, *labels: str, amount: int = 1) -> None:
        with self._lock:
            self._values[labels] = self._values.get(labels, 0) + amount

    def lines(self) -> list[str]:
        with self._lock:
            values = dict(self._values)
        return [f"# TYPE {self.name} counter"] + [
            f"{self.name}{{{_label_text(self._labels, labels)}}} {value}"
            for labels, value in values.items()
        ]


class Histogram:
    """Counts in buckets that grow by a factor: first, first * factor, ... and the rest."""

    def __init__(
        self, name: str, labels: Sequence[str], first: float, factor: float, buckets: int
    ) -> None:
        self.name = name
        self._labels = labels
        self._bounds = [first * factor**i for i in range(buckets - 1)]
        self._cells: dict[tuple[str, ...], tuple[list[int], list[float]]] = {}
        self._lock = threading.Lock()

    def add(self, value: float, *labels: str) -> None:
        with self._lock:
            counts, total = self._cells.setdefault(labels, ([0] * (len(self._bounds) + 1), [0.0]))
            counts[bisect.bisect_right(self._bounds, value)] += 1
            total[0] += value

    def lines(self) -> list[str]:
        with self._lock:
            cells = {
                labels: (list(counts), total[0]) for labels, (counts, total) in self._cells.items()
            }
        lines = [f"# TYPE {self.name} histogram"]
        limits = [f"{bound:.6g}" for bound in self._bounds] + ["+Inf"]
        for labels, (counts, total) in cells.items():
            text = _label_text(self._labels, labels)
            prefix = text + "," if text else ""
            running = 0
            for limit, count in zip(limits, counts, strict=True):
                running += count
                lines.append(f'{self.name}_bucket{{{prefix}le="{limit}"}} {running}')
            lines += [
                f"{self.name}_sum{{{text}}} {total:.10g}",
                f"{self.name}_count{{{text}}} {running}",
            ]
        return lines


class ServerMetrics:
    """The metrics of one server. Latencies are in microseconds, as TF-Serving counts them."""

    def __init__(self) -> None:
        latency = (10.0, 1.8, 33)
        self._requests = Counter(":tensorflow:serving:request_count", ("model_name", "status"))
        self._latency = Histogram(
            ":tensorflow:serving:request_latency", ("model_name", "API", "entrypoint"), *latency
        )
        self._runtime = Histogram(
            ":tensorflow:serving:runtime_latency", ("model_name", "API", "runtime"), *latency
        )
        self._examples = Counter(":tensorflow:serving:request_example_count_total", ("model",))
        self._example_sizes = Histogram(
            ":tensorflow:serving:request_example_counts", ("model",), 1, 2, 15
        )
        self._loads = Counter(
            ":tensorflow:cc:saved_model:load_attempt_count", ("model_path", "status")
        )
        self._load_latency = Counter(":tensorflow:cc:saved_model:load_latency", ("model_path",))
        self._warmup = Histogram(
            ":tensorflow:serving:model_warmup_latency", ("model_path", "status"), *latency
        )
        self._graph_runs = Counter(":tensorflow:core:graph_runs")
        self._graph_time = Counter(":tensorflow:core:graph_run_time_usecs")
        batching = ":tensorflow:serving:batching_session:"
        self._queueing = Histogram(
            batching + "queuing_latency", ("thread_pool_name",), 100, 1.2, 52
        )
        self._batches = Counter(batching + "wrapped_run_count")
        self._batch_sizes = Histogram(batching + "processed_batch_size", (), 1, 2, 15)
        self._padding = Histogram(batching + "padding_size", ("execution_batch_size",), 1, 2, 15)

    def request(self, model: str, api: str, entrypoint: str, status: str, seconds: float) -> None:
        """A finished request: `api` is "predict", ...; `entrypoint` is "GRPC" or "REST"."""
        self._requests.add(model, status)
        if status == "OK":
            self._latency.add(seconds * _MICROSECONDS, model, api, entrypoint)

    def run(self, model: str, api: str, seconds: float) -> None:
        """The model's part of a request, the wait for a batch included."""
        self._runtime.add(seconds * _MICROSECONDS, model, api, "TF1")
        self._graph_runs.add()
        self._graph_time.add(amount=round(seconds * _MICROSECONDS))

    def examples(self, model: str, count: int) -> None:
        self._examples.add(model, amount=count)
        self._example_sizes.add(count, model)

    def load(self, path: str, ok: bool, seconds: float) -> None:
        self._loads.add(path, "success" if ok else "fail")
        self._load_latency.add(path, amount=round(seconds * _MICROSECONDS))

    def warmup(self, path: str, status: str, seconds: float) -> None:
        self._warmup.add(seconds * _MICROSECONDS, path, status)

    def batch(self, pool: str, size: int, padding: int, waits: Sequence[float]) -> None:
        """A batch that ran: rows with padding, rows of padding, and seconds each task waited."""
        self._batches.add()
        self._batch_sizes.add(size)
        self._padding.add(padding, str(size))
        for wait in waits:
            self._queueing.add(wait * _MICROSECONDS, pool)

    def text(self) -> str:
        """All metrics in Prometheus's text format."""
        metrics = [
            metric for metric in vars(self).values() if isinstance(metric, Counter | Histogram)
        ]
        return "\n".join(line for metric in metrics for line in metric.lines()) + "\n"


def _label_text(names: Sequence[str], values: Sequence[str]) -> str:
    escaped = (
        value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") for value in values
    )
    return ",".join(f'{name}="{value}"' for name, value in zip(names, escaped, strict=True))
