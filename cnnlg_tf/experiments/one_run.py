"""Train one variant with one seed and measure it: `python -m cnnlg_tf.experiments.one_run FOLDER`.

The folder holds settings.yaml (`settings_text`); standard input is a pipe of whoever starts this. The
outcome goes into outcome.json there, the training into run/. A process for each run: memory is given
back, runs stand beside each other, and TensorFlow's flags are those of the one configuration.
"""

import json
import os
import platform
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from PIL import Image

import cnnlg_tf
from cnnlg_tf.config import Config
from cnnlg_tf.config_files import parse_config
from cnnlg_tf.errors import CnnlgError
from cnnlg_tf.evaluation.pictures import with_hole
from cnnlg_tf.evaluation.results import OURS, Evaluation
from cnnlg_tf.experiments.definition import MeasureConfig
from cnnlg_tf.experiments.outcome import Outcome, add_likelihood, kind_means, photo_scores
from cnnlg_tf.files import atomic_path
from cnnlg_tf.open import open_network
from cnnlg_tf.startup import start_tensorflow
from cnnlg_tf.training.run import prepare_environment, train

SETTINGS, RECORD, PICTURE_FOLDER = "settings.yaml", "outcome.json", "pictures"
PHOTO, HOLE = "photo", "hole"

PICTURES = 3
"""Photos for each kind of mask that the pictures show, out of the first evaluation."""

SECONDS = "seconds a step"


def settings_text(
    labels: Mapping[str, str], config: Config, measures: Mapping[str, MeasureConfig], draws: bool
) -> str:
    """What a run's folder holds before it starts; another text is another run.

    Args:
        labels: the variant's label on each axis.
        config: of the training.
        measures: the evaluations by name.
        draws: whether this run's repairs are kept for the pictures.
    """
    tree = {
        "labels": dict(labels),
        "draws": draws,
        "evaluations": {name: each.model_dump(mode="json") for name, each in measures.items()},
        "config": config.model_dump(mode="json"),
    }
    return yaml.safe_dump(tree, sort_keys=False)


def measure_run(folder: Path) -> Outcome:
    """Train and measure the run of a folder; a training that fails is an outcome too."""
    tree = yaml.safe_load((folder / SETTINGS).read_text(encoding="utf-8"))
    config = parse_config(tree["config"], str(folder / SETTINGS))
    measures = {name: MeasureConfig(**each) for name, each in tree["evaluations"].items()}
    place = f"{folder.parent.name}/{folder.name}"
    outcome = Outcome(tree["labels"], config.train.seed, place, versions=_versions())
    start = time.perf_counter()
    try:
        prepare_environment(config)
        start_tensorflow()
        train(config, folder / "run", quiet=True)
        found = _measured(folder, config, measures, tree["draws"])
    except CnnlgError as error:
        found = {"error": str(error)}
    seconds = round(time.perf_counter() - start, 1)
    outcome = Outcome(**{**asdict(outcome), **found, "seconds": seconds})
    with atomic_path(folder / RECORD) as path:
        path.write_text(json.dumps(asdict(outcome)) + "\n", encoding="utf-8")
    return outcome


def _measured(
    folder: Path, config: Config, measures: Mapping[str, MeasureConfig], draws: bool
) -> dict[str, Any]:
    from cnnlg_tf.evaluation.evaluate import evaluate
    from cnnlg_tf.experiments.validation import hole_likelihood, validate

    model = cnnlg_tf.load(folder / "run")
    networks = {True: open_network(model)}  # kept for all evaluations: tracing takes long
    if not all(measure.synthesis for measure in measures.values()):
        alone = cnnlg_tf.load(folder / "run")
        alone.merge = None
        networks[False] = open_network(alone)
    nll_of = hole_likelihood(model)
    scores, photos = {}, {}
    for number, (name, measure) in enumerate(measures.items()):
        evaluation = evaluate(
            networks[measure.synthesis],
            measure.photos,
            only=measure.only,
            mask_kinds=measure.masks,
            size=measure.size,
            limit=measure.limit,
            seed=measure.seed,
            fit=measure.fit,
            peers=(),
            pictures=PICTURES if draws and number == 0 else 0,
        )
        scores[name], photos[name] = kind_means(evaluation), photo_scores(evaluation)
        if measure.likelihood:
            found = [(case.kind, nll_of(case)) for case in measure.cases()]
            add_likelihood(scores[name], photos[name], found)
        _store_pictures(evaluation, folder.parent.parent / PICTURE_FOLDER, folder.parent.name)
    validation = validate(model, next(iter(measures.values())).cases())
    training = {SECONDS: _seconds_per_step(folder / "run", config), **validation}
    return {"scores": scores, "photos": photos, "training": training}


def _seconds_per_step(run: Path, config: Config) -> float:
    """Median over the last phase's log lines, the first, which has the compilation, left out."""
    phase = config.train.phases[-1]
    lines = map(json.loads, (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines())
    rates = [line["images_per_second"] for line in lines if line["phase"] == phase.name]
    return phase.batch_size / float(np.median(rates[1:] or rates))


def _store_pictures(evaluation: Evaluation, folder: Path, variant: str) -> None:
    """One folder a case, with the photo, the hole and each variant's repair."""
    for shown in evaluation.shown:
        case = shown.case
        place = folder / f"{case.kind}_{Path(case.photo).stem}"
        pictures = {PHOTO: case.image, HOLE: with_hole(case), variant: shown.repairs[OURS]}
        for name, pixels in pictures.items():
            with atomic_path(place / f"{name}.png") as path:
                Image.fromarray(pixels).save(path)


def _versions() -> dict[str, str]:
    packages = ("tensorflow", "keras", "numpy")
    found = {"cnnlg-tf": cnnlg_tf.__version__, "python": platform.python_version()}
    return found | {name: metadata.version(name) for name in packages}


def end_with_parent() -> None:
    """End this process when the one that started it is gone, however it went: its pipe closes."""

    def wait() -> None:
        while os.read(0, 1):
            pass
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


if __name__ == "__main__":
    end_with_parent()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    measure_run(Path(sys.argv[1]))
