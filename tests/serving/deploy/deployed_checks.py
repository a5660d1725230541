"""What is checked of each deployment: formats, flags, metrics and files that are asked for."""

import json
import re
from collections.abc import Callable
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import promql_parser
import yaml
from google.protobuf import text_format

from tests.serving.deploy.deployed_files import (
    Alerts,
    Dashboard,
    Dashboards,
    DataSources,
    InferenceService,
    Kustomization,
    Prometheus,
)

KUBERNETES = "1.34"


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


@cache
def compose_schema() -> Any:
    schemas = resources.files("check_jsonschema") / "builtin_schemas/vendor"
    schema = json.loads((schemas / "compose-spec.json").read_text())
    return jsonschema.validators.validator_for(schema)(schema)


def check_flags(arguments: list[str], folder: Path) -> None:
    """The server takes these flags, and the files that they name are there."""
    from cnnlg_tf.serving.server.flags import parse_flags
    from cnnlg_tf.serving.server.options import ServerOptions

    parse_flags(ServerOptions, arguments)
    files = [value for _, _, value in (text.partition("=") for text in arguments) if "/" in value]
    assert files and all((folder / value.removeprefix("/")).is_file() for value in files)


def check_promql(expression: str) -> None:
    """It parses, and asks for metrics that the server has."""
    from cnnlg_tf.serving.server.metrics import ServerMetrics

    text = expression.replace("$__rate_interval", "1m")
    promql_parser.parse(text)
    known = {metric.name for metric in vars(ServerMetrics()).values() if hasattr(metric, "name")}
    asked = re.findall(r":tensorflow:[\w:]+", text)
    unknown = {name.removesuffix("_bucket") for name in asked} - known
    assert not unknown, f"unknown metrics: {unknown}"


def check_configs(folder: Path, name: str) -> None:
    """config/: read as the official message, and as the server reads it."""
    from tensorflow_serving.config import model_server_config_pb2

    from cnnlg_tf.serving.server.batching import BatchingOptions
    from cnnlg_tf.serving.server.config_files import BatchingParameters, MonitoringConfig

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
