"""Each deployment as written for an export; every file is checked by what refuses a typo."""

import json
import re
import shutil
from collections.abc import Callable
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, Literal

import jsonschema
import kubernetes_validate
import promql_parser
import pytest
import yaml
from click.testing import CliRunner
from google.protobuf import text_format
from pydantic import BaseModel, ConfigDict, Field

from cnnlg_tf.cli import main
from cnnlg_tf.errors import ArtefactError, ServingError
from cnnlg_tf.export.manifest import MANIFEST_VERSION, sha256
from cnnlg_tf.export.signatures import SIGNATURES
from cnnlg_tf.serving.deployment import TEMPLATES, saved_model_versions, write_deployment

KUBERNETES = "1.34"


class Strict(BaseModel):
    """Knows the keys that the templates use, and no others."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Kustomization(Strict):
    class Labels(Strict):
        pairs: dict[str, str]

    class ConfigMap(Strict):
        name: str
        files: list[str]

    apiVersion: Literal["kustomize.config.k8s.io/v1beta1"]
    kind: Literal["Kustomization"]
    labels: list[Labels]
    resources: list[str]
    configMapGenerator: list[ConfigMap]


class InferenceService(Strict):
    class Spec(Strict):
        class Predictor(Strict):
            class Model(Strict):
                class Format(Strict):
                    name: Literal["tensorflow"]

                modelFormat: Format
                protocolVersion: Literal["v1"]
                runtimeVersion: str
                storageUri: str = Field(pattern="^pvc://")
                resources: dict[str, dict[str, str]]

            minReplicas: int
            maxReplicas: int
            timeout: int
            model: Model

        predictor: Predictor

    apiVersion: Literal["serving.kserve.io/v1beta1"]
    kind: Literal["InferenceService"]
    metadata: dict[Literal["name"], str]
    spec: Spec


class Prometheus(Strict):
    class Global(Strict):
        scrape_interval: str = Field(pattern=r"^\d+s$")
        evaluation_interval: str = Field(pattern=r"^\d+s$")

    class Job(Strict):
        class Targets(Strict):
            targets: list[str]

        job_name: str
        metrics_path: Literal["/monitoring/prometheus/metrics"]
        fallback_scrape_protocol: Literal["PrometheusText0.0.4"]
        static_configs: list[Targets]

    global_: Global = Field(alias="global")
    rule_files: list[str]
    scrape_configs: list[Job]


class Alerts(Strict):
    class Group(Strict):
        class Rule(Strict):
            alert: str = Field(pattern="^[A-Z][A-Za-z]+$")
            expr: str
            for_: str = Field(alias="for", pattern=r"^\d+m$")
            labels: dict[Literal["severity"], Literal["critical", "warning"]]
            annotations: dict[Literal["summary"], str]

        name: str
        rules: list[Rule]

    groups: list[Group]


class DataSources(Strict):
    class Source(Strict):
        name: str
        uid: str
        type: Literal["prometheus"]
        access: Literal["proxy"]
        url: Literal["http://prometheus:9090"]
        isDefault: bool

    apiVersion: Literal[1]
    datasources: list[Source]


class Dashboards(Strict):
    class Provider(Strict):
        name: str
        type: Literal["file"]
        allowUiUpdates: bool
        options: dict[Literal["path"], str]

    apiVersion: Literal[1]
    providers: list[Provider]


class DataSource(Strict):
    type: Literal["prometheus"]
    uid: str


class Dashboard(Strict):
    class Panel(Strict):
        class Place(Strict):
            x: int = Field(ge=0, le=23)
            y: int = Field(ge=0)
            w: int = Field(ge=1, le=24)
            h: int = Field(ge=1)

        class Query(Strict):
            datasource: DataSource
            expr: str
            legendFormat: str
            refId: str = Field(pattern="^[A-F]$")

        class Fields(Strict):
            class Defaults(Strict):
                unit: Literal["reqps", "percentunit", "µs", "short", "bool_yes_no"]
                min: int

            defaults: Defaults
            overrides: list[Any] = Field(max_length=0)

        id: int
        type: Literal["timeseries", "stat"]
        title: str
        description: str
        datasource: DataSource
        gridPos: Place
        fieldConfig: Fields
        options: dict[str, Any]
        targets: list[Query] = Field(min_length=1)

    class Variables(Strict):
        class Variable(Strict):
            name: str
            label: str
            type: Literal["query"]
            datasource: DataSource
            query: str = Field(pattern=r"^label_values\(.+, \w+\)$")
            refresh: Literal[2]
            sort: Literal[1]
            current: dict[Literal["text", "value"], str]

        list: list[Variable]

    uid: str = Field(max_length=40)
    title: str
    tags: list[str]
    schemaVersion: int
    version: int
    editable: bool
    timezone: Literal["browser"]
    refresh: str
    time: dict[Literal["from", "to"], str]
    templating: Variables
    annotations: dict[Literal["list"], list[Any]]
    panels: list[Panel]


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


@cache
def compose_schema() -> Any:
    schemas = resources.files("check_jsonschema") / "builtin_schemas/vendor"
    schema = json.loads((schemas / "compose-spec.json").read_text())
    return jsonschema.validators.validator_for(schema)(schema)


def check_flags(arguments: list[str], folder: Path) -> None:
    """The server takes these flags, and the files that they name are there."""
    from cnnlg_tf.serving.flags import parse_flags
    from cnnlg_tf.serving.options import ServerOptions

    parse_flags(ServerOptions, arguments)
    files = [value for _, _, value in (text.partition("=") for text in arguments) if "/" in value]
    assert files and all((folder / value.removeprefix("/")).is_file() for value in files)


def check_promql(expression: str) -> None:
    """It parses, and asks for metrics that the server has."""
    from cnnlg_tf.serving.metrics import ServerMetrics

    text = expression.replace("$__rate_interval", "1m")
    promql_parser.parse(text)
    known = {metric.name for metric in vars(ServerMetrics()).values() if hasattr(metric, "name")}
    asked = re.findall(r":tensorflow:[\w:]+", text)
    unknown = {name.removesuffix("_bucket") for name in asked} - known
    assert not unknown, f"unknown metrics: {unknown}"


def check_configs(folder: Path, name: str) -> None:
    """config/: read as the official message, and as the server reads it."""
    from tensorflow_serving.config import model_server_config_pb2

    from cnnlg_tf.serving.batching import BatchingOptions
    from cnnlg_tf.serving.config_files import BatchingParameters, MonitoringConfig

    models = model_server_config_pb2.ModelServerConfig()
    text_format.Parse((folder / "models.config").read_text(), models)
    (model,) = models.model_config_list.config
    assert (model.name, model.base_path) == (name, f"/models/{name}")
    assert model.model_version_policy.latest.num_versions == 1
    batching = text_format.Parse(
        (folder / "batching_parameters.txt").read_text(), BatchingParameters()
    )
    assert BatchingOptions.from_proto(batching).allowed_batch_sizes[-1] == 8
    monitoring = text_format.Parse(
        (folder / "monitoring.config").read_text(), MonitoringConfig()
    ).prometheus_config
    assert (monitoring.enable, monitoring.path) == (True, "/monitoring/prometheus/metrics")


def check_compose(folder: Path, name: str) -> None:
    check_configs(folder / "config", name)
    for file in ("compose.yaml", "compose.gpu.yaml", "compose.batching.yaml"):
        compose = load(folder / file)
        compose_schema().validate(compose)
        serving = compose["services"]["serving"]
        if "command" in serving:
            check_flags(serving["command"], folder)
        for mount in serving.get("volumes", []):
            assert (folder / mount.split(":")[0]).is_dir(), mount
    services = load(folder / "compose.yaml")["services"]
    assert f"/v1/models/{name}/metadata" in services["serving"]["healthcheck"]["test"][-1]

    prometheus = Prometheus.model_validate(load(folder / "prometheus/prometheus.yml"))
    (job,) = prometheus.scrape_configs
    host, port = job.static_configs[0].targets[0].split(":")
    assert host in services and f"{port}:{port}" in services[host]["ports"]
    for file in prometheus.rule_files:
        for group in Alerts.model_validate(load(folder / "prometheus" / file)).groups:
            for rule in group.rules:
                check_promql(rule.expr)

    grafana = folder / "grafana"
    provisioning = grafana / "provisioning"
    (source,) = DataSources.model_validate(
        load(provisioning / "datasources/datasource.yaml")
    ).datasources
    (provider,) = Dashboards.model_validate(
        load(provisioning / "dashboards/dashboards.yaml")
    ).providers
    mounts = [mount.split(":")[1] for mount in services["grafana"]["volumes"]]
    assert provider.options["path"] in mounts
    assert "/etc/grafana/provisioning" in mounts
    check_dashboard(grafana / "dashboards/serving.json", source.uid, name)


def check_dashboard(path: Path, source: str, name: str) -> None:
    board = Dashboard.model_validate_json(path.read_text())
    assert board.templating.list[0].current["value"] == name
    check_promql(board.templating.list[0].query[len("label_values(") :].split(",")[0])
    assert len({panel.id for panel in board.panels}) == len(board.panels)
    taken: set[tuple[int, int]] = set()
    for panel in board.panels:
        place = panel.gridPos
        cells = {(place.x + i, place.y + j) for i in range(place.w) for j in range(place.h)}
        assert place.x + place.w <= 24 and not cells & taken, panel.title
        taken |= cells
        for query in panel.targets:
            assert panel.datasource.uid == query.datasource.uid == source
            check_promql(query.expr)


def check_storage(folder: Path, name: str) -> None:
    pvc, loader = load(folder / "pvc.yaml"), load(folder / "loader.yaml")
    for manifest in (pvc, loader):
        kubernetes_validate.validate(manifest, KUBERNETES, strict=True)
    assert pvc["metadata"]["name"] == f"{name}-models" == claim(loader["spec"])
    assert all(path.name.isdigit() for path in (folder / "models" / name).iterdir())


def claim(pod: Any) -> Any:
    return pod["volumes"][0]["persistentVolumeClaim"]["claimName"]


def check_kubernetes(folder: Path, name: str) -> None:
    check_configs(folder / "config", name)
    check_storage(folder, name)
    kustomization = Kustomization.model_validate(load(folder / "kustomization.yaml"))
    manifests = {
        manifest["kind"]: manifest
        for manifest in map(load, map(folder.joinpath, kustomization.resources))
    }
    for manifest in manifests.values():
        kubernetes_validate.validate(manifest, KUBERNETES, strict=True)
    deployment = manifests["Deployment"]
    check_deployment(deployment, folder, name)
    for file in ("gpu-patch.yaml", "batching-patch.yaml"):
        patched = patch(json.loads(json.dumps(deployment)), load(folder / file))
        assert patched != deployment
        kubernetes_validate.validate(patched, KUBERNETES, strict=True)
        check_deployment(patched, folder, name)
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert manifests["Service"]["spec"]["selector"] == labels
    assert manifests["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"] == labels
    assert manifests["HorizontalPodAutoscaler"]["spec"]["scaleTargetRef"] == {
        "apiVersion": deployment["apiVersion"],
        "kind": "Deployment",
        "name": deployment["metadata"]["name"],
    }
    ports = {port["name"] for port in container(deployment)["ports"]}
    assert {port["targetPort"] for port in manifests["Service"]["spec"]["ports"]} == ports
    (config,) = kustomization.configMapGenerator
    assert all((folder / file).is_file() for file in config.files)
    assert deployment["spec"]["template"]["spec"]["volumes"][1]["configMap"]["name"] == config.name


def container(deployment: Any) -> Any:
    return deployment["spec"]["template"]["spec"]["containers"][0]


def check_deployment(deployment: Any, folder: Path, name: str) -> None:
    pod, server = deployment["spec"]["template"]["spec"], container(deployment)
    check_flags(server["args"], folder)
    assert claim(pod) == f"{name}-models"
    assert deployment["spec"]["selector"]["matchLabels"].items() <= (
        deployment["spec"]["template"]["metadata"]["labels"].items()
    )
    volumes = {volume["name"] for volume in pod["volumes"]}
    assert {mount["name"] for mount in server["volumeMounts"]} == volumes
    ports = {port["name"] for port in server["ports"]}
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        (handler,) = (
            server[probe][kind] for kind in ("httpGet", "tcpSocket") if kind in server[probe]
        )
        assert handler["port"] in ports
        assert handler.get("path", f"/v1/models/{name}/metadata") == f"/v1/models/{name}/metadata"


def patch(tree: Any, operations: Any) -> Any:
    """JSON Patch: the operations `add` and `replace`."""
    for operation in operations:
        assert operation.keys() == {"op", "path", "value"}
        *parents, last = (
            part.replace("~1", "/") for part in operation["path"].strip("/").split("/")
        )
        node = tree
        for part in parents:
            node = node[int(part) if isinstance(node, list) else part]
        if last == "-":
            node.append(operation["value"])
        else:
            assert (last in node) == (operation["op"] == "replace")
            node[last] = operation["value"]
    return tree


def check_kserve(folder: Path, name: str) -> None:
    check_storage(folder, name)
    service = InferenceService.model_validate(load(folder / "inferenceservice.yaml"))
    assert service.metadata["name"] == name
    model = service.spec.predictor.model
    assert model.storageUri == f"pvc://{name}-models/{name}"
    pod = {"containers": [{"name": "model", "resources": model.resources}]}
    manifest = {"apiVersion": "v1", "kind": "Pod", "metadata": service.metadata, "spec": pod}
    kubernetes_validate.validate(manifest, KUBERNETES, strict=True)


def check_triton(folder: Path, name: str) -> None:
    from tritonclient.grpc.model_config_pb2 import ModelConfig

    config = ModelConfig()
    text_format.Parse((folder / name / "config.pbtxt").read_text(), config)
    assert config.name == name
    assert (folder / name / "1" / config.default_model_filename).is_file()
    assert (
        config.backend
        == {".onnx": "onnxruntime", ".plan": "tensorrt"}[Path(config.default_model_filename).suffix]
    )
    for tensors, names in ((config.input, "image mask"), (config.output, "repaired uncertainty")):
        assert [tensor.name for tensor in tensors] == names.split()
        assert {tensor.data_type for tensor in tensors} == {11}  # TYPE_FP32
        assert all(list(tensor.dims[:2]) == [-1, -1] for tensor in tensors)
    assert [tensor.dims[2] for tensor in (*config.input, *config.output)] == [3, 1, 3, 1]
    assert config.max_batch_size == 8
    assert config.HasField("dynamic_batching")


CHECKS: dict[str, Callable[[Path, str], None]] = {
    "compose": check_compose,
    "kubernetes": check_kubernetes,
    "kserve": check_kserve,
    "triton": check_triton,
}


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


@pytest.mark.parametrize(
    ("kind", "file"), [("onnx", "cnnlg.onnx"), ("tensorrt", "a.engine"), ("tensorrt", "b.plan")]
)
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
    refused(r"\[batch, ...\]'. Received: seed: int32 \[2\]", "onnx", "a.onnx", signatures=free)
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
