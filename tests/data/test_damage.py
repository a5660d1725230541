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
