"""Malformed models: exports, checkpoints, manifests and configs, cut short and with bits flipped.

Must hold: one CnnlgError that names the file, or a model that is as it was.
"""

import random
import shutil
from pathlib import Path
from typing import Any

from tests.campaigns.harness import Budget, Report, add_manifest, broken, main, promise

_WITHOUT_SUM = ("checkpoint.json", "manifest.json")  # which hold the sums of the others


def campaign(budget: Budget, dice: random.Random, folder: Path) -> Report:
    """Break one file at a time of a checkpoint and of a version folder with its manifest."""
    from cnnlg_tf.checkpoint import save_checkpoint
    from cnnlg_tf.config import ModelConfig
    from cnnlg_tf.config_files import dump_config, parse_config
    from cnnlg_tf.models.cnnlg import CNNLG

    config = ModelConfig(widths=(8, 8, 8, 8), blocks=(1, 1, 1, 1), latent_channels=4)
    tree = {
        "data": {"kind": "synthetic"},
        "train": {"phases": [{"name": "p", "kind": "prediction", "steps": 1}]},
        "model": config.model_dump(mode="json"),
    }
    text = dump_config(parse_config(tree))
    checkpoint = save_checkpoint(folder / "checkpoint", _built(CNNLG(config)), text, {"step": 1})
    return attack(checkpoint, make_version(folder / "export/1"), budget, dice)


def _built(model: Any) -> Any:
    import numpy as np

    model.repair(np.zeros((1, 32, 32, 3), np.float32), np.zeros((1, 32, 32, 1), np.float32))
    return model


def make_version(folder: Path) -> Path:
    """A small SavedModel with a manifest of its files."""
    from tests.serving import model_factory

    model_factory.save_half_plus_three(folder)
    return add_manifest(folder)


def attack(checkpoint: Path, version: Path, budget: Budget, dice: random.Random) -> Report:
    report = Report()
    for _ in budget.attacks():
        source, load = dice.choice(((checkpoint, _load_checkpoint), (version, _load_version)))
        copy = source.with_name(f"{source.name}0")
        shutil.copytree(source, copy)
        try:
            victim = dice.choice([path for path in copy.rglob("*") if path.is_file()])
            before = victim.read_bytes()
            kind = dice.randrange(10)
            if kind == 0:
                victim.unlink()
            elif kind == 1:
                victim.write_bytes(before[: dice.randrange(len(before) or 1)])
            else:
                victim.write_bytes(broken(before, dice))
            same = victim.is_file() and victim.read_bytes() == before
            outcome = load(copy, victim)
            promise(outcome == "loaded" or not same, f"an unchanged {victim.name} was refused")
            taken = outcome == "loaded" and not same and victim.name not in _WITHOUT_SUM
            promise(not taken, f"a broken {victim} was taken")
            report.outcomes[f"{victim.name} {outcome}"] += 1
        finally:
            shutil.rmtree(copy)
    return report


def _load_checkpoint(folder: Path, victim: Path) -> str:
    import cnnlg_tf
    from cnnlg_tf.errors import CnnlgError

    try:
        cnnlg_tf.load(folder)
    except CnnlgError as error:
        named = victim.name in str(error) or str(folder) in str(error)
        promise(named, f"the error does not name {victim.name}: {error}")
        return "refused"
    return "loaded"


def _load_version(folder: Path, victim: Path) -> str:
    from cnnlg_tf.errors import CnnlgError
    from cnnlg_tf.serving.server.limits import Limits, RunGate
    from cnnlg_tf.serving.server.loader import Loader, LoadOptions
    from cnnlg_tf.serving.server.metrics import ServerMetrics
    from cnnlg_tf.serving.server.prediction import Inference

    metrics = ServerMetrics()
    loader = Loader(LoadOptions(), Inference(Limits(), metrics), metrics, RunGate(1))
    try:
        loader.load(folder).close()
    except CnnlgError as error:
        named = victim.name in str(error) or str(folder) in str(error)
        promise(named, f"the error does not name {victim.name}: {error}")
        return "refused"
    return "loaded"


if __name__ == "__main__":
    main(campaign, count=2_000, seconds=2 * 3600)
