"""Each deployment as written for an export; every file is checked by what refuses a typo."""

import json
import re
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from google.protobuf import text_format

from cnnlg_tf.cli import main
from cnnlg_tf.errors import ArtefactError, ServingError
from cnnlg_tf.export.manifest import MANIFEST_VERSION, sha256
from cnnlg_tf.export.signatures import SIGNATURES
from cnnlg_tf.serving.deploy.deployment import TEMPLATES, saved_model_versions, write_deployment
from tests.serving.deploy.deployed_checks import CHECKS, check_triton


@pytest.fixture
def export(tmp_path: Path) -> Path:
    """Two versions of what deploy takes for a SavedModel: it copies, and does not read it."""
    folder = tmp_path / "export"
    for version in ("1", "12"):
        (folder / version / "variables").mkdir(parents=True)
        (folder / version / "saved_model.pb").write_bytes(b"graph")
        (folder / version / "variables/variables.index").write_bytes(b"index")
    (folder / "manifest.json").write_text("{}")
    return folder


@pytest.fixture
def triton_export(tmp_path: Path) -> Callable[..., Path]:
    """triton_export("onnx", "net.onnx") writes an export that holds this file; **changes go into its manifest."""

    def make(kind: str, file: str, **changes: Any) -> Path:
        folder = tmp_path / kind
        folder.mkdir()
        (folder / file).write_bytes(b"network")
        manifest = {
            "manifest_version": MANIFEST_VERSION,
            "format": kind,
            "signatures": {"serving_default": SIGNATURES["serving_default"].describe()},
            "files": {file: {"bytes": 7, "sha256": sha256(folder / file)}},
            **changes,
        }
        (folder / "manifest.json").write_text(json.dumps(manifest))
        return folder

    return make


@pytest.mark.parametrize(("kind", "file"), [("onnx", "model.onnx"), ("tensorrt", "model.engine")])
def test_triton_repository(
    kind: str, file: str, triton_export: Callable[..., Path], tmp_path: Path
) -> None:
    out = tmp_path / "repository"
    write_deployment("triton", triton_export(kind, file), out, model_name="photos")
    check_triton(out, "photos")
    assert [path.name for path in out.iterdir()] == ["photos"]
    path = out / "photos/config.pbtxt"
    for right, wrong in TRITON_MUTATIONS:
        text = path.read_text()
        assert right in text
        path.write_text(text.replace(right, wrong))
        with pytest.raises((text_format.ParseError, AssertionError)):
            check_triton(out, "photos")
        path.write_text(text)


TRITON_MUTATIONS = [
    ("max_batch_size", "max_batchsize"),
    ("dynamic_batching", "dynamic_batch"),
    ("TYPE_FP32", "TYPE_FLOAT32"),
    ("-1, -1, 3", "-1, 3"),
    ('"mask"', '"hole"'),
    ('default_model_filename: "model.', 'default_model_filename: "module.'),
]


def test_exports_that_triton_does_not_run(
    triton_export: Callable[..., Path], tmp_path: Path
) -> None:
    def refused(match: str, *arguments: Any, **changes: Any) -> None:
        export = triton_export(*arguments, **changes)
        with pytest.raises(ArtefactError, match=match):
            write_deployment("triton", export, tmp_path / "out")
        shutil.rmtree(export)

    refused("onnx or tensorrt. Received: format 'litert'", "litert", "net.tflite")
    refused("Received: a TensorRT-RTX engine", "tensorrt", "net.engine", builder="rtx")
    free = {"serving_default": {"inputs": {"seed": "int32 [2]"}, "outputs": {}}}
    refused(r"\[batch, ...\]'. Received: seed: int32 \[2\]", "onnx", "model.onnx", signatures=free)
    altered = {"a.onnx": {"bytes": 7, "sha256": "0"}}
    refused("must have the sha256 0", "onnx", "a.onnx", files=altered)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["cnnlg", "old-photos"])
@pytest.mark.parametrize("target", sorted(set(CHECKS) - {"triton"}))
def test_every_file_is_valid(target: Any, name: str, export: Path, tmp_path: Path) -> None:
    out = tmp_path / "deployment"
    following = write_deployment(target, export, out, model_name=name)
    assert str(out) in following
    CHECKS[target](out, name)
    models = out / "models" / name
    assert sorted(path.name for path in models.iterdir()) == ["1", "12"]
    assert (models / "12/variables/variables.index").read_bytes() == b"index"
    if name != "cnnlg":
        texts = [path.read_text() for path in out.rglob("*") if path.suffix in (".yaml", ".json")]
        assert not any(re.search(r"\bcnnlg\b(?!-tf)", text) for text in texts)


MUTATIONS = [
    ("compose", "config/models.config", "base_path", "base_pathe"),
    ("compose", "config/models.config", "num_versions: 1", "num_versions: one"),
    ("compose", "config/batching_parameters.txt", "num_batch_threads", "batch_threads"),
    ("compose", "config/batching_parameters.txt", "sizes: 8", "sizes: 9"),
    ("compose", "config/monitoring.config", "enable", "enabled"),
    ("compose", "compose.yaml", "healthcheck:", "healtcheck:"),
    ("compose", "compose.yaml", "interval: 10s", "intervall: 10s"),
    ("compose", "compose.yaml", "--model_config_file", "--models_config_file"),
    ("compose", "compose.yaml", "./models:", "./model:"),
    ("compose", "compose.gpu.yaml", "reservations", "reservation"),
    ("compose", "compose.batching.yaml", "/batching_parameters.txt", "/batching.txt"),
    ("compose", "prometheus/prometheus.yml", "scrape_interval", "scrape_intervall"),
    ("compose", "prometheus/prometheus.yml", "serving:8501", "server:8501"),
    ("compose", "prometheus/alerts.yml", "[5m]", "[5x]"),
    ("compose", "prometheus/alerts.yml", "request_latency_bucket", "request_latencies_bucket"),
    ("compose", "prometheus/alerts.yml", "expr:", "expression:"),
    ("compose", "grafana/provisioning/datasources/datasource.yaml", "isDefault", "default"),
    ("compose", "grafana/provisioning/dashboards/dashboards.yaml", "/lib/grafana", "/lib/graphana"),
    ("compose", "grafana/dashboards/serving.json", "histogram_quantile(", "histogram_quantile"),
    ("compose", "grafana/dashboards/serving.json", '"gridPos"', '"gridpos"'),
    ("compose", "grafana/dashboards/serving.json", '"uid": "prometheus"', '"uid": "prometeus"'),
    ("compose", "grafana/dashboards/serving.json", '"y": 8', '"y": 4'),
    ("kubernetes", "kustomization.yaml", "hpa.yaml", "hpaa.yaml"),
    ("kubernetes", "kustomization.yaml", "configMapGenerator", "configMapGenerators"),
    ("kubernetes", "deployment.yaml", "containerPort: 8500", "containerPort: grpc"),
    ("kubernetes", "deployment.yaml", "readinessProbe", "readynessProbe"),
    ("kubernetes", "deployment.yaml", "port: rest", "port: http"),
    ("kubernetes", "deployment.yaml", "--rest_api_timeout_in_ms", "--rest_api_timeout_ms"),
    ("kubernetes", "deployment.yaml", "claimName: cnnlg-models", "claimName: models"),
    ("kubernetes", "service.yaml", "app: cnnlg", "app: cnnlgs"),
    ("kubernetes", "hpa.yaml", "averageUtilization", "averageUtilisation"),
    ("kubernetes", "pdb.yaml", "maxUnavailable", "maxUnavailible"),
    ("kubernetes", "gpu-patch.yaml", "containers/0/image", "containers/0/img"),
    ("kubernetes", "batching-patch.yaml", "--enable_batching", "--enable_batches"),
    ("kubernetes", "pvc.yaml", "accessModes", "accesModes"),
    ("kubernetes", "loader.yaml", "restartPolicy", "restartPolice"),
    ("kserve", "inferenceservice.yaml", "storageUri", "storageURI"),
    ("kserve", "inferenceservice.yaml", "requests", "request"),
    ("kserve", "inferenceservice.yaml", "pvc://cnnlg-models", "pvc://cnnlg-model"),
]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Any], Path]:
    """written("compose") is that deployment, found valid; tests put back what they change in it."""
    folder = tmp_path_factory.mktemp("written")
    (folder / "export").mkdir()
    (folder / "export/saved_model.pb").write_bytes(b"graph")

    @cache
    def write(target: Any) -> Path:
        write_deployment(target, folder / "export", folder / target)
        CHECKS[target](folder / target, "cnnlg")
        return folder / target

    return write


@pytest.mark.parametrize(("target", "file", "right", "wrong"), MUTATIONS)
def test_a_typo_fails(
    target: str, file: str, right: str, wrong: str, written: Callable[[str], Path]
) -> None:
    out = written(target)
    path = out / file
    text = path.read_text()
    assert right in text
    path.write_text(text.replace(right, wrong))
    try:
        with pytest.raises(Exception):  # noqa: B017 - each parser has an error of its own
            CHECKS[target](out, "cnnlg")
    finally:
        path.write_text(text)


def test_each_template_is_mutated() -> None:
    mutated = {Path(file).name for _, file, _, _ in MUTATIONS}
    templates = {path.name for path in TEMPLATES.rglob("*") if path.is_file()}
    assert mutated == {name for name in templates if not name.endswith(".pbtxt")}


def test_a_lone_saved_model_is_a_version(export: Path, tmp_path: Path) -> None:
    assert saved_model_versions(export / "12") == {12: export / "12"}
    lone = (export / "1").rename(tmp_path / "best")
    assert saved_model_versions(lone) == {1: lone}


def test_an_altered_saved_model_is_refused(export: Path, tmp_path: Path) -> None:
    files = {"saved_model.pb": {"bytes": 9, "sha256": "0"}}
    manifest = {"manifest_version": MANIFEST_VERSION, "format": "saved_model", "files": files}
    (export / "1/manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(ArtefactError, match="saved_model.pb must have 9 bytes"):
        write_deployment("kserve", export, tmp_path / "out")


def test_bad_arguments(export: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with pytest.raises(ArtefactError, match="must hold a SavedModel, like .*Received: none"):
        write_deployment("compose", tmp_path / "none", out)
    with pytest.raises(ServingError, match="one of .*'kserve'.* Received: 'swarm'"):
        write_deployment("swarm", export, out)  # type: ignore[arg-type]
    for name in ("Photos", "a_b", "a-", "", "a" * 41):
        with pytest.raises(ServingError, match=f"lower-case letters.* Received: '{name}'"):
            write_deployment("compose", export, out, model_name=name)
    with pytest.raises(ServingError, match="must be a new or empty folder. Received: "):
        write_deployment("compose", export, export)
    (tmp_path / "file").write_text("")
    with pytest.raises(ServingError, match="cannot be written: "):
        write_deployment("compose", export, tmp_path / "file/out")
    assert not out.exists()


def test_command(export: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    arguments = ["deploy", "--target", "compose", str(export), "-o", str(out)]
    result = CliRunner().invoke(main, [*arguments, "--model-name", "photos"])
    assert (result.exit_code, result.output) == (
        0,
        f"wrote {out}; next: cd {out} && docker compose up --detach --wait\n",
    )
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 1
    assert "Error: the output must be a new or empty folder" in result.output
