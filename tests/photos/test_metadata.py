"""What a file says beside its pixels comes back in the output, or one Note names the photo and the loss."""

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms

from cnnlg_tf.photos import Metadata, Photo, decode_photo, encode_photo, read_photo, write_photo
from cnnlg_tf.photos import exif as blocks
from cnnlg_tf.photos.photo import Chunk
from tests.photos.examples import (
    SRGB,
    XMP,
    colours,
    exif_block,
    heic,
    pillow,
    tiff,
    whole,
    with_chunks,
)

FORMATS = ["JPEG", "PNG", "TIFF", "WEBP", "AVIF", "HEIF"]


def carried(data: bytes, form: Any) -> bytes:
    """The same photo in another format."""
    return encode_photo(decode_photo(data, "in"), form, name="out")


def exif_of(data: bytes) -> Image.Exif:
    block = decode_photo(data, "out").metadata.exif
    assert block is not None
    exif = Image.Exif()
    exif.load(block)
    return exif


@pytest.mark.parametrize("end", FORMATS)
@pytest.mark.parametrize("start", FORMATS)
def test_exif_goes_from_every_format_to_every_other(start: Any, end: Any) -> None:
    block = blocks.without_prefix(exif_block())
    first = encode_photo(Photo(colours(), metadata=Metadata(SRGB, block, XMP)), start)
    last = carried(first, end)
    exif = exif_of(last)
    assert exif[0x010F] == "Maker"
    assert exif.get_ifd(0x8769)[0x829A] == 0.5
    assert exif.get_ifd(0xA005)[1] == "R98"
    assert dict(exif.get_ifd(0x8825)) == {1: "N", 2: (51.0, 30.0, 0.0)}
    metadata = decode_photo(last, "out").metadata
    assert metadata.icc_profile == SRGB
    assert metadata.xmp is not None and b"a tree" in metadata.xmp


@pytest.mark.parametrize(
    ("start", "options"),
    [("JPEG", {}), ("PNG", {}), ("TIFF", {}), ("TIFF", {"compression": "jpeg"})],
)
@pytest.mark.parametrize(("orientation", "turned"), [(3, False), (5, True), (6, True), (8, True)])
def test_resolutions_turn_with_the_photo(
    start: Any, options: dict[str, str], orientation: int, turned: bool
) -> None:
    exif = Image.Exif()
    exif[0x0112], exif[0x011A], exif[0x011B] = orientation, 300.0, 150.0
    data = pillow(start, exif=exif, dpi=(300, 150), **options)
    photo = decode_photo(data, "in")
    wanted = (150, 300) if turned else (300, 150)
    assert photo.metadata.dpi == pytest.approx(wanted, abs=0.1)
    if start != "TIFF":  # which has them once, in Metadata.dpi
        kept = exif_of(data)
        assert (kept[0x011A], kept[0x011B]) == wanted


@pytest.mark.parametrize("end", FORMATS)
def test_rotation_is_asked_for_no_longer(end: Any) -> None:
    data = pillow("JPEG", exif=exif_block(6), xmp=XMP)
    out = carried(data, end)
    photo = decode_photo(out, "out")
    assert photo.pixels.shape == (36, 24, 3)
    assert exif_of(out).get(0x0112, 1) == 1
    assert photo.metadata.xmp is not None and b'tiff:Orientation="1"' in photo.metadata.xmp
    with Image.open(io.BytesIO(out)) if end != "HEIF" else Image.new("RGB", (24, 36)) as image:
        assert image.size == (24, 36) and image.getexif().get(0x0112, 1) == 1


def block_with_thumbnail(order: str) -> bytes:
    """A maker's note with an offset into the block, an orientation, and a thumbnail at the end."""
    pack, thumbnail = (lambda form, *v: struct.pack(order + form, *v)), b"\xff\xd8" + b"old" * 30
    mark = b"II*\0" if order == "<" else b"MM\0*"
    main = pack("H", 3) + pack("HHL", 0x0112, 3, 1) + pack("HH", 6, 0)
    main += pack("HHLL", 0x927C, 7, 8, 100) + pack("HHLL", 0xC000, 4, 1, 100) + pack("L", 60)
    head = (mark + pack("L", 8) + main).ljust(60, b"\0")
    second = pack("H", 2) + pack("HHLL", 0x0201, 4, 1, 108)
    second += pack("HHLL", 0x0202, 4, 1, len(thumbnail)) + pack("L", 0)
    return (head + second).ljust(100, b"\0") + b"MAKERNOT" + thumbnail


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_thumbnail_goes_and_nothing_else_moves(order: str) -> None:
    orientation, block = blocks.neutral(block_with_thumbnail(order))
    assert orientation == 6 and b"old" not in block and block[100:108] == b"MAKERNOT"
    found, directory = blocks.parse(block)
    assert found == order and set(directory.tags) == {0x927C, 0xC000}
    assert directory.tags[0x927C].data == b"MAKERNOT"
    exif = Image.Exif()
    exif.load(block)
    assert not exif.get_ifd(1) and exif.get(0x0112) is None


@pytest.mark.parametrize(
    "block", [b"", b"II*\0", b"II*\0\x08\0\0\0", b"MM\0*\0\0\0\x08\xff\xff", b"x" * 40]
)
def test_damaged_exif_is_left_out_and_told(
    block: bytes, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    Image.fromarray(colours()).save(tmp_path / "a.jpg", exif=b"Exif\0\0" + block)
    photo = read_photo(tmp_path / "a.jpg")
    assert photo.metadata.exif is None
    told = "photo .*a.jpg has EXIF data that are damaged and left out"
    assert [r.getMessage() for r in caplog.records] == ([] if not block else [f"photo {tmp_path}/a.jpg "
        "has EXIF data that are damaged and left out"]), told  # fmt: skip


def test_tags_that_share_bytes_are_no_memory_bomb() -> None:
    tag = struct.pack("<HHLL", 0xC000, 7, 60000, 8)
    block = b"II*\0\x08\0\0\0" + struct.pack("<H", 4000) + tag * 4000 + bytes(20000)
    entries = b"".join(struct.pack("<HHLL", 0xC000 + n, 7, 60000, 8) for n in range(4000))
    block = b"II*\0\x08\0\0\0" + struct.pack("<H", 4000) + entries + bytes(20000)
    with pytest.raises(ValueError, match="more bytes than the block has"):
        blocks.parse(block)


@pytest.mark.parametrize("end", ["JPEG", "PNG", "TIFF"])
@pytest.mark.parametrize("start", ["JPEG", "PNG", "TIFF", "BMP"])
def test_resolution_is_kept(start: str, end: Any) -> None:
    out = carried(pillow(start, dpi=(300, 150)), end)
    with Image.open(io.BytesIO(out)) as image:
        assert image.info["dpi"] == pytest.approx((300, 150), rel=0.001)


@pytest.mark.parametrize("end", ["WEBP", "AVIF", "HEIF"])
def test_resolution_that_is_lost_is_told(end: Any, caplog: pytest.LogCaptureFixture) -> None:
    carried(pillow("PNG", dpi=(300, 300)), end)
    assert "photo in: out (" in caplog.text and "its resolution (300 dpi)" in caplog.text


COLOUR = [
    (b"gAMA", struct.pack(">I", 100000)),
    (b"cHRM", struct.pack(">8I", *range(31270, 31278))),
    (b"cICP", bytes([9, 16, 0, 1])),
    (b"mDCV", bytes(24)),
    (b"cLLI", bytes(8)),
]
TEXT = [
    (b"tEXt", b"Author\0me"),
    (b"zTXt", b"parameters\0\0" + zlib.compress(b"a tree")),
    (b"iTXt", b"Titel\0\0\0de\0Title\0" + "Bäume".encode()),
]


@pytest.mark.parametrize("mode", ["RGB", "L", "LA", "RGBA", "P", "I;16"])
def test_png_chunks_go_from_png_to_png(mode: str) -> None:
    image = Image.fromarray(np.full((8, 8), 999, np.uint16)) if mode == "I;16" else None
    buffer = io.BytesIO()
    (image or Image.fromarray(colours()).convert(mode)).save(buffer, "PNG")
    out = carried(with_chunks(buffer.getvalue(), *COLOUR, *TEXT), "PNG")
    for kind, body in [*COLOUR, *TEXT]:
        assert kind + body in out, kind
    assert out.index(b"gAMA") < out.index(b"IDAT")
    with Image.open(io.BytesIO(out)) as reopened:
        reopened.load()
        assert reopened.text["Author"] == "me"  # type: ignore[attr-defined]


@pytest.mark.parametrize("end", ["JPEG", "TIFF", "WEBP", "AVIF", "HEIF"])
def test_png_chunks_that_are_lost_are_told_in_one_note(
    end: Any, caplog: pytest.LogCaptureFixture
) -> None:
    carried(with_chunks(pillow("PNG"), *COLOUR, *TEXT), end)
    (record,) = caplog.records
    for word in ("photo in: out (", "gAMA", "cHRM", "cICP", "Author, parameters, Titel"):
        assert word in record.getMessage()


@pytest.mark.parametrize("end", ["JPEG", "TIFF", "WEBP", "AVIF", "HEIF"])
def test_srgb_becomes_a_profile(end: Any, caplog: pytest.LogCaptureFixture) -> None:
    chunks = ((b"sRGB", b"\0"), (b"gAMA", struct.pack(">I", 45455)))
    profile = decode_photo(
        carried(with_chunks(pillow("PNG"), *chunks), end), "out"
    ).metadata.icc_profile
    assert profile is not None and not caplog.records
    assert "sRGB" in ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(io.BytesIO(profile)))


def test_comments_are_texts_of_png_and_back() -> None:
    png = carried(pillow("JPEG", comment=b"a tree"), "PNG")
    with Image.open(io.BytesIO(png)) as image:
        assert image.text["Comment"] == "a tree"  # type: ignore[attr-defined]
    with Image.open(io.BytesIO(carried(png, "JPEG"))) as image:
        assert image.info["comment"] == b"a tree"


def resource(number: int, body: bytes) -> bytes:
    return b"8BIM" + struct.pack(">HHI", number, 0, len(body)) + body + bytes(len(body) % 2)


def test_iptc_goes_between_jpeg_and_tiff_without_its_thumbnail(caplog: Any) -> None:
    iptc, thumbnail = resource(1028, b"\x1c\x02\x78\0\4tree"), resource(1036, b"old picture")
    body = b"Photoshop 3.0\0" + thumbnail + iptc
    jpeg = pillow("JPEG", extra=b"\xff\xed" + struct.pack(">H", len(body) + 2) + body)
    in_tiff = carried(jpeg, "TIFF")
    assert tifffile.TiffFile(io.BytesIO(in_tiff)).pages.first.tags[34377].value == iptc
    with Image.open(io.BytesIO(carried(in_tiff, "JPEG"))) as image:
        assert image.info["photoshop"] == {1028: b"\x1c\x02\x78\0\4tree"}
    assert not caplog.records
    carried(jpeg, "PNG")
    assert "its IPTC and other Photoshop data" in caplog.text


@pytest.mark.parametrize(
    ("metadata", "words"),
    [
        (Metadata(exif=blocks.serialise("<", blocks.Directory({0x927C: blocks.Tag(7, 70000, bytes(70000)),
            0x010F: blocks.Tag(2, 6, b"Maker\0")}))), "all of its EXIF data (70044 bytes; 65527 fit)"),
        (Metadata(xmp=bytes(70000)), "its XMP data (70000 bytes; 65504 fit)"),
        (Metadata(photoshop=bytes(70000)), "its IPTC and other Photoshop data (70000 bytes; 65519 fit)"),
        (Metadata(icc_profile=bytes(17_000_000)), "its colour profile (17000000 bytes; 16707345 fit)"),
    ],
)  # fmt: skip
def test_what_is_too_long_for_jpeg_is_left_out_and_told(
    metadata: Metadata, words: str, caplog: pytest.LogCaptureFixture
) -> None:
    data = encode_photo(Photo(colours(), metadata=metadata, name="a.tif"), "JPEG", name="b.jpg")
    (record,) = caplog.records
    assert record.getMessage() == f"photo a.tif: b.jpg (JPEG) cannot hold {words}: left out"
    if metadata.exif:  # the short values stay
        assert exif_of(data)[0x010F] == "Maker" and exif_of(data).get(0x927C) is None


def test_a_long_profile_is_cut_into_segments() -> None:
    profile = SRGB.ljust(200_000, b"\1")
    data = encode_photo(Photo(colours(), metadata=Metadata(icc_profile=profile)), "JPEG")
    assert decode_photo(data, "a").metadata.icc_profile == profile


def test_tiff_with_long_tags_to_jpeg(caplog: pytest.LogCaptureFixture) -> None:
    tags = [(34377, 7, 90000, bytes(90000), True), (50000, 7, 90000, bytes(90000), True)]
    tags += [(315, 2, 0, "me", True), (37724, 7, 90000, b"old picture" + bytes(89989), True)]
    data = tiff(colours(), photometric="rgb", extratags=tags)
    photo = decode_photo(data, "a.tif")
    assert photo.notes == ("has Photoshop layers, which are left out",)
    out = encode_photo(photo, "JPEG", name="b.jpg")
    assert exif_of(out)[315] == "me"
    (record,) = caplog.records
    assert "EXIF data" in record.getMessage() and "Photoshop data" in record.getMessage()
    assert b"old picture" not in encode_photo(photo, "TIFF")


HDR_XMP = b'<x:xmpmeta><rdf:Description xmlns:hdrgm="x" hdrgm:Version="1.0"/></x:xmpmeta>'


def with_brand(data: bytes) -> bytes:
    """A HEIC file with the brand of pictures with a gain map."""
    assert b"miaf" in data[:64]
    return data.replace(b"miaf", b"tmap", 1)


def test_gain_maps_are_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    small = Image.fromarray(colours()[::2, ::2, 0])
    files = {
        "mpo.jpg": pillow("MPO", save_all=True, append_images=[small]),
        "ultra.jpg": pillow("MPO", save_all=True, append_images=[small], xmp=HDR_XMP),
        "iso.jpg": pillow("JPEG", extra=b"\xff\xe2\0\x1furn:iso:std:iso:ts:21496:-1\0\0"),
        "xmp.avif": pillow("AVIF", xmp=HDR_XMP),
        "tone.heic": with_brand(heic()),
    }
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
        caplog.clear()
        photo = read_photo(tmp_path / name)
        (record,) = caplog.records
        assert name in record.getMessage() and "gain map" in record.getMessage(), name
        write_photo(tmp_path / "out.jpg", photo)
        assert b"hdrgm" not in (tmp_path / "out.jpg").read_bytes()
        with Image.open(tmp_path / "out.jpg") as image:
            assert getattr(image, "n_frames", 1) == 1


def test_content_credentials_and_extended_xmp_are_told() -> None:
    extended = b"http://ns.adobe.com/xmp/extension/\0" + bytes(60)
    extra = b"\xff\xe1" + struct.pack(">H", len(extended) + 2) + extended + b"\xff\xeb\0\6JP\0\0"
    notes = decode_photo(pillow("JPEG", extra=extra), "a").notes
    assert [("extended XMP" in n, "content credentials" in n) for n in notes] == [
        (True, False),
        (False, True),
    ]


def test_motion_photos_are_told() -> None:
    photo = decode_photo(pillow("JPEG", xmp=b'<x GCamera:MotionPhoto="1"/>'), "a")
    assert photo.notes == ("has a video (a motion photo), which is left out",)
    assert photo.metadata.xmp is None


def test_thumbnails_inside_xmp_go() -> None:
    xmp = (
        b"<x:xmpmeta><xmp:Thumbnails><rdf:Alt>old</rdf:Alt></xmp:Thumbnails><a>tree</a></x:xmpmeta>"
    )
    kept = decode_photo(pillow("WEBP", xmp=xmp), "a").metadata.xmp
    assert kept is not None and b"old" not in kept and b"<a>tree</a>" in kept


@pytest.mark.parametrize(("subsampling", "turn"), [(0, 1), (1, 1), (2, 1), (1, 6), (2, 8)])
@pytest.mark.parametrize("quality", [35, 80])
def test_a_jpeg_photo_is_coded_as_it_was(quality: int, subsampling: int, turn: int) -> None:
    data = pillow("JPEG", quality=quality, subsampling=subsampling, exif=exif_block(turn))
    with (
        Image.open(io.BytesIO(data)) as before,
        Image.open(io.BytesIO(carried(data, "JPEG"))) as after,
    ):
        tables = {n: np.reshape(t, (8, 8)) for n, t in before.quantization.items()}  # type: ignore[attr-defined]
        for number, table in after.quantization.items():  # type: ignore[attr-defined]
            wanted = tables[number].T if turn > 4 else tables[number]
            assert np.array_equal(np.reshape(table, (8, 8)), wanted)
        sampling = after.layer[0][1:3]  # type: ignore[attr-defined]
    assert sampling == {0: (1, 1), 1: (1, 1) if turn > 4 else (2, 1), 2: (2, 2)}[subsampling]


def test_quality_that_is_asked_for_counts() -> None:
    photo = decode_photo(pillow("JPEG", quality=30), "a")
    sizes = {q: len(encode_photo(photo, "JPEG", quality=q)) for q in (20, 60, 95)}
    assert sizes[20] < sizes[60] < sizes[95]
    for form in ("WEBP", "AVIF", "HEIF"):
        assert len(encode_photo(photo, form, quality=10)) < len(
            encode_photo(photo, form, quality=95)
        )  # type: ignore[arg-type]


def test_heic_is_read_with_all_it_says() -> None:
    photo = decode_photo(heic(), "a.heic")
    assert photo.form == "HEIF" and photo.pixels.shape == (36, 24, 3)  # turned, as its XMP says
    turned = np.rot90(colours(), -1).astype(int)
    assert np.abs(photo.pixels - turned).mean() < 8
    assert photo.metadata.xmp is not None
    assert exif_of(carried(heic(), "JPEG")).get_ifd(0x8769)[0x829A] == 0.5


def test_heic_with_premultiplied_alpha() -> None:
    import pillow_heif

    layers = np.full((64, 64, 4), 60, np.uint8)
    layers[..., 3] = 120
    file, buffer = pillow_heif.from_bytes("RGBA", (64, 64), layers.tobytes()), io.BytesIO()
    file.premultiplied_alpha = True
    file.save(buffer, quality=-1)
    photo = decode_photo(buffer.getvalue(), "a.heic")
    assert np.abs(photo.pixels.astype(int) - 128).max() <= 3 and (photo.alpha == 120).all()


def test_chunks_are_named_by_their_keywords() -> None:
    photo = Photo(colours(), metadata=Metadata(text=(Chunk(b"tEXt", b"Comment\0x"),)))
    assert b"\xff\xfe\0\3x" in encode_photo(photo, "JPEG")


@pytest.mark.parametrize("kind", ["jpeg", "png", "webp", "heic"])
def test_other_programs_find_the_directories_in_our_tiff(kind: str) -> None:
    out = carried(whole(kind) if kind != "heic" else heic(), "TIFF")
    with Image.open(io.BytesIO(out)) as image:
        exif = image.getexif()
        assert exif[0x010F] == "Maker" and exif.get_ifd(0x8769)[0x829A] == 0.5
        assert exif.get_ifd(0x8825)[2] == (51.0, 30.0, 0.0) and exif.get_ifd(0xA005)[1] == "R98"
    with tifffile.TiffFile(io.BytesIO(out)) as file:
        tags = file.pages.first.tags
        assert tags[34665].value["ExposureTime"] == 0.5
        assert tags[34853].value["GPSLatitudeRef"] == "N"


@pytest.mark.parametrize("start", ["TIFF", "PNG"])
def test_profiles_and_texts_of_megabytes_are_no_reason_to_refuse_a_png(start: Any) -> None:
    profile = SRGB + np.random.default_rng(0).bytes(2_000_000)
    text = (b"zTXt", b"workflow\0\0" + zlib.compress(bytes(3_000_000)))
    first = encode_photo(Photo(colours(), metadata=Metadata(profile)), start)
    png = carried(first, "PNG")
    photo = decode_photo(with_chunks(png, text), "a.png")
    assert photo.metadata.icc_profile == profile
    assert photo.metadata.text == (Chunk(*text),)


def test_a_damaged_profile_is_left_out() -> None:
    data = with_chunks(pillow("PNG"), (b"iCCP", b"icc\0\0damaged"))
    assert decode_photo(data, "a.png").metadata.icc_profile is None


def test_raw_profiles_in_png_texts_are_exif() -> None:
    block = exif_block(6)
    raw = b"\nexif\n%8d\n%s\n" % (len(block), block.hex().encode())
    data = with_chunks(pillow("PNG"), (b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(raw)))
    photo = decode_photo(data, "a.png")
    assert photo.pixels.shape == (36, 24, 3) and photo.metadata.text == ()
    assert exif_of(encode_photo(photo, "PNG"))[0x010F] == "Maker"


def test_a_comment_too_long_for_jpeg_is_told(caplog: pytest.LogCaptureFixture) -> None:
    data = with_chunks(pillow("PNG"), (b"tEXt", b"Comment\0" + b"x" * 70000))
    with Image.open(io.BytesIO(carried(data, "JPEG"))) as image:
        assert "comment" not in image.info
    assert "its texts (Comment)" in caplog.text


@pytest.mark.parametrize("turn", [1, 3, 6])
def test_sides_in_exif_turn_with_the_photo(turn: int) -> None:
    exif = Image.Exif()
    exif.load(exif_block(turn))
    exif[0x0100], exif[0x0101] = 36, 70000  # of different types
    exif.get_ifd(0x8769)[0xA002], exif.get_ifd(0x8769)[0xA003] = 36, 24
    out = exif_of(carried(pillow("JPEG", exif=exif.tobytes()), "JPEG"))
    sides = out[0x0100], out[0x0101], out.get_ifd(0x8769)[0xA002], out.get_ifd(0x8769)[0xA003]
    assert sides == ((70000, 36, 24, 36) if turn == 6 else (36, 70000, 36, 24))


def test_colours_of_avif_and_heic_by_numbers_are_pngs_cicp(caplog: Any) -> None:
    for data in (pillow("AVIF"), heic()):
        caplog.clear()
        place = data.index(b"colrnclx")
        hdr = data[: place + 8] + struct.pack(">HH", 9, 16) + data[place + 12 :]  # BT.2100, PQ
        assert decode_photo(data, "a").metadata.colour == ()
        assert b"cICP\x09\x10\0\1" in carried(hdr, "PNG") and not caplog.records
        carried(hdr, "JPEG")
        assert "photo in: out (JPEG) cannot hold" in caplog.text and "cICP" in caplog.text
