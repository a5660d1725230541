"""Prometheus's text format and TF-Serving's names."""

from cnnlg_tf.serving.server.metrics import Counter, Histogram, ServerMetrics


def test_a_counter() -> None:
    counter = Counter("runs", ("model", "status"))
    counter.add("a", "OK")
    counter.add("a", "OK", amount=2)
    counter.add('q"\\', "OK")
    assert counter.lines() == [
        "# TYPE runs counter",
        'runs{model="a",status="OK"} 3',
        'runs{model="q\\"\\\\",status="OK"} 1',
    ]


def test_a_histogram_counts_up_to_each_bound() -> None:
    histogram = Histogram("sizes", ("model",), 1, 2, 4)
    for value in (0.5, 1, 3, 100):
        histogram.add(value, "a")
    assert histogram.lines() == [
        "# TYPE sizes histogram",
        'sizes_bucket{model="a",le="1"} 1',
        'sizes_bucket{model="a",le="2"} 2',
        'sizes_bucket{model="a",le="4"} 3',
        'sizes_bucket{model="a",le="+Inf"} 4',
        'sizes_sum{model="a"} 104.5',
        'sizes_count{model="a"} 4',
    ]


def test_a_servers_metrics() -> None:
    metrics = ServerMetrics()
    metrics.request("m", "predict", "GRPC", "OK", 0.5)
    metrics.request("m", "predict", "GRPC", "NOT_FOUND", 0.1)
    metrics.run("m", "Predict", 0.25)
    metrics.examples("m", 3)
    metrics.load("/m/1", True, 1.0)
    metrics.load("/m/2", False, 1.0)
    metrics.warmup("/m/1", "OK", 0.1)
    metrics.batch("pool", 8, 3, [0.001, 0.002])
    lines = metrics.text().splitlines()
    for line in (
        ':tensorflow:serving:request_count{model_name="m",status="NOT_FOUND"} 1',
        ":tensorflow:serving:request_latency_sum"
        '{model_name="m",API="predict",entrypoint="GRPC"} 500000',
        ":tensorflow:serving:runtime_latency_sum"
        '{model_name="m",API="Predict",runtime="TF1"} 250000',
        ':tensorflow:serving:request_example_count_total{model="m"} 3',
        ':tensorflow:cc:saved_model:load_attempt_count{model_path="/m/2",status="fail"} 1',
        ':tensorflow:serving:model_warmup_latency_count{model_path="/m/1",status="OK"} 1',
        ":tensorflow:core:graph_runs{} 1",
        ":tensorflow:serving:batching_session:processed_batch_size_sum{} 8",
        ':tensorflow:serving:batching_session:queuing_latency_count{thread_pool_name="pool"} 2',
    ):
        assert line in lines
