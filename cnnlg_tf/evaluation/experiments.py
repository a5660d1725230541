"""Experiments: train every combination of a few choices from one base, and measure them alike.

An experiment is a YAML file; paths are relative to where the command runs, `base` to the file:

    base: ../photos.yaml            # a training configuration
    overrides: [train.seed=1]       # what all variants share, as key=value like `train --set`
    axes:                           # the variants: all combinations of one label of each axis
      guides:
        neither: [model.latent_guide.enabled=false, model.gradient_guide.enabled=false]
        both: []
    evaluations:
      val: {photos: ../shared/data/photos/val, size: 256, limit: 40}

Each variant has a folder of its own and is skipped once it is measured, so that the same command
goes on after any stop.
"""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path

import numpy as np
import yaml
from PIL import Image
from pydantic import Field, ValidationError

import cnnlg_tf
from cnnlg_tf.config import Config, MaskKind, Section, dump_config, load_config
from cnnlg_tf.errors import ConfigError, TrainingError
from cnnlg_tf.evaluation.cases import MASK_KINDS, CaseSet, Fit
from cnnlg_tf.evaluation.experiment_report import (
    HOLE,
    PHOTO,
    PICTURE_FOLDER,
    Outcome,
    write_experiment_report,
)
from cnnlg_tf.evaluation.pictures import with_hole
from cnnlg_tf.evaluation.results import OURS, Evaluation
from cnnlg_tf.evaluation.summary import by_kind
from cnnlg_tf.files import atomic_path
from cnnlg_tf.startup import start_tensorflow
from cnnlg_tf.training.run import prepare_environment, train

PICTURES = 3
"""Photos for each kind of mask that the pictures show, out of the first evaluation."""

SECONDS = "seconds a step"


class MeasureConfig(Section):
    """One set of photos on which every variant is measured, as the arguments of `evaluate`."""

    photos: Path
    masks: list[MaskKind] = Field(default=list(MASK_KINDS), min_length=1)
    size: int = Field(256, ge=32, multiple_of=16)
    limit: int | None = Field(None, ge=1)
    fit: Fit = "crop"
    seed: int = Field(0, ge=0)


class ExperimentConfig(Section):
    """`axes`: axis -> label -> overrides; see the module's docstring."""

    base: Path
    axes: dict[str, dict[str, list[str]]] = Field(min_length=1)
    evaluations: dict[str, MeasureConfig] = Field(min_length=1)
    overrides: list[str] = []


@dataclass(frozen=True)
class Variant:
    """One combination: its label on each axis, and the training configuration that they make."""

    labels: dict[str, str]
    config: Config

    @property
    def name(self) -> str:
        return ", ".join(self.labels.values())

    @property
    def folder(self) -> str:
        return "_".join(re.sub(r"[^\w.+-]+", "-", label) for label in self.labels.values())


def load_experiment(path: str | Path, overrides: Sequence[str] = ()) -> ExperimentConfig:
    """Read an experiment's file; `overrides` come after the file's own, for all variants.

    Raises:
        ConfigError: the file cannot be read, is no YAML mapping, or a key or value is wrong.
    """
    try:
        tree = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
        experiment = ExperimentConfig.model_validate(tree)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"experiment {path} cannot be read: {error}") from error
    except ValidationError as error:
        wrong = [f"{'.'.join(map(str, e['loc'])) or 'file'}: {e['msg']}" for e in error.errors()]
        raise ConfigError(f"experiment {path}: {'; '.join(wrong)}") from error
    base = Path(path).parent / experiment.base
    shared = [*experiment.overrides, *overrides]
    return experiment.model_copy(update={"base": base, "overrides": shared})


def expand(experiment: ExperimentConfig) -> list[Variant]:
    """All variants, the last axis changing fastest.

    Raises:
        ConfigError: a variant's configuration is wrong, or two have the same folder.
    """
    variants = []
    for labels in product(*experiment.axes.values()):
        named = dict(zip(experiment.axes, labels, strict=True))
        own = [line for axis, label in named.items() for line in experiment.axes[axis][label]]
        config = load_config(experiment.base, [*experiment.overrides, *own])
        variants.append(Variant(named, config))
    folders = [variant.folder for variant in variants]
    twice = sorted({folder for folder in folders if folders.count(folder) > 1})
    if twice:
        raise ConfigError(f"the axes' labels must make distinct folder names. Received: {twice}")
    return variants


def run_experiment(
    path: str | Path,
    out: str | Path,
    overrides: Sequence[str] = (),
    tell: Callable[[str], None] = lambda line: None,
) -> list[Outcome]:
    """Train and measure each variant, then write the tables, the plot and the pictures into `out`.

    A variant whose training fails is reported as failed, and the others go on. `out` gets
    results.json, results.md, pictures.png, plot.png (with the extra `bench`), and for each variant
    a folder with its training run.

    Args:
        path: the experiment's file.
        out: the experiment's folder; what was measured in it before is not measured again.
        overrides: key=value for all variants, after the file's own.
        tell: called with one line whenever a variant starts or ends.

    Raises:
        ConfigError: the file or a variant is wrong, or `out` holds results of other settings.
    """
    experiment, out = load_experiment(path, overrides), Path(out)
    variants = expand(experiment)
    prepare_environment(*(variant.config for variant in variants))
    start_tensorflow()
    outcomes = []
    for number, variant in enumerate(variants, 1):
        tell(f"[{number}/{len(variants)}] {variant.name}")
        outcome = _outcome(variant, experiment, out / variant.folder)
        outcomes.append(outcome)
        tell(f"    {outcome.error or outcome.brief()}")
        write_experiment_report(outcomes, out, f"Experiment {Path(path).stem}")
    return outcomes


def _outcome(variant: Variant, experiment: ExperimentConfig, folder: Path) -> Outcome:
    """What the variant scored: stored from before, or measured now."""
    measures = {name: each.model_dump(mode="json") for name, each in experiment.evaluations.items()}
    settings = dump_config(variant.config) + yaml.safe_dump(measures)
    marker, record = folder / "settings.yaml", folder / "outcome.json"
    if marker.is_file() and marker.read_text(encoding="utf-8") != settings:
        raise ConfigError(
            f"{folder} must hold a run of this experiment's settings, or nothing. "
            "Received: a run of other settings; give another folder or remove it"
        )
    if record.is_file():
        return Outcome(**json.loads(record.read_text(encoding="utf-8")))
    with atomic_path(marker) as path:
        path.write_text(settings, encoding="utf-8")
    outcome = _measure(variant, experiment, folder)
    with atomic_path(record) as path:
        path.write_text(json.dumps(asdict(outcome), indent=1) + "\n", encoding="utf-8")
    return outcome


def _measure(variant: Variant, experiment: ExperimentConfig, folder: Path) -> Outcome:
    from cnnlg_tf.evaluation.evaluate import evaluate
    from cnnlg_tf.evaluation.validation import validate

    run = folder / "run"
    try:
        train(variant.config, run)
    except TrainingError as error:
        return Outcome(variant.name, variant.labels, variant.folder, error=str(error))
    model = cnnlg_tf.load(run)
    scores: dict[str, dict[str, dict[str, float]]] = {}
    for number, (name, measure) in enumerate(experiment.evaluations.items()):
        evaluation = evaluate(
            model,
            measure.photos,
            mask_kinds=measure.masks,
            size=measure.size,
            limit=measure.limit,
            seed=measure.seed,
            fit=measure.fit,
            peers=(),
            pictures=PICTURES if number == 0 else 0,
        )
        scores[name] = _averages(evaluation)
        _store_pictures(evaluation, folder.parent / PICTURE_FOLDER, variant)
    first = next(iter(experiment.evaluations.values()))
    training = {SECONDS: _seconds_per_step(run, variant.config)}
    training |= validate(model, _cases(first))
    return Outcome(variant.name, variant.labels, variant.folder, scores, training)


def _seconds_per_step(run: Path, config: Config) -> float:
    """Median over the last phase's log lines, the first, which has the compilation, left out."""
    phase = config.train.phases[-1]
    lines = map(json.loads, (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines())
    rates = [line["images_per_second"] for line in lines if line["phase"] == phase.name]
    return phase.batch_size / float(np.median(rates[1:] or rates))


def _cases(measure: MeasureConfig) -> CaseSet:
    return CaseSet(
        measure.photos, measure.masks, measure.size, measure.limit, measure.seed, measure.fit
    )


def _averages(evaluation: Evaluation) -> dict[str, dict[str, float]]:
    """Kind of mask -> metric -> mean, with the mean over the kinds as `all`."""
    found = by_kind(evaluation.rows, evaluation.ffd)
    means = {kind: methods[OURS] for kind, methods in found.items()}
    metrics = {metric for scores in means.values() for metric in scores}
    overall = {
        metric: float(np.mean([scores[metric] for scores in means.values() if metric in scores]))
        for metric in metrics
    }
    return {**means, "all": overall}


def _store_pictures(evaluation: Evaluation, folder: Path, variant: Variant) -> None:
    """One folder a case, with the photo, the hole and each variant's repair."""
    for shown in evaluation.shown:
        case = shown.case
        place = folder / f"{case.kind}_{Path(case.photo).stem}"
        pictures = {PHOTO: case.image, HOLE: with_hole(case), variant.folder: shown.repairs[OURS]}
        for name, pixels in pictures.items():
            with atomic_path(place / f"{name}.png") as path:
                Image.fromarray(pixels).save(path)
