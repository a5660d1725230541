"""The keys that each deployed file may have: what refuses a typo in a template."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


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
