"""EXIF blocks: what is written is read again, value by value, and damage is a ValueError."""

import struct
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cnnlg_tf.photos.exif import (
    EXIF,
    GPS,
    INTEROPERABILITY,
    Directory,
    Tag,
    neutral,
    parse,
    serialise,
)

SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 7: 1, 9: 4, 10: 8, 11: 4, 12: 8}


@st.composite
def tags(draw: Any) -> Tag:
    kind = draw(st.sampled_from(sorted(SIZES)))
    count = draw(st.integers(1, 9))
    size = SIZES[kind] * count
    return Tag(kind, count, draw(st.binary(min_size=size, max_size=size)))


NUMBERS = st.integers(0xC000, 0xFFFF)
PLAIN = st.builds(Directory, st.dictionaries(NUMBERS, tags(), max_size=5))
INNER = st.builds(
    Directory,
    st.dictionaries(NUMBERS, tags(), max_size=5),
    st.dictionaries(st.just(INTEROPERABILITY), PLAIN, max_size=1),
)
MAIN = st.builds(
    Directory,
    st.dictionaries(NUMBERS, tags(), max_size=9),
    st.dictionaries(st.sampled_from([EXIF, GPS]), INNER, max_size=2),
)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.sampled_from("<>"), MAIN)
def test_what_is_written_is_read(order: str, directory: Directory) -> None:
    block = serialise(order, directory)
    assert parse(block) == (order, directory)
    assert neutral(block) == (1, block)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(
    st.sampled_from("<>"),
    MAIN,
    st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=6),
    st.floats(0, 1),
)
def test_damage_is_a_value_error(
    order: str, directory: Directory, changes: list[tuple[float, int]], end: float
) -> None:
    block = bytearray(serialise(order, directory))
    for place, value in changes:
        block[int(place * len(block))] = value
    for hurt in (bytes(block), bytes(block[: int(end * len(block))])):
        for function in (parse, neutral):
            try:
                function(hurt)
            except ValueError:
                continue


@pytest.mark.parametrize("turn", [0, 1, 2, 8, 9, 255])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(("kind", "form"), [(1, "B"), (3, "H"), (4, "L")])
def test_the_rotation_is_taken_out_in_place(kind: int, form: str, order: str, turn: int) -> None:
    directory = Directory(
        {
            0x010F: Tag(2, 6, b"Maker\0"),
            0x0112: Tag(kind, 1, struct.pack(order + form, turn)),
            0x8298: Tag(2, 3, b"me\0"),
        },
        {EXIF: Directory({0x927C: Tag(7, 9, b"MAKERNOTE")})},
    )
    block = serialise(order, directory)
    orientation, changed = neutral(block)
    assert orientation == (turn if 1 <= turn <= 8 else 1) and len(changed) == len(block)
    assert changed.index(b"MAKERNOTE") == block.index(b"MAKERNOTE")
    assert parse(changed) == (order, directory.without([0x0112]))


def test_long_values_go_where_room_is_short() -> None:
    directory = Directory({1: Tag(7, 9, bytes(9))}, {EXIF: Directory({2: Tag(7, 8, bytes(8))})})
    assert directory.smaller_than(9) == Directory({}, {EXIF: Directory({2: Tag(7, 8, bytes(8))})})
    assert not Directory() and Directory({}, {EXIF: Directory()})
