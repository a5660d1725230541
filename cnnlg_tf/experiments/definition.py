"""What an experiment is: a YAML file that makes variants out of one training configuration.

Paths are relative to where the command runs, `base` to the file:

    base: ../photos.yaml            # a training configuration
    overrides: [train.log_every=5]  # what all variants share, as key=value like `train --set`
    seeds: [0, 1, 2]                # each variant is trained once for each: train.seed
    axes:                           # the variants: all combinations of one label of each axis
      guides:
        neither: [model.latent_guide.enabled=false, model.gradient_guide.enabled=false]
        both: []
    rows:                           # or only these combinations: a fractional design
      - [neither]
    evaluations:
      val: {photos: ../shared/data/photos/val, size: 256, limit: 40}

Differences are told against the first label of each axis.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Self

import yaml
from pydantic import Field, ValidationError, model_validator

from cnnlg_tf.config import Config, MaskKind, Section
from cnnlg_tf.config_files import load_config
from cnnlg_tf.errors import ConfigError
from cnnlg_tf.evaluation.cases import MASK_KINDS, CaseSet, Fit


class MeasureConfig(Section):
    """One set of photos on which every variant is measured, as the arguments of `evaluate`.

    `synthesis`: false measures the network alone, with all of its guides. `likelihood`: true measures the
    likelihood of the holes' true pixels, too.
    """

    photos: Path
    only: list[str] = []
    masks: list[MaskKind] = Field(default=list(MASK_KINDS), min_length=1)
    size: int = Field(256, ge=32, multiple_of=16)
    limit: int | None = Field(None, ge=1)
    fit: Fit = "crop"
    seed: int = Field(0, ge=0)
    synthesis: bool = True
    likelihood: bool = False

    def cases(self) -> CaseSet:
        """The photos with their holes."""
        return CaseSet(
            self.photos, self.masks, self.size, self.limit, self.seed, self.fit, self.only
        )


class ExperimentConfig(Section):
    """`axes`: axis -> label -> overrides; see the module's docstring."""

    base: Path
    axes: dict[str, dict[str, list[str]]] = Field(min_length=1)
    evaluations: dict[str, MeasureConfig] = Field(min_length=1)
    overrides: list[str] = []
    seeds: list[int] = Field(default=[0, 1, 2], min_length=1)
    rows: list[list[str]] | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        if len(set(self.seeds)) != len(self.seeds):
            raise ValueError(f"seeds must be distinct. Received: {self.seeds}")
        for row in self.rows or []:
            fits = len(row) == len(self.axes) and all(
                label in labels for label, labels in zip(row, self.axes.values(), strict=True)
            )
            if not fits:
                raise ValueError(
                    f"a row must be one label of each axis: {', '.join(self.axes)}. Received: {row}"
                )
        return self


@dataclass(frozen=True)
class Variant:
    """One combination: its label on each axis, and its training configuration for each seed."""

    labels: dict[str, str]
    configs: dict[int, Config]

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
        wrong = [
            f"{'.'.join(map(str, e['loc'])) or 'file'}: {e['msg'].removeprefix('Value error, ')}"
            for e in error.errors()
        ]
        raise ConfigError(f"experiment {path}: {'; '.join(wrong)}") from error
    base = Path(path).parent / experiment.base
    shared = [*experiment.overrides, *overrides]
    return experiment.model_copy(update={"base": base, "overrides": shared})


def expand(experiment: ExperimentConfig) -> list[Variant]:
    """All variants, the last axis changing fastest, or those of the file's rows.

    Raises:
        ConfigError: a variant's configuration is wrong, or two have the same folder.
    """
    variants = []
    for labels in experiment.rows or product(*experiment.axes.values()):
        named = dict(zip(experiment.axes, labels, strict=True))
        own = [line for axis, label in named.items() for line in experiment.axes[axis][label]]
        lines = [*experiment.overrides, *own]
        configs = {
            seed: load_config(experiment.base, [*lines, f"train.seed={seed}"])
            for seed in experiment.seeds
        }
        variants.append(Variant(named, configs))
    folders = [variant.folder for variant in variants]
    twice = sorted({folder for folder in folders if folders.count(folder) > 1})
    if twice:
        raise ConfigError(f"the axes' labels must make distinct folder names. Received: {twice}")
    return variants
