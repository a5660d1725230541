"""Configurations: every key documented, and clear words for each wrong one."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from cnnlg_tf.config import Config, PhaseConfig
from cnnlg_tf.config_files import changed_keys, dump_config, find_config, load_config, parse_config
from cnnlg_tf.errors import ConfigError

CONFIGS = Path(__file__).parents[1] / "configs"
PHASE = {"name": "p", "kind": "prediction", "steps": 3}


def tree(**changes: Any) -> dict[str, Any]:
    return {"data": {"kind": "synthetic"}, "train": {"phases": [dict(PHASE)]}, **changes}


def test_base_yaml_holds_every_key_with_its_default() -> None:
    written = yaml.safe_load((CONFIGS / "base.yaml").read_text())
    root = written["data"].pop("root")
    (phase,) = written["train"]["phases"]
    required = {key: phase[key] for key in PHASE}
    plain = parse_config({"data": {"root": root}, "train": {"phases": [required]}})
    expected = plain.model_dump(mode="json")
    expected["data"].pop("root")
    assert written == expected


def test_base_yaml_comments_every_leaf() -> None:
    bare = [
        line
        for line in (CONFIGS / "base.yaml").read_text().splitlines()
        if re.match(r"\s*(- )?\w+: \S", line) and "#" not in line
    ]
    assert [line.split(":")[0].strip() for line in bare] == [
        "enabled",
        "enabled",
        "enabled",
        "warmup_steps",
        "weight_decay",
        "learning_rate",
    ]


@pytest.mark.parametrize("name", sorted(path.name for path in CONFIGS.glob("*.yaml")))
def test_shipped_configurations_parse_and_open_with_their_facts(name: str) -> None:
    paths = ["data.root=photos", "train.vgg_weights=vgg16.npz", "masks.damage_root=stamps"]
    config = load_config(CONFIGS / name, paths)
    assert isinstance(config, Config)
    head = (CONFIGS / name).read_text().split("\n\n")[0]
    for fact in ("Command:", "Hardware", "ours", "esult"):
        assert fact in head


def test_dump_and_parse_round_trip() -> None:
    config = parse_config(tree(model={"activation": "gelu"}))
    assert parse_config(yaml.safe_load(dump_config(config))) == config


def test_overrides_reach_dotted_keys_and_list_items(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(yaml.safe_dump(tree()))
    config = load_config(
        path, ["train.phases.0.optimizer.learning_rate=1e-2", "model.latent_guide.enabled=false"]
    )
    assert config.train.phases[0].optimizer.learning_rate == 0.01
    assert not config.model.latent_guide.enabled


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("train.seed", r"must read key=value, like train.seed=1. Received: 'train.seed'"),
        ("train.seed=[1", r"value of 'train.seed' is not valid YAML. Received: '\[1'"),
        ("train.phases.3.steps=1", r"'train.phases.3.steps': '3' must be an index from 0 to 0"),
        ("train.phases.x=1", r"'x' must be an index from 0 to 0"),
        ("modle.widths=1", r"unknown key 'modle'"),
        ("train.phases.0.stesp=1", r"unknown key 'train.phases.0.stesp'"),
        (
            "train.phases.0.steps=0",
            r"train.phases.0.steps: .*greater than or equal to 1. Received: 0",
        ),
        ("train.phases.0.crop=100", r"train.phases.0.crop: .*multiple of 16. Received: 100"),
        ("model.widths=[8, 8, 8, 10]", r"model.widths.3: .*multiple of 4. Received: 10"),
        ("model.blocks=[0, 1, 1, 1]", r"model.blocks.0: .*greater than or equal to 1. Received: 0"),
        ("data.kind=photos", r"data: root is needed when kind is 'photos'"),
        ("masks.kinds={}", r"masks: kinds needs at least one kind"),
        ("masks.kinds={stamp: 1}", r"masks: kinds.stamp needs damage_root"),
        ("train.phases.0.losses.style=1", r"train: vgg_weights is needed"),
        ("train.phases=[]", r"train.phases: .*at least 1 item"),
    ],
)
def test_a_wrong_value_is_named(override: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(yaml.safe_dump(tree()))
    with pytest.raises(ConfigError, match=message):
        load_config(path, [override])


def test_settings_that_do_not_go_together() -> None:
    penalised = {**PHASE, "penalty": {"kind": "gradient_penalty"}}
    with pytest.raises(ConfigError, match="needs mixed_precision float32 or mixed_bfloat16"):
        parse_config(tree(train={"mixed_precision": "mixed_float16", "phases": [penalised]}))
    with pytest.raises(ConfigError, match=r"distinct names; received \['p', 'p'\]"):
        parse_config(tree(train={"phases": [PHASE, PHASE]}))


def test_files_that_are_no_configuration(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    with pytest.raises(
        ConfigError, match="one of base, .*photos. Received: .*c.yaml, no such file"
    ):
        load_config(path)
    path.write_text("a: [")
    with pytest.raises(ConfigError, match="c.yaml is not valid YAML"):
        load_config(path)
    path.write_text("- 1")
    with pytest.raises(ConfigError, match="must be a mapping of keys. Received: list"):
        load_config(path)
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="c.yaml cannot be read"):
        load_config(path)


def test_the_package_s_configurations_have_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "demo").mkdir()  # a folder of that name is no configuration
    assert find_config("demo").samefile(CONFIGS / "demo.yaml")
    assert load_config("demo").data.kind == "synthetic"
    assert find_config("guides", "experiments").samefile(CONFIGS / "experiments/guides.yaml")
    (tmp_path / "own.yaml").write_text("")
    assert find_config("own.yaml") == Path("own.yaml")
    for missing in ("guides", "own", "demo.yml"):
        with pytest.raises(ConfigError, match=f"one of base, .* Received: {missing}, no such file"):
            find_config(missing)


def test_changed_keys_are_told_by_their_path() -> None:
    old = parse_config(tree())
    new = parse_config(
        tree(model={"widths": [8, 8, 8, 8]}, train={"phases": [{**PHASE, "batch_size": 2}]})
    )
    assert changed_keys(old, new) == ["train.phases.0.batch_size", "model.widths"]
    assert changed_keys(old, old) == []


def test_configurations_are_frozen() -> None:
    with pytest.raises(ValueError, match="frozen"):
        PhaseConfig.model_validate(PHASE).steps = 4  # type: ignore[misc]
