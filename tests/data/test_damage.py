import numpy as np
import pytest

from cnnlg_tf.data import damage
from cnnlg_tf.data.masks import draw_mask
from cnnlg_tf.data.synthetic import dead_leaves


@pytest.mark.parametrize("kind", range(len(damage._PAINTS)))
def test_damage_stays_in_the_hole_and_shows(kind: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(damage, "_SHARES", np.eye(len(damage._PAINTS))[kind])
    image, other = (dead_leaves(70, np.random.default_rng(seed))[:50] for seed in (0, 1))
    for seed in range(10):
        rng = np.random.default_rng(seed)
        mask = draw_mask("medium", 50, 70, rng)
        damaged = damage.paint_damage(image, mask, other, rng)
        assert damaged.dtype == np.uint8 and damaged.shape == image.shape
        assert np.array_equal(damaged[mask == 0], image[mask == 0])
        change = np.abs(damaged.astype(int) - image).max(-1)
        assert (change[mask == 1] > 8).mean() > 0.6


def test_the_shares_add_up() -> None:
    assert sum(damage._SHARES) == pytest.approx(1)


def test_most_damage_ends_softly_and_shows_in_its_middle() -> None:
    mask = np.zeros((40, 60), np.uint8)
    mask[5:35, 5:25] = 1
    mask[5:35, 40:43] = 1  # a stroke 3 px wide
    soft = 0
    for seed in range(20):
        opacity = damage._opacity(mask, np.random.default_rng(seed))
        assert opacity.shape == mask.shape and not opacity[mask == 0].any()
        middles = (opacity[20, 15], opacity[20, 41])
        assert min(middles) >= 0.5 and opacity.max() <= 1
        soft += opacity[20, 5] < 0.6 * middles[0] and opacity[20, 40] < 0.75 * middles[1]
    assert soft > 8
