"""Pictures from nothing: their layout is drawn from the prior, their pixels come from references."""

from dataclasses import replace

import cv2
import numpy as np

from cnnlg_tf.inference.network import SMALLEST_SIDE, Conditions, Network
from cnnlg_tf.inference.painting import Progress, enlarged, refine, shrunk_conditions

LAYOUT_SIDE = 128  # pixels; the prior has learnt layouts of about this size


def new_picture(
    height: int,
    width: int,
    network: Network,
    conditions: Conditions,
    progress: Progress | None = None,
) -> np.ndarray:
    """Draw a picture in the manner of the references: float32 [height, width, 3] in [0, 1].

    A layout is drawn at a low resolution, takes on the references' colours, and guides the synthesis from them at that
    resolution and each finer one. Without references, or with a network that can follow no guide, it is the prior's.

    Args:
        conditions: with a seed; without references that a network can follow.
    """
    scale = 1
    while (
        max(height, width) > LAYOUT_SIDE * scale and min(height, width) >= 2 * SMALLEST_SIDE * scale
    ):
        scale *= 2
    rows, columns = -(-height // scale), -(-width // scale)
    nothing = np.zeros((rows, columns, 3), np.float32)
    drawn = replace(conditions, reference=())
    layout = network.fill(nothing, np.ones((rows, columns), bool), drawn).image
    if conditions.reference:
        small = shrunk_conditions(conditions, scale).reference
        layout = in_colours_of(layout, np.concatenate([photo.reshape(-1, 3) for photo in small]))
    picture, steps, done = layout, scale.bit_length(), 0
    copied = replace(conditions, seed=None, temperature=0.0)
    while "guide" in network.can:
        missing = np.ones(picture.shape[:2], bool)
        given = shrunk_conditions(copied, scale)
        refine(np.zeros_like(picture), missing, missing.copy(), picture, network, given)
        done += 1
        if progress is not None:
            progress(done / steps)
        if scale == 1:
            break
        scale //= 2
        picture = enlarged(picture)
    if scale > 1:
        picture = cv2.resize(picture, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.asarray(np.clip(picture[:height, :width], 0.0, 1.0))


def in_colours_of(layout: np.ndarray, colours: np.ndarray) -> np.ndarray:
    """A picture whose colours are distributed as the given ones: [h, w, 3], [n, 3] -> [h, w, 3].

    Along several directions in turn, values are replaced by those of the same rank (sliced optimal transport).
    """
    rng = np.random.default_rng(0)
    shown = layout.reshape(-1, 3).astype(np.float64)
    shown = shown + rng.normal(0.0, 1e-4, shown.shape)  # no two are alike
    count = len(shown)
    for _ in range(12):
        axes, _ = np.linalg.qr(rng.normal(size=(3, 3)))
        for axis in axes.T:
            order = np.argsort(shown @ axis, kind="stable")
            wanted = np.quantile(colours @ axis, (np.arange(count) + 0.5) / count)
            shown[order] += (wanted - (shown @ axis)[order])[:, np.newaxis] * axis
    return np.asarray(np.clip(shown, 0.0, 1.0), np.float32).reshape(layout.shape)
