"""A folder of stamps, good and useless ones."""

from pathlib import Path

import cv2
import numpy as np
import pytest


@pytest.fixture
def stamp_root(tmp_path: Path) -> Path:
    """A grey stamp, an alpha stamp, a blank one and a file that is no image."""
    root = tmp_path / "stamps"
    root.mkdir()
    grey = np.zeros((60, 60), np.uint8)
    cv2.line(grey, (5, 5), (50, 40), 255, 2)
    alpha = np.zeros((60, 60, 4), np.uint8)
    cv2.circle(alpha, (30, 30), 12, (10, 10, 10, 255), -1)
    cv2.imwrite(str(root / "a.png"), grey)
    cv2.imwrite(str(root / "b.png"), alpha)
    cv2.imwrite(str(root / "c.png"), np.zeros((60, 60), np.uint8))
    (root / "d.png").write_bytes(b"no image")
    return root
