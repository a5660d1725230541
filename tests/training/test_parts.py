"""The smaller parts of a run: optimisers, the wait for data, progress, event files, critics."""

import io
import time
from collections import deque
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from rich.console import Console

from cnnlg_tf.config import DiscriminatorConfig, OptimizerConfig, PhaseConfig
from cnnlg_tf.errors import ConfigError, DataError, TrainingError
from cnnlg_tf.training.critics import PatchDiscriminator, VGGFeatures, crop_at_hole
from cnnlg_tf.training.distribution import choose_strategy, distribute, is_chief
from cnnlg_tf.training.events import EventWriter
from cnnlg_tf.training.input_wait import InputWait
from cnnlg_tf.training.optimizers import make_discriminator_optimizer, make_optimizer
from cnnlg_tf.training.phase_progress import PhaseProgress
from cnnlg_tf.training.progress_bar import ProgressBar

PHASE = PhaseConfig(name="prediction", kind="prediction", steps=100, batch_size=4)


@pytest.mark.parametrize("name", ["adam", "adamw", "lion", "sgd", "rmsprop", "lamb"])
def test_every_optimiser_steps_and_averages(name: Any) -> None:
    config = OptimizerConfig(name=name, learning_rate=0.1, warmup_steps=0, ema=0.9, weight_decay=0)
    optimizer = make_optimizer(config, steps=50)
    variable = keras.Variable([1.0, -2.0])
    optimizer.build([variable])
    seen = []
    for _ in range(5):
        optimizer.apply_gradients([(2.0 * tf.convert_to_tensor(variable), variable)])
        seen.append(variable.numpy())
    assert np.all(np.abs(seen[-1]) < np.abs([1.0, -2.0]))
    average = seen[0]
    for step, value in enumerate(seen[1:], start=1):
        momentum = min(0.9, (1 + step) / (10 + step))
        average = momentum * average + (1 - momentum) * value
    (ours,) = optimizer._model_variables_moving_average
    np.testing.assert_allclose(ours, average, rtol=1e-5)


def test_gradients_are_clipped_by_their_norm_over_all_weights() -> None:
    config = OptimizerConfig(
        name="sgd", learning_rate=1.0, warmup_steps=0, clip_norm=0.5, weight_decay=0, ema=None
    )
    optimizer = make_optimizer(config, steps=10)
    variables = [keras.Variable([0.0]), keras.Variable([0.0])]
    optimizer.build(variables)
    optimizer.apply_gradients(zip([tf.constant([3.0]), tf.constant([4.0])], variables, strict=True))
    np.testing.assert_allclose([v.numpy()[0] for v in variables], [-0.3, -0.4], rtol=1e-5)


@pytest.mark.parametrize("name", ["adamw", "lion", "sgd", "rmsprop", "lamb"])
def test_an_encoder_that_comes_trained_takes_smaller_steps(name: Any) -> None:
    config = OptimizerConfig(name=name, learning_rate=0.01, warmup_steps=0, weight_decay=0)
    with keras.name_scope("damage_finder"), keras.name_scope("encoder"):
        trained = keras.Variable([1.0, -2.0], name="kernel")
    fresh = keras.Variable([1.0, -2.0], name="kernel")
    moved = {}
    for share in (1.0, 0.1):
        optimizer = make_optimizer(config.model_copy(update={"encoder_rate": share}), steps=50)
        optimizer.build([trained, fresh])
        before = trained.numpy(), fresh.numpy()
        gradient = tf.constant([0.3, 0.2])
        optimizer.apply_gradients([(gradient, trained), (gradient, fresh)])
        moved[share] = [v.numpy() - b for v, b in zip((trained, fresh), before, strict=True)]
    np.testing.assert_allclose(moved[1.0][0], moved[1.0][1], rtol=1e-4)
    np.testing.assert_allclose(moved[0.1][0], 0.1 * moved[0.1][1], rtol=0.05)


def test_the_learning_rate_warms_up_and_falls_to_its_fraction() -> None:
    config = OptimizerConfig(learning_rate=1.0, warmup_steps=10, final_fraction=0.1)
    rate = make_optimizer(config, steps=110)._learning_rate
    values = [float(rate(step)) for step in (0, 5, 10, 60, 110)]
    np.testing.assert_allclose(values, [0.01, 0.505, 1.0, 0.55, 0.1], rtol=1e-4)
    short = make_optimizer(config, steps=3)._learning_rate
    assert float(short(2)) == pytest.approx(1.0)
    assert make_discriminator_optimizer(DiscriminatorConfig()).beta_1 == 0.0


def test_the_wait_is_the_steps_own_not_the_prefetchers() -> None:
    prefetcher: Any = SimpleNamespace(handed=deque())
    wait = InputWait(prefetcher)

    def step(handed_after: float, work: float) -> None:
        """A step whose batch comes `handed_after` seconds after it begins (negative: before)."""
        wait.on_train_batch_begin(0)
        prefetcher.handed.append(time.perf_counter() + handed_after)
        time.sleep(max(handed_after, 0.0) + work)
        wait.on_train_batch_end(0)

    step(0.05, 0.0)  # the first step compiles, and does not count
    assert wait.share == 0.0
    for _ in range(3):
        step(-0.02, 0.02)
    assert wait.share == 0.0
    for _ in range(3):
        step(0.04, 0.02)
    assert 0.3 < wait.share < 0.65


def test_progress_fits_80_columns_and_ends_cleanly() -> None:
    out = io.StringIO()
    console = Console(file=out, width=80, force_terminal=True)
    bar = ProgressBar(
        PhaseProgress(PHASE, 10, 0), InputWait(SimpleNamespace(handed=deque())), console
    )  # type: ignore[arg-type]
    bar.on_train_begin()
    losses = {"loss": 0.5, "l1": 0.1, "nll": 4.0, "kl": 12.0, "gradient": 0.1, "missing": 0.2}
    for batch in range(3):
        bar.on_train_batch_end(batch, losses)
    bar.close()
    text = Console(file=io.StringIO(), width=80).render_str(out.getvalue()).plain
    last = [line for line in text.splitlines() if "13/100" in line or "loss" in line][-2:]
    assert "images/s" in last[0]
    assert "loss 0.5  input wait 0%  l1 0.1  nll 4  kl 12" in last[1]
    assert "\x1b[?25h" in out.getvalue()  # the cursor is back


def test_event_files_hold_scalars_and_pictures_for_tensorboard(tmp_path: Path) -> None:
    events = EventWriter(tmp_path)
    events.scalars({"loss": 0.25}, step=7)
    events.picture("strip", np.zeros((4, 6, 3), np.uint8), step=8)
    events.close()
    (file,) = tmp_path.glob("events*")
    found = {}
    for record in tf.data.TFRecordDataset(str(file)):
        event = tf.compat.v1.Event.FromString(record.numpy())
        for value in event.summary.value:
            found[value.tag] = (event.step, value.metadata.plugin_data.plugin_name, value.tensor)
    step, plugin, tensor = found["loss"]
    assert (step, plugin, float(tf.make_ndarray(tensor))) == (7, "scalars", 0.25)
    step, plugin, tensor = found["strip"]
    width, height, png = tf.make_ndarray(tensor)
    assert (step, plugin, width, height) == (8, "images", b"6", b"4")
    assert tf.io.decode_png(png).shape == (4, 6, 3)


def test_vgg_features_have_three_scales(vgg_file: Path) -> None:
    features = VGGFeatures(vgg_file)(tf.zeros([2, 16, 24, 3]))
    assert [f.shape for f in features] == [(2, 16, 24, 4), (2, 8, 12, 4), (2, 4, 6, 4)]


def test_files_that_hold_no_vgg(tmp_path: Path) -> None:
    np.savez(tmp_path / "other.npz", a=np.zeros(3))
    (tmp_path / "text.npz").write_text("no")
    for name in ("none.npz", "other.npz", "text.npz"):
        with pytest.raises(DataError, match=f"conv1_1_kernel to conv3_3_bias. Received: .*{name}"):
            VGGFeatures(tmp_path / name)


def test_the_discriminator_scores_patches_and_round_trips() -> None:
    discriminator = PatchDiscriminator(DiscriminatorConfig(width=4), name="critic")
    features = discriminator(tf.zeros([2, 32, 32, 3]))
    assert features[-1].shape == (2, 4, 4, 1) and len(features) == 5
    config = discriminator.get_config()
    assert PatchDiscriminator.from_config(config).get_config() == config


def test_critics_look_at_the_hole() -> None:
    mask = np.zeros((3, 48, 64, 1), np.float32)
    for i, (y, x) in enumerate([(0, 0), (47, 63), (20, 30)]):
        mask[i, y, x] = 1.0
    image = np.random.default_rng(0).normal(size=(3, 48, 64, 3)).astype(np.float32)
    cut, masks = crop_at_hole(
        [tf.constant(image), tf.constant(mask)], tf.constant(mask), 32, [0, 1]
    )
    assert cut.shape == (3, 32, 32, 3)
    np.testing.assert_array_equal(tf.reduce_sum(masks, (1, 2, 3)), [1, 1, 1])
    np.testing.assert_array_equal(cut[0], image[0, :32, :32])
    np.testing.assert_array_equal(cut[1], image[1, 16:, 32:])
    whole = crop_at_hole([tf.constant(image)], tf.constant(mask), 64, [0, 1])
    assert whole[0].shape == image.shape


def test_one_process_is_its_own_chief() -> None:
    strategy = choose_strategy([])
    assert strategy.num_replicas_in_sync == 1 and is_chief(strategy)
    assert is_chief(choose_strategy(["CPU:0"]))
    with pytest.raises(TrainingError, match=r"among \['CPU:0'\]. Received: GPU:3"):
        choose_strategy(["GPU:3"])


@pytest.mark.parametrize(
    ("task", "chief"), [(("chief", 0), True), (("worker", 0), False), (("worker", 1), False)]
)
def test_the_chief_of_a_cluster(task: tuple[str, int], chief: bool) -> None:
    spec = tf.train.ClusterSpec({"chief": ["a:1"], "worker": ["b:1", "c:1"]})
    resolver = tf.distribute.cluster_resolver.SimpleClusterResolver(spec, "", *task)
    assert is_chief(SimpleNamespace(cluster_resolver=resolver)) is chief
    workers = tf.train.ClusterSpec({"worker": ["b:1", "c:1"]})
    resolver = tf.distribute.cluster_resolver.SimpleClusterResolver(workers, "", "worker", task[1])
    assert is_chief(SimpleNamespace(cluster_resolver=resolver)) is (task[1] == 0)


def test_batches_must_divide_among_the_devices() -> None:
    strategy: Any = SimpleNamespace(num_replicas_in_sync=3)
    unused: Any = None
    with pytest.raises(ConfigError, match="must be a multiple of the 3 devices. Received: 4"):
        distribute(strategy, unused, PHASE)
