from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from cnnlg_tf.data.crc32c import masked_crc32c


def test_the_mask_rotates_and_adds() -> None:
    assert masked_crc32c(b"") == 0xA282EAD8
    crc = 0xE3069283  # the published check value, of b"123456789"
    assert masked_crc32c(b"123456789") == ((crc >> 15 | crc << 17) + 0xA282EAD8) % 2**32


@pytest.mark.parametrize("length", [0, 1, 63, 4097])
def test_checksums_are_those_that_tensorflow_writes(tmp_path: Path, length: int) -> None:
    data = np.random.default_rng(length).bytes(length)
    with tf.io.TFRecordWriter(str(tmp_path / "one")) as writer:
        writer.write(data)
    written = (tmp_path / "one").read_bytes()
    assert masked_crc32c(written[:8]) == int.from_bytes(written[8:12], "little")
    assert masked_crc32c(data) == int.from_bytes(written[-4:], "little")
