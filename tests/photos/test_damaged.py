"""Whatever the bytes are, the outcome is a picture or one CnnlgError that names the file."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cnnlg_tf.errors import CnnlgError, ImageError, MaskError
from cnnlg_tf.photos import decode_mask, decode_photo, encode_photo
from tests.photos.examples import MAKERS, whole

PLACES = st.floats(0, 1, exclude_max=True)  # from the file's start to its end
CHANGES = st.lists(st.tuples(PLACES, st.integers(0, 255)), max_size=8)


def damaged(data: bytes, changes: list[tuple[float, int]], end: float) -> bytes:
    changed = bytearray(data)
    for place, value in changes:
        changed[int(place * len(changed))] = value
    return bytes(changed[: int(end * len(changed))])


def check(data: bytes) -> None:
    """Decode and encode: nothing but the two errors may leave, and a picture is one."""
    try:
        photo = decode_photo(data, "hurt.bin")
    except ImageError as error:
        assert "photo hurt.bin" in str(error) and "\n" not in str(error)
    else:
        assert photo.pixels.ndim == 3 and photo.pixels.shape[-1] == 3 and photo.pixels.size
        assert photo.alpha is None or photo.alpha.shape == photo.pixels.shape[:2]
        for form in ("PNG", "TIFF", "JPEG"):
            decode_photo(encode_photo(photo, form), f"again.{form}")
    try:
        mask = decode_mask(data, "hurt.bin")
    except MaskError as error:
        assert "mask hurt.bin" in str(error)
    else:
        assert mask.ndim == 2 and mask.dtype == bool


@pytest.mark.parametrize("name", MAKERS)
def test_the_examples_are_whole(name: str) -> None:
    photo = decode_photo(whole(name), name)
    assert photo.pixels.shape in {(24, 36, 3), (36, 24, 3), (16, 24, 3)}
    check(whole(name))


@pytest.mark.parametrize("name", MAKERS)
@settings(max_examples=8, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(CHANGES, st.one_of(st.just(1.0), PLACES))
def test_damaged_files(name: str, changes: list[tuple[float, int]], end: float) -> None:
    check(damaged(whole(name), changes, end))


@pytest.mark.slow
@pytest.mark.parametrize("name", MAKERS)
@settings(max_examples=500, deadline=None, suppress_health_check=list(HealthCheck))
@given(CHANGES, st.one_of(st.just(1.0), PLACES))
def test_damaged_files_at_length(name: str, changes: list[tuple[float, int]], end: float) -> None:
    check(damaged(whole(name), changes, end))


@pytest.mark.parametrize("name", MAKERS)
def test_half_a_file_is_refused(name: str) -> None:
    data = whole(name)
    with pytest.raises(CnnlgError, match="photo half.bin"):
        decode_photo(data[: len(data) // 2], "half.bin")


@settings(max_examples=30, deadline=None, derandomize=True)
@given(st.binary(max_size=200))
def test_noise_is_no_picture(noise: bytes) -> None:
    check(noise)
    check(b"II*\0\x08\0\0\0" + noise)
    check(b"\0\0\0\x18ftypheic" + noise)
