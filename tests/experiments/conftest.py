"""Sweeps made of numbers, without any training."""

from collections.abc import Callable

import numpy as np
import pytest

from cnnlg_tf.experiments.outcome import Outcome
from cnnlg_tf.experiments.sweep import Sweep

MakeSweep = Callable[..., Sweep]


@pytest.fixture
def make_sweep() -> MakeSweep:
    """Hole PSNR of 20 dB plus the labels' effects, a photo's ease, and noise of seeds and pixels."""

    def make(
        axes: dict[str, dict[str, float]],
        rows: list[tuple[str, ...]],
        *,
        seeds: int = 3,
        photos: int = 30,
        noise: float = 0.05,
        seed_noise: float = 0.0,
        rng: np.random.Generator | None = None,
    ) -> Sweep:
        rng = rng or np.random.default_rng(1)
        ease = rng.normal(0, 4, photos)
        share = np.linspace(0.02, 0.6, photos)
        runs = []
        for row in rows:
            labels = dict(zip(axes, row, strict=True))
            effect = sum(axes[axis][label] for axis, label in labels.items())
            for seed in range(seeds):
                own = rng.normal(0, seed_noise) if seed_noise else 0.0
                psnr = 20 + ease + effect + own + rng.normal(0, noise, photos)
                scores = {"psnr": psnr + 6, "hole_psnr": psnr, "ssim": psnr / 40, "lpips": 1 / psnr}
                lists = {name: [float(v) for v in values] for name, values in scores.items()}
                kinds = {"box": {"hole_ratio": [float(v) for v in share], **lists}}
                means = {name: float(np.mean(values)) for name, values in scores.items()}
                means |= {"ffd_4": 0.1, "ffd_8": 0.2, "ffd_16": 0.3, "sharpness_24": 0.9}
                runs.append(
                    Outcome(
                        labels,
                        seed,
                        f"{'_'.join(row)}/seed-{seed}",
                        {"val": {"box": means, "all": means}},
                        {"val": kinds},
                        {"seconds a step": 0.5},
                    )
                )
        definition = {
            "axes": {axis: {label: [] for label in labels} for axis, labels in axes.items()},
            "evaluations": {"val": {}},
            "seeds": list(range(seeds)),
        }
        return Sweep("made", definition, runs)

    return make
