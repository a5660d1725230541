from pathlib import Path

import cv2
import numpy as np
import pytest

from cnnlg_tf.config import MaskConfig
from cnnlg_tf.data.masks import MaskSampler
from cnnlg_tf.data.stamps import Stamps
from cnnlg_tf.errors import DataError


def test_stamps_read_brightness_or_alpha(stamp_root: Path) -> None:
    stamps = Stamps(stamp_root)
    assert stamps.get(0)[5, 5] > 200 and stamps.get(0)[50, 5] == 0
    assert stamps.get(1)[30, 30] > 200 and stamps.get(1)[5, 5] == 0


def test_useless_stamps_give_their_successor(stamp_root: Path) -> None:
    stamps = Stamps(stamp_root)
    assert len(stamps) == 4
    assert np.array_equal(stamps.get(2), stamps.get(0))
    assert np.array_equal(stamps.get(3), stamps.get(0))


def test_large_and_16_bit_stamps_are_reduced(tmp_path: Path) -> None:
    stamp = np.zeros((1024, 700), np.uint16)
    stamp[100:900, 100:600] = 65535
    cv2.imwrite(str(tmp_path / "a.png"), stamp)
    small = Stamps(tmp_path).get(0)
    assert small.shape == (512, 350) and 0.5 < small.mean() / 255 < 0.6


def test_a_folder_without_stamps_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no stamp image"):
        Stamps(tmp_path)
    with pytest.raises(DataError, match="must be a folder of stamp images. Received: .*missing"):
        MaskSampler(MaskConfig(kinds={"stamp": 1.0}, damage_root=tmp_path / "missing"))
    (tmp_path / "a.png").write_bytes(b"")
    with pytest.raises(DataError, match="none of its 1 images shows any damage"):
        Stamps(tmp_path).get(0)


def test_stamps_kept_for_measuring_are_left_out_by_number(tmp_path: Path) -> None:
    for name in ("hair_049.png", "hair_050.png", "hair_051.png", "plain.png"):
        cv2.imwrite(str(tmp_path / name), np.full((8, 8), 255, np.uint8))
    assert [p.stem for p in Stamps(tmp_path, below=50).paths] == ["hair_049", "plain"]
    assert [p.stem for p in Stamps(tmp_path, least=50).paths] == ["hair_050", "hair_051"]
    with pytest.raises(DataError, match=r"holds no stamp image \(.*png.*\) numbered 60 to 69"):
        Stamps(tmp_path, least=60, below=70)
