import numpy as np
import pytest

from cnnlg_tf.data.crc32c import crc32c, masked_crc32c


def test_the_published_check_values() -> None:
    assert crc32c(b"123456789") == 0xE3069283
    assert crc32c(b"\x00" * 32) == 0x8A9136AA
    assert crc32c(b"\xff" * 32) == 0x62A8AB43
    assert crc32c(b"") == 0


@pytest.mark.parametrize("length", [1, 3, 4, 5, 63, 64, 65, 128, 1000, 4097])
def test_lanes_agree_with_one_bit_at_a_time(length: int) -> None:
    data = np.random.default_rng(length).bytes(length)
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
    assert crc32c(data) == crc ^ 0xFFFFFFFF


def test_the_mask_rotates_and_adds() -> None:
    assert masked_crc32c(b"") == 0xA282EAD8
