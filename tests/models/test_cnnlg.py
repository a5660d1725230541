"""The contract of the whole model, on every ablation of it."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from cnnlg_tf.certainty import thresholds
from cnnlg_tf.config import ModelConfig
from cnnlg_tf.errors import ConfigError
from cnnlg_tf.models.blocks import ResidualBlock
from cnnlg_tf.models.cnnlg import CNNLG, pad_to_multiple
from cnnlg_tf.models.damage_finder import DamageFinder, NormalisedBlock, NormalisedConv
from cnnlg_tf.models.gradient_guide import GradientGuide
from cnnlg_tf.models.latent_guide import LatentGuide
from cnnlg_tf.models.mask_refiner import MaskRefiner
from cnnlg_tf.models.merge import Merge
from cnnlg_tf.models.photo_encoder import InvertedResidual, PhotoEncoder
from cnnlg_tf.models.prior import Context, Decoder, PosteriorEncoder, Prior
from cnnlg_tf.models.scan import DirectionalScan


def make_case(height: int, width: int, batch: int = 1) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(height * width)
    image = rng.uniform(0, 1, (batch, height, width, 3)).astype(np.float32)
    mask = np.zeros((batch, height, width, 1), np.float32)
    mask[:, height // 4 : 3 * height // 4, width // 4 : 3 * width // 4] = 1.0
    return image, mask


def without(config: ModelConfig, *parts: str) -> ModelConfig:
    changed = {p: getattr(config, p).model_copy(update={"enabled": False}) for p in parts}
    return config.model_copy(update=changed)


@pytest.mark.parametrize("size", [(16, 16), (17, 31), (40, 24)])
def test_any_size_known_pixels_exact_hole_filled(stirred: CNNLG, size: tuple[int, int]) -> None:
    image, mask = make_case(*size, batch=2)
    repaired, uncertainty = (x.numpy() for x in stirred.repair(image, mask))
    assert repaired.shape == image.shape and uncertainty.shape == mask.shape
    assert repaired.dtype == uncertainty.dtype == np.float32
    known = mask[..., 0] == 0
    assert np.array_equal(repaired[known], image[known])
    assert not uncertainty[known].any() and (uncertainty[~known] > 0).all()
    assert 0 <= repaired.min() and repaired.max() <= 1 and uncertainty.max() <= 1


def test_nan_in_the_hole_is_missing(stirred: CNNLG) -> None:
    image, mask = make_case(32, 32)
    empty = np.where(mask > 0, np.nan, image).astype(np.float32)
    assert np.array_equal(stirred.repair(empty, mask)[0], stirred.repair(image, mask)[0])
    guide = 0.5 * np.ones_like(image)
    assert np.isfinite(stirred.refine(empty, mask, guide)).all()


def test_refine_keeps_known_pixels_and_follows_its_guide(stirred: CNNLG) -> None:
    image, mask = make_case(40, 24)
    dark, bright = (
        stirred.refine(image, mask, np.full_like(image, value)).numpy() for value in (0.2, 0.8)
    )
    known = mask[..., 0] == 0
    assert np.array_equal(dark[known], image[known])
    assert dark[~known].mean() < bright[~known].mean()


def test_without_a_merge_the_networks_own_repair_comes_back(tiny_model_config: ModelConfig) -> None:
    model = CNNLG(without(tiny_model_config, "merge"))
    image, mask = make_case(48, 48)
    decoded = model.prior.decoder(
        context := model.context(*model._prepare(image, mask)), model.latent(context)
    )
    own = np.clip(0.5 * (decoded.moments[0].numpy() + 1.0), 0, 1)
    expected = np.where(mask > 0, own, image)
    np.testing.assert_allclose(model.repair(image, mask)[0], expected, atol=1e-6)


def test_the_holes_content_is_never_looked_at(stirred: CNNLG) -> None:
    image, mask = make_case(32, 32)
    other = np.where(mask > 0, 0.123, image).astype(np.float32)
    assert np.array_equal(stirred.repair(image, mask)[0], stirred.repair(other, mask)[0])
    seed = tf.constant([1, 1])
    assert np.array_equal(stirred.sample(image, mask, seed), stirred.sample(other, mask, seed))


def test_no_hole_and_all_hole(stirred: CNNLG) -> None:
    image, mask = make_case(32, 32)
    assert np.array_equal(stirred.repair(image, 0 * mask)[0], image)
    repaired, uncertainty = stirred.repair(image, np.ones_like(mask))
    assert np.all(np.isfinite(repaired)) and np.all(uncertainty > 0)


def test_the_mask_is_thresholded(stirred: CNNLG) -> None:
    image, mask = make_case(32, 32)
    soft = np.where(mask > 0, 0.6, 0.4).astype(np.float32)
    assert np.array_equal(stirred.repair(image, soft)[0], stirred.repair(image, mask)[0])


def test_samples_follow_their_seed_and_temperature(stirred: CNNLG) -> None:
    image, mask = make_case(32, 32)

    def draw(seed: int, temperature: float = 1.0) -> np.ndarray:
        return stirred.sample(image, mask, tf.constant([seed, 0]), temperature).numpy()

    assert np.array_equal(draw(1), draw(1))
    assert not np.array_equal(draw(1), draw(2))
    np.testing.assert_allclose(draw(1, 0.0), stirred.repair(image, mask)[0], atol=1e-6)
    known = mask[..., 0] == 0
    assert np.array_equal(draw(2)[known], image[known])


def test_detail_scales_what_the_gradient_guide_adds(stirred: CNNLG) -> None:
    image, mask = make_case(32, 32)
    context = [stirred.context(2 * image - 1, mask, d).gradients.numpy() for d in (0, 1, 2)]
    np.testing.assert_allclose(context[2] - context[1], context[1] - context[0], atol=1e-5)
    assert np.abs(context[1] - context[0]).max() > 1e-3
    repairs = [stirred.repair(image, mask, d)[0].numpy() for d in (0.0, 1.0, 2.0)]
    assert not np.array_equal(repairs[0], repairs[1])
    assert not np.array_equal(repairs[1], repairs[2])


def test_detail_scales_the_laid_texture(tiny_model: CNNLG) -> None:
    """Deep inside the hole more detail is more gradient energy, also of a network that has learnt nothing."""
    y, x = np.mgrid[0:96, 0:96]
    image = np.repeat(0.5 + 0.3 * np.sin(1.5 * x + 1.1 * y)[None, ..., None], 3, -1)
    image = image.astype(np.float32)
    mask = np.zeros((1, 96, 96, 1), np.float32)
    mask[:, 32:72, 32:72] = 1.0
    energies = []
    for detail in (0.0, 1.0, 2.0):
        inside = tiny_model.repair(image, mask, detail)[0].numpy()[0, 44:60, 44:60]
        energies.append(np.square(np.diff(inside, axis=0)).mean())
    assert energies[0] < 0.1 * energies[1] and 1.2 * energies[1] < energies[2]


def test_references_change_the_repair(stirred: CNNLG) -> None:
    image, mask = make_case(64, 64)
    reference, _ = make_case(48, 40)
    plain = stirred.repair(image, mask)[0].numpy()
    helped = stirred.repair(image, mask, reference=reference)[0].numpy()
    assert not np.array_equal(plain, helped)
    known = mask[..., 0] == 0
    assert np.array_equal(helped[known], image[known])


@pytest.mark.slow  # by default the tests of CnnlgNetwork and of exports prove it
def test_graphs_take_any_size(stirred: CNNLG) -> None:
    @tf.function(
        input_signature=[tf.TensorSpec([None, None, None, 3]), tf.TensorSpec([None, None, None, 1])]
    )
    def repair(image: tf.Tensor, mask: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return stirred.repair(image, mask)

    for height, width, batch in ((32, 32, 1), (17, 50, 2)):
        image, mask = make_case(height, width, batch)
        for graph, eager in zip(repair(image, mask), stirred.repair(image, mask), strict=True):
            np.testing.assert_allclose(graph, eager, atol=1e-4)
    assert repair.experimental_get_tracing_count() == 1


def test_find_damage(stirred: CNNLG, tiny_model_config: ModelConfig) -> None:
    image, _ = make_case(33, 20)
    assert stirred.damage_finder is not None
    bias, before = stirred.damage_finder.head.bias, stirred.damage_finder.head.bias.numpy()
    most = float(np.max(stirred.find_damage(image)[0]))
    bias.assign_add([2.0 - math.log(most / (1.0 - most))] * 4)  # the most certain pixel at 2
    probability, mask = stirred.find_damage(image)
    assert probability.shape == mask.shape == (1, 33, 20, 1)
    assert set(np.unique(mask)) <= {0.0, 1.0}
    assert np.max(probability) > 0.5 and not np.any(mask)  # nothing is certain
    bias.assign_add([6.0] * 4)
    probability, mask = stirred.find_damage(image)
    bias.assign(before)
    assert np.max(probability) > thresholds(0.5).higher
    assert np.array_equal(mask, np.asarray(probability) > 0.5) and np.any(mask)
    blindless = CNNLG(without(tiny_model_config, "damage_finder"))
    with pytest.raises(
        ConfigError, match="finding damage needs the damage finder. Received: a model"
    ):
        blindless.find_damage(image)


@pytest.mark.parametrize(
    "left_out", [("latent_guide", "gradient_guide"), ("gradient_guide",), ("latent_guide",)]
)
def test_ablations_repair(tiny_model_config: ModelConfig, left_out: tuple[str, ...]) -> None:
    model = CNNLG(without(tiny_model_config, "merge", *left_out))
    image, mask = make_case(32, 32)
    assert np.all(np.isfinite(model.sample(image, mask, tf.constant([0, 0]))))


def test_without_a_latent_guide_graphs_know_the_maps_channels(
    plain_model_config: ModelConfig,
) -> None:
    """Keras computes convolutions of an unknown number in a way that no format takes."""
    model = CNNLG(without(plain_model_config, "latent_guide"))

    @tf.function(input_signature=[tf.TensorSpec([None, None, None, 1])], autograph=False)
    def latent(mask: tf.Tensor) -> tf.Tensor:
        return model.latent(Context(mask, mask, mask))

    channels = plain_model_config.latent_channels
    assert latent.get_concrete_function().structured_outputs.shape[-1] == channels
    assert latent(tf.zeros([2, 32, 48, 1])).shape == (2, 4, 6, channels)


def test_config_and_weights_round_trip(stirred: CNNLG, tmp_path: Path) -> None:
    stirred.save_weights(tmp_path / "model.weights.h5")
    again = CNNLG.from_config(stirred.get_config())
    assert again.config == stirred.config
    again.load_weights(tmp_path / "model.weights.h5")
    image, mask = make_case(32, 32)
    np.testing.assert_array_equal(again.repair(image, mask)[0], stirred.repair(image, mask)[0])


def test_every_layers_config_round_trips(tiny_model_config: ModelConfig) -> None:
    c = tiny_model_config
    layers = [
        ResidualBlock(8, dilation=2, activation="gelu", name="a"),
        DirectionalScan(8, steps=3, name="b"),
        Merge(c.merge, "gelu", name="c"),
        MaskRefiner(c.mask_refiner, name="d"),
        LatentGuide(c.latent_guide, 4, "elu", name="e"),
        DamageFinder(c.damage_finder, "elu", name="f"),
        PhotoEncoder((0, 2), name="m"),
        InvertedResidual(8, 3, 2, 4, expands=False, name="n"),
        NormalisedConv(8, 1, stride=2, dilation=1, name="k"),
        NormalisedBlock(8, dilation=2, activation="elu", name="l"),
        GradientGuide(c.gradient_guide, "relu", name="f"),
        PosteriorEncoder(8, 4, "gelu", name="g"),
        Decoder(c, name="h"),
        Prior(c, name="i"),
    ]
    for layer in layers:
        config = layer.get_config()
        assert type(layer).from_config(dict(config)).get_config() == config
        assert config["name"] == layer.name


def test_padding_repeats_the_last_row_and_column() -> None:
    image = tf.reshape(tf.range(6.0), [1, 2, 3, 1])
    padded = pad_to_multiple(image, 4)[0, ..., 0]
    np.testing.assert_array_equal(padded, np.array([[0, 1, 2, 2]] + [[3, 4, 5, 5]] * 3))
    assert pad_to_multiple(tf.zeros([1, 16, 32, 3]), 16).shape == (1, 16, 32, 3)


@pytest.mark.parametrize("activation", ["silu", "gelu", "relu", "elu"])
def test_every_activation_builds(tiny_model_config: ModelConfig, activation: Any) -> None:
    block = ResidualBlock(8, activation=activation)
    x = tf.random.stateless_normal([1, 4, 4, 8], [0, 0])
    np.testing.assert_array_equal(block(x), x)  # the last kernel starts at zero


@pytest.mark.parametrize("period", [2, 4])
def test_a_lattice_of_missing_lines_gives_no_wild_colours(stirred: CNNLG, period: int) -> None:
    """Near known pixels a repair keeps to their range, whatever the networks say."""
    image = np.full((1, 48, 48, 3), 0.5, np.float32)
    image[:, :, 20:] = 0.6
    mask = np.zeros((1, 48, 48, 1), np.float32)
    mask[:, ::period] = mask[:, :, ::period] = 1.0
    repaired = stirred.repair(image, mask)[0].numpy()
    # 0.05 + 0.25 of the range of 0.1 on either side
    assert 0.42 <= repaired.min() and repaired.max() <= 0.68
