"""EXIF blocks: the tags of a file as bytes, so that whatever is carried over keeps type and value.

An EXIF block is a small TIFF file without a picture: a main directory of tags, which points to the
directories Exif, GPS and, inside Exif, Interoperability. Pillow turns values into Python objects and
guesses their types when it writes them again; here they stay the bytes that they were.
"""

import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

ORIENTATION = 0x0112
EXIF, GPS, INTEROPERABILITY = 0x8769, 0x8825, 0xA005
POINTERS = (EXIF, GPS, INTEROPERABILITY)
_THUMBNAIL, _THUMBNAIL_LENGTH = 0x0201, 0x0202
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
_SIZES |= {16: 8, 17: 8, 18: 8}  # BigTIFF
LONG = 4  # the type of offsets


@dataclass(frozen=True)
class Tag:
    """A value as it stands in the file: TIFF's type number, how many, and their bytes."""

    kind: int
    count: int
    data: bytes


@dataclass
class Directory:
    """The tags of one directory and the directories below it, by the tag that points to them."""

    tags: dict[int, Tag] = field(default_factory=dict)
    below: dict[int, "Directory"] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.tags or self.below)

    def without(self, numbers: Iterable[int]) -> "Directory":
        """The same directory without some of its tags."""
        kept = {number: tag for number, tag in self.tags.items() if number not in numbers}
        return Directory(kept, self.below)

    def smaller_than(self, size: int) -> "Directory":
        """The same directory, at all levels, without values of `size` bytes and more."""
        kept = {number: tag for number, tag in self.tags.items() if len(tag.data) < size}
        return Directory(kept, {n: each.smaller_than(size) for n, each in self.below.items()})


class _Reader:
    """Numbers at places of a block, in its byte order; classic TIFF and BigTIFF."""

    def __init__(self, data: bytes | bytearray) -> None:
        self.data = data
        mark = bytes(data[:4])
        orders = {b"II*\0": "<", b"MM\0*": ">", b"II+\0": "<", b"MM\0+": ">"}
        if mark not in orders:
            raise ValueError(f"expected II or MM and the number 42 or 43. Received: {mark!r}")
        self.order, self.big = orders[mark], b"+" in mark
        self.room = 2 * len(data)  # bytes of all values: tags that share bytes are a memory bomb

    def number(self, form: str, at: int) -> int:
        try:
            value: int = struct.unpack_from(self.order + form, self.data, at)[0]
        except struct.error as error:
            raise ValueError(f"a number stands behind the block's end, at byte {at}") from error
        return value

    def first(self) -> int:
        """Where the main directory starts."""
        return self.number("Q", 8) if self.big else self.number("L", 4)

    def entries(self, start: int) -> tuple[dict[int, int], int]:
        """Where each tag's entry starts, and where the offset of the next directory stands."""
        count = self.number("Q" if self.big else "H", start)
        size, first = (20, start + 8) if self.big else (12, start + 2)
        if first + count * size > len(self.data):
            raise ValueError(f"a directory of {count} tags does not fit in the block")
        places = {self.number("H", at): at for at in range(first, first + count * size, size)}
        return places, first + count * size

    def tag(self, at: int) -> Tag | None:
        """The tag whose entry starts at `at`; None if its value lies outside or has no known type."""
        kind = self.number("H", at + 2)
        count = self.number("Q" if self.big else "L", at + 4)
        size = _SIZES.get(kind, 0) * count
        room, place = (8, at + 12) if self.big else (4, at + 8)
        if size > room:
            place = self.number("Q" if self.big else "L", place)
        if not size or place + size > len(self.data):
            return None
        self.room -= size
        if self.room < 0:
            raise ValueError("its tags hold more bytes than the block has")
        return Tag(kind, count, bytes(self.data[place : place + size]))


def without_prefix(block: bytes) -> bytes:
    """An EXIF block without JPEG's `Exif` mark, which some files have twice."""
    while block.startswith(b"Exif\0\0"):
        block = block[6:]
    return block


def parse(block: bytes | bytearray, start: int | None = None) -> tuple[str, Directory]:
    """The byte order, "<" or ">", and the main directory of an EXIF block or a TIFF file.

    Args:
        start: where the directory starts; None: the file's first.

    Raises:
        ValueError: the block is damaged.
    """
    reader = _Reader(block)
    return reader.order, _directory(reader, reader.first() if start is None else start, 0)


def _directory(reader: _Reader, start: int, depth: int) -> Directory:
    directory = Directory()
    for number, at in reader.entries(start)[0].items():
        tag = reader.tag(at)
        if tag is None:
            continue
        if number not in POINTERS:
            directory.tags[number] = tag
        elif depth < 2:
            try:
                target = int.from_bytes(tag.data, "little" if reader.order == "<" else "big")
                directory.below[number] = _directory(reader, target, depth + 1)
            except ValueError:  # a damaged directory costs no more than itself
                continue
    return directory


def serialise(order: str, directory: Directory) -> bytes:
    """An EXIF block of a directory and those below it; tags that only BigTIFF knows are left out."""
    head = (b"II" if order == "<" else b"MM") + struct.pack(order + "HL", 42, 8)
    return head + directory_bytes(order, directory, 8)


def directory_bytes(order: str, directory: Directory, start: int) -> bytes:
    """A directory as it stands at byte `start` of a file, with what is below it behind."""
    tags = {n: tag for n, tag in directory.tags.items() if tag.kind < 16}
    numbers = sorted({*tags, *directory.below})
    table = struct.pack(order + "H", len(numbers))
    values = b""
    behind = start + 2 + 12 * len(numbers) + 4
    for number in numbers:
        place = behind + len(values)
        below = directory.below.get(number)
        if below is not None:
            table += struct.pack(order + "HHLL", number, LONG, 1, place)
            values += directory_bytes(order, below, place)
        else:
            tag = tags[number]
            table += struct.pack(order + "HHL", number, tag.kind, tag.count)
            if len(tag.data) <= 4:
                table += tag.data.ljust(4, b"\0")
            else:
                table += struct.pack(order + "L", place)
                values += tag.data
        values += b"\0" * (len(values) % 2)  # values start at even bytes
    return table + struct.pack(order + "L", 0) + values


def neutral(block: bytes) -> tuple[int, bytes]:
    """The rotation that a block asks for, 1 to 8, and the block without it and without thumbnails.

    The block is changed in place: no value moves, and so makers' notes, which hold offsets from the
    block's start, stay whole. A thumbnail shows what the repair removed: its bytes become zeros.

    Raises:
        ValueError: the block is damaged.
    """
    reader, changed = _Reader(block), bytearray(block)
    if reader.big:
        raise ValueError("an EXIF block must be classic TIFF. Received: BigTIFF")
    start = reader.first()
    places, next_at = reader.entries(start)
    following = reader.number("L", next_at) if next_at + 4 <= len(block) else 0
    orientation = 1
    if following:
        struct.pack_into(reader.order + "L", changed, next_at, 0)
        _blank_thumbnail(reader, following, changed)
    if ORIENTATION in places:
        at = places[ORIENTATION]
        orientation = reader.number({1: "B", 4: "L"}.get(reader.number("H", at + 2), "H"), at + 8)
        struct.pack_into(reader.order + "H", changed, start, reader.number("H", start) - 1)
        if 5 <= orientation <= 8:
            _swap_sides(reader, places, changed)
        changed[at : next_at + 4] = changed[at + 12 : next_at + 4] + bytes(12)
    return (orientation if 1 <= orientation <= 8 else 1), bytes(changed)


def sized(block: bytes, height: int, width: int) -> bytes:
    """A block that says this size where it says any; in place, as in `neutral`. A damaged one stays as it is."""
    changed = bytearray(block)
    try:
        reader = _Reader(block)
        places = reader.entries(reader.first())[0]
        inner = reader.entries(reader.number("L", places[EXIF] + 8))[0] if EXIF in places else {}
    except ValueError:
        return block
    for entries, sides in ((places, (0x0100, 0x0101)), (inner, (0xA002, 0xA003))):
        for number, size in zip(sides, (width, height), strict=True):
            if number in entries:
                form = {3: "H", 4: "L"}.get(reader.number("H", entries[number] + 2))
                if form is not None and size < 2 ** (8 * struct.calcsize("=" + form)):
                    struct.pack_into(reader.order + form, changed, entries[number] + 8, size)
    return bytes(changed)


def _swap_sides(reader: _Reader, places: Mapping[int, int], changed: bytearray) -> None:
    """Let width and height change places, and the resolutions along them: the photo is turned."""
    try:
        inner = reader.entries(reader.number("L", places[EXIF] + 8))[0] if EXIF in places else {}
    except ValueError:
        inner = {}
    pairs = ((places, (0x0100, 0x0101)), (places, (0x011A, 0x011B)), (inner, (0xA002, 0xA003)))
    for entries, sides in pairs:
        if all(side in entries for side in sides):
            width, height = (slice(entries[side] + 2, entries[side] + 12) for side in sides)
            changed[width], changed[height] = changed[height], changed[width]


def _blank_thumbnail(reader: _Reader, start: int, changed: bytearray) -> None:
    try:
        tags = _directory(reader, start, 2).tags
    except ValueError:
        return
    ends = _numbers(reader.order, tags, (_THUMBNAIL, _THUMBNAIL_LENGTH))
    strips = _numbers(reader.order, tags, (0x0111, 0x0117))
    for place, length in (*ends, *strips):
        if 8 <= place <= place + length <= len(changed):
            changed[place : place + length] = bytes(length)
            if place + length == len(changed):
                del changed[place:]


def _numbers(order: str, tags: Mapping[int, Tag], pair: tuple[int, int]) -> list[tuple[int, int]]:
    """(offset, length) of each part that a pair of tags names."""
    lists = []
    for number in pair:
        tag = tags.get(number)
        if tag is None or tag.kind not in (3, 4):
            return []
        form = f"{order}{tag.count}{'H' if tag.kind == 3 else 'L'}"
        lists.append(struct.unpack(form, tag.data))
    return list(zip(*lists, strict=False))
