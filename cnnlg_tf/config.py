"""Typed configuration: what a run, and each of its parts, may be told.

A run's YAML file holds only what differs from the defaults below; `configs/base.yaml` lists every key with its unit.
`config_files.py` reads and writes it.
"""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

MaskKind = Literal["thin", "medium", "wide", "box", "stamp", "border", "lattice", "sparse"]
Activation = Literal["silu", "gelu", "relu", "elu"]
Width = Annotated[int, Field(ge=4, multiple_of=4)]  # four sweeps share the channels
Count = Annotated[int, Field(ge=1)]


class Section(BaseModel):
    """A part of the configuration: frozen, no unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class LatentGuideConfig(Section):
    enabled: bool = True
    stem_width: int = Field(48, ge=4)
    growth: int = Field(32, ge=4)
    dilations: list[Count] = Field(default=[1, 2, 4, 8, 1], min_length=1)


class GradientGuideConfig(Section):
    enabled: bool = True
    width: Width = 32
    layers: int = Field(2, ge=1)
    scan_steps: int = Field(8, ge=1, le=14)


class MergeConfig(Section):
    """Guided synthesis and its learnt merge. `widths`: channels of the merge at 1/2 and 1/4 of the photo's size.

    `passes`: searches at 1/8, 1/4, 1/2 and 1/1, each followed by a vote; `rounds`: of candidates in each search.
    """

    enabled: bool = True
    passes: tuple[Count, Count, Count, Count] = (8, 8, 6, 4)
    rounds: tuple[Count, Count, Count, Count] = (2, 2, 1, 1)
    widths: tuple[Count, Count] = (32, 64)


class DamageFinderConfig(Section):
    """`widths`: channels at 1/2, 1/4, 1/8 and 1/16 of the photo's size; `judge`: those of its judge, at 1/2."""

    enabled: bool = True
    widths: tuple[Count, Count, Count, Count] = (24, 48, 64, 128)
    judge: Count = 32


class MaskRefinerConfig(Section):
    kind: Literal["none", "crf", "maxent"] = "none"
    iterations: int = Field(5, ge=1)
    radius: int = Field(3, ge=1)
    strength: float = Field(2.0, ge=0)


class ModelConfig(Section):
    """Architecture of CNNLG. Widths are channels at 1/2, 1/4, 1/8 and 1/16 of the photo's size."""

    widths: tuple[Width, Width, Width, Width] = (32, 64, 128, 224)
    blocks: tuple[Count, Count, Count, Count] = (1, 1, 1, 4)
    latent_channels: int = Field(32, ge=1)
    mixtures: int = Field(2, ge=1)
    posterior_width: int = Field(32, ge=4)
    scan_steps: int = Field(7, ge=1, le=14)
    activation: Activation = "silu"
    latent_guide: LatentGuideConfig = LatentGuideConfig()
    gradient_guide: GradientGuideConfig = GradientGuideConfig()
    merge: MergeConfig = MergeConfig()
    damage_finder: DamageFinderConfig = DamageFinderConfig()
    mask_refiner: MaskRefinerConfig = MaskRefinerConfig()


class SyntheticConfig(Section):
    """Dead-leaves images; `length` is how many distinct images one epoch holds, `size` their side in pixels."""

    length: int = Field(256, ge=1)
    size: int = Field(160, ge=32)


class PrintConfig(Section):
    """The damaged prints that phases of kind `damage` learn from.

    `kinds`: how often each kind of damage is drawn, {} = all as they are met with; `clean`: share of prints without
    damage; `lookalike`: share with something drawn in that only looks like damage; `enlarged`: share that is shown at
    twice its size, as a finder looks at small photos.
    """

    kinds: dict[str, Annotated[float, Field(gt=0)]] = {}
    clean: float = Field(0.3, ge=0, le=1)
    lookalike: float = Field(0.25, ge=0, le=1)
    enlarged: float = Field(0.5, ge=0, le=1)


class MaskConfig(Section):
    """Relative frequency of each kind of mask; `damage_root` holds alpha stamps (white or opaque = damage).

    Stamps whose names end in a number of `damage_below` or more are left out: they are kept for measuring.
    """

    kinds: dict[MaskKind, float] = Field(
        default={"thin": 1.0, "medium": 1.0, "wide": 1.0, "box": 1.0, "border": 0.2}
    )
    damage_root: Path | None = None
    damage_below: int | None = Field(None, ge=1)
    prints: PrintConfig = PrintConfig()

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (
            not self.kinds
            or any(v < 0 for v in self.kinds.values())
            or sum(self.kinds.values()) <= 0
        ):
            raise ValueError("kinds needs at least one kind with a positive frequency")
        if self.kinds.get("stamp", 0) > 0 and self.damage_root is None:
            raise ValueError("kinds.stamp needs damage_root, a folder of stamp images")
        return self


class DataConfig(Section):
    """`varied`: share of crops that are turned, stretched, recoloured or joined with another photo."""

    kind: Literal["photos", "tfrecord", "synthetic"] = "photos"
    root: Path | None = None
    exclude: list[str] = []
    cache_megabytes: int = Field(2048, ge=0)
    workers: int = Field(1, ge=1)
    min_scale: float = Field(0.5, gt=0, le=1)
    varied: float = Field(0.0, ge=0, le=1)
    synthetic: SyntheticConfig = SyntheticConfig()

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.kind != "synthetic" and self.root is None:
            raise ValueError(
                f"root is needed when kind is {self.kind!r}: a folder of photos or of TFRecord files"
            )
        return self


class LossConfig(Section):
    """Weight of each term; 0 leaves it out. All image terms are averaged over the hole."""

    nll: float = Field(0.02, ge=0)
    kl: float = Field(0.01, ge=0)
    l1: float = Field(1.0, ge=0)
    log_mse: float = Field(0.05, ge=0)
    coarse_l1: float = Field(0.5, ge=0)
    gradient: float = Field(0.5, ge=0)
    missing: float = Field(1.0, ge=0)
    overlap: float = Field(0.5, ge=0)
    perceptual: float = Field(0.0, ge=0)
    unit_perceptual: float = Field(0.0, ge=0)
    style: float = Field(0.0, ge=0)
    adversarial: float = Field(0.0, ge=0)
    feature_matching: float = Field(0.0, ge=0)

    @property
    def needs_vgg(self) -> bool:
        """Whether a term looks at VGG features."""
        return self.perceptual > 0 or self.unit_perceptual > 0 or self.style > 0


class PenaltyConfig(Section):
    """J(theta): which form, how it is computed, and how often."""

    kind: Literal["none", "weight_uniformity", "gradient_penalty"] = "none"
    weight: float = Field(1e-3, ge=0)
    method: Literal["exact", "finite_difference"] = "finite_difference"
    radius: float = Field(1e-2, gt=0)
    every: int = Field(1, ge=1)


class OptimizerConfig(Section):
    """`encoder_rate`: of the photo encoder's weights, which come trained, as a share of the learning rate."""

    name: Literal["adam", "adamw", "lion", "sgd", "rmsprop", "lamb"] = "adamw"
    learning_rate: float = Field(5e-4, gt=0)
    final_fraction: float = Field(0.05, ge=0, le=1)
    warmup_steps: int = Field(200, ge=0)
    weight_decay: float = Field(1e-4, ge=0)
    clip_norm: float | None = Field(1.0, gt=0)
    ema: float | None = Field(0.999, gt=0, lt=1)
    encoder_rate: float = Field(0.1, ge=0, le=1)


class DiscriminatorConfig(Section):
    width: int = Field(48, ge=4)
    spectral_norm: bool = True
    learning_rate: float = Field(2e-4, gt=0)


class RewardConfig(Section):
    """What a phase of kind `reward` draws, and what it is rewarded for: weights, 0 leaves a term out."""

    samples: int = Field(4, ge=2)
    noise: float = Field(1.0, gt=0)
    kl: float = Field(0.02, ge=0)
    fidelity: float = Field(1.0, gt=0)
    sharpness: float = Field(0.1, ge=0)
    realism: float = Field(0.05, ge=0)


class PhaseConfig(Section):
    """One phase of training.

    `generation` learns the prior on whole images, `prediction` to repair holes, `merge` that and what of the guided
    synthesis is taken, `reward` the latent guide and the merge from how drawn repairs look, `damage` to find visible
    damage, which trains the finder alone.
    """

    name: str
    kind: Literal["generation", "prediction", "merge", "reward", "damage"]
    steps: int = Field(ge=1)
    crop: int = Field(128, ge=32, multiple_of=16)
    batch_size: int = Field(16, ge=1)
    posterior_share: float = Field(0.25, ge=0, le=1)
    sketch_share: float = Field(0.0, ge=0, le=1)
    critic_crop: int = Field(64, ge=32, multiple_of=16)
    losses: LossConfig = LossConfig()
    reward: RewardConfig = RewardConfig()
    penalty: PenaltyConfig = PenaltyConfig()
    optimizer: OptimizerConfig = OptimizerConfig()
    discriminator: DiscriminatorConfig = DiscriminatorConfig()

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.kind in ("merge", "reward") and self.crop % 32:
            raise ValueError(
                f"crop of a phase of kind {self.kind} must be a multiple of 32; received {self.crop}"
            )
        if self.sketch_share > 0 and self.kind not in ("prediction", "merge"):
            raise ValueError(
                f"sketch_share is of phases of kind prediction or merge; received kind {self.kind}"
            )
        return self

    @property
    def needs_vgg(self) -> bool:
        """Whether it looks at VGG features."""
        return self.kind == "reward" or self.losses.needs_vgg

    @property
    def needs_discriminator(self) -> bool:
        """Whether a discriminator is trained beside the model."""
        weight = self.reward.realism if self.kind == "reward" else self.losses.adversarial
        return weight > 0


class TrainConfig(Section):
    phases: list[PhaseConfig] = Field(min_length=1)
    seed: int = 0
    compile: Literal["none", "xla", "fusible"] = "fusible"
    mixed_precision: Literal["float32", "mixed_float16", "mixed_bfloat16"] = "float32"
    checkpoint_minutes: float = Field(5.0, gt=0)
    log_every: int = Field(50, ge=1)
    picture_every: int = Field(500, ge=0)
    initial_weights: Path | None = None
    vgg_weights: Path | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.mixed_precision == "mixed_float16" and any(
            p.penalty.kind == "gradient_penalty" for p in self.phases
        ):
            raise ValueError(
                "penalty.kind gradient_penalty needs mixed_precision float32 or mixed_bfloat16"
            )
        if self.vgg_weights is None and any(p.needs_vgg for p in self.phases):
            raise ValueError(
                "vgg_weights is needed: a phase has a perceptual or style loss, or a reward"
            )
        if self.initial_weights is None and any(p.kind == "reward" for p in self.phases):
            raise ValueError("initial_weights is needed: a phase of kind reward keeps near to them")
        names = [p.name for p in self.phases]
        if len(set(names)) != len(names):
            raise ValueError(f"phases need distinct names; received {names}")
        return self


class Config(Section):
    """A whole run: data, masks, model, training."""

    data: DataConfig
    train: TrainConfig
    masks: MaskConfig = MaskConfig()
    model: ModelConfig = ModelConfig()

    @model_validator(mode="after")
    def _check(self) -> Self:
        kinds = {phase.kind for phase in self.train.phases}
        needed = (
            ("damage", "damage_finder"),
            ("merge", "merge"),
            ("reward", "merge"),
            ("reward", "latent_guide"),
        )
        for kind, part in needed:
            if kind in kinds and not getattr(self.model, part).enabled:
                raise ValueError(f"a phase of kind {kind} needs model.{part}.enabled true")
        return self
