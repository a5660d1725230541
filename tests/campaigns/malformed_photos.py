"""Malformed photo and mask files: cut, bits flipped, tags and profiles damaged.

Must hold: a picture or one CnnlgError; what is written is whole; at most 2 GiB of memory. The decoders
run in a process of their own, so that one that dies is seen and named by its seed.
"""

import io
import logging
import multiprocessing
import random
import struct
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from PIL import Image, ImageCms, PngImagePlugin

from tests.campaigns.harness import Budget, Report, broken, main, own_mebibytes, promise

_MOST_MEBIBYTES = 2048
_BATCH = 500


def campaign(budget: Budget, dice: random.Random, folder: Path) -> Report:
    """Decode broken files in processes of their own, a batch each."""
    report = Report()
    context = multiprocessing.get_context("spawn")
    most = 0.0
    while budget.done < budget.count and budget.elapsed() < budget.seconds:
        seed, count = dice.randrange(2**32), min(_BATCH, budget.count - budget.done)
        ours, theirs = context.Pipe(duplex=False)
        process = context.Process(target=_work, args=(theirs, seed, count))
        process.start()
        theirs.close()
        try:
            outcomes, peak, fault = ours.recv()
        except EOFError:
            process.join()
            outcomes, peak, fault = {}, 0.0, f"the process of seed {seed} died: {process.exitcode}"
        process.join()
        promise(not fault, fault)
        report.outcomes.update(outcomes)
        most = max(most, peak)
        budget.done += count
    report.figures = {"most_mebibytes": round(most)}
    promise(most < _MOST_MEBIBYTES, f"decoding took {most:.0f} MiB")
    return report


def _work(pipe: Any, seed: int, count: int) -> None:
    outcomes: dict[str, int] = {}
    fault, dice = "", random.Random(seed)
    logging.disable()  # notes on what masks and photos hold
    with tempfile.TemporaryDirectory() as folder:
        for index in range(count):
            try:
                outcome = attack(dice, Path(folder))
            except Exception as error:
                fault = f"file {index} of seed {seed}: {type(error).__name__}: {error}"
                break
            outcomes[outcome] = outcomes.get(outcome, 0) + 1
    pipe.send((outcomes, _peak_mebibytes(), fault))


def attack(dice: random.Random, folder: Path) -> str:
    """Decode one broken file as a photo or a mask, and write what comes out; says what came."""
    from cnnlg_tf.errors import CnnlgError
    from cnnlg_tf.photos import decode_mask, decode_photo, output_format, read_photo, write_photo

    name, data = dice.choice(_seeds())
    for _ in range(dice.choice((1, 1, 2))):
        data = _retagged(data, dice) if dice.random() < 0.3 else broken(data, dice)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            if dice.random() < 0.3:
                mask = decode_mask(data, name)
                promise(mask.dtype == bool and mask.ndim == 2, f"a mask is {mask.shape}")
                return "mask"
            photo = decode_photo(data, name)
        except CnnlgError as error:
            promise("\n" not in str(error).strip(), f"an error of several lines: {error}")
            return "error"
    promise(
        photo.pixels.ndim == 3 and photo.pixels.shape[2] == 3, f"a photo is {photo.pixels.shape}"
    )
    if dice.random() < 0.2:
        path = folder / f"out{dice.choice(('.png', '.jpg', '.tif', '.webp'))}"
        output_format(path)
        try:
            write_photo(path, photo)
        except CnnlgError:
            promise(not list(folder.iterdir()), "a failed write left a file")
            return "unwritten"
        promise([*folder.iterdir()] == [path], f"a write left {[*folder.iterdir()]}")
        read_photo(path)
        path.unlink()
        return "written"
    return "photo"


def _retagged(data: bytes, dice: random.Random) -> bytes:
    """Another number in the first TIFF directory there is: in a TIFF file, or in EXIF."""
    for mark in (b"II*\0", b"MM\0*"):
        start = data.find(mark)
        if start < 0 or len(data) < start + 10:
            continue
        order = "<" if mark[:1] == b"I" else ">"
        place = start + struct.unpack_from(f"{order}I", data, start + 4)[0]
        if place + 14 > len(data):
            continue
        count = struct.unpack_from(f"{order}H", data, place)[0]
        entry = place + 2 + 12 * dice.randrange(max(1, min(count, 40)))
        result = bytearray(data)
        field = dice.choice(((0, "H"), (2, "H"), (4, "I"), (8, "I")))
        value = dice.choice((0, 1, 2, 3, 7, 16, 255, 65535, 2**31, 2**32 - 1))
        if entry + 12 <= len(data):
            limit = 0xFFFF if field[1] == "H" else 0xFFFFFFFF
            struct.pack_into(f"{order}{field[1]}", result, entry + field[0], value & limit)
        return bytes(result)
    return broken(data, dice)


_made: list[tuple[str, bytes]] = []


def _seeds() -> list[tuple[str, bytes]]:
    """Whole files of many kinds, made once."""
    if _made:
        return _made
    numbers = np.random.default_rng(0)
    rgb = numbers.integers(0, 255, (24, 32, 3), np.uint8)
    deep = numbers.integers(0, 65535, (24, 32, 3), np.uint16)
    alpha = np.dstack([rgb, numbers.integers(0, 255, (24, 32), np.uint8)])
    exif = Image.Exif()
    exif[0x0112], exif[0x010E], exif[0x0131] = 6, "seed", "campaign"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    extras = {"exif": exif.tobytes(), "icc_profile": profile}
    texts = PngImagePlugin.PngInfo()
    texts.add_text("Title", "seed")
    texts.add_itxt("XML:com.adobe.xmp", "<x/>")

    def save(name: str, array: np.ndarray, kind: str, mode: str = "", **options: Any) -> None:
        image = Image.fromarray(array)
        buffer = io.BytesIO()
        (image.convert(mode) if mode else image).save(buffer, kind, **options)
        _made.append((name, buffer.getvalue()))

    save("a.png", rgb, "PNG", pnginfo=texts, dpi=(300, 300), **extras)
    save("b.png", alpha, "PNG")
    save("c.png", rgb, "PNG", "P")
    save("d.png", rgb, "PNG", "1")
    save("e.png", deep[..., 0], "PNG")
    save("f.jpg", rgb, "JPEG", **extras)
    save("g.jpg", rgb, "JPEG", "CMYK")
    save("h.jpg", rgb, "JPEG", "L", progressive=True)
    save("i.webp", alpha, "WEBP", lossless=True, **extras)
    save("j.webp", rgb, "WEBP", **extras)
    save("k.gif", rgb, "GIF", "P", save_all=True, append_images=[Image.new("P", (32, 24))])
    save("l.bmp", rgb, "BMP")
    save("m.tif", rgb, "TIFF", compression="tiff_lzw", **extras)
    save("n.tif", rgb, "TIFF", "CMYK")
    save("o.avif", rgb, "AVIF", **extras)
    save("p.ppm", rgb, "PPM")
    save("q.ico", rgb, "ICO")
    for index, (array, options) in enumerate(
        (
            (deep, {"photometric": "rgb"}),
            (deep.transpose(2, 0, 1), {"photometric": "rgb", "planarconfig": "separate"}),
            (rgb.astype(np.float32) / 255, {"photometric": "rgb"}),
            (deep[..., 0], {"photometric": "miniswhite"}),
            (alpha, {"photometric": "rgb", "extrasamples": ["assocalpha"], "compression": "zlib"}),
            (rgb[..., 0], {"photometric": "minisblack", "tile": (16, 16)}),
        )
    ):
        buffer = io.BytesIO()
        tifffile.imwrite(buffer, array, **options)
        _made.append((f"t{index}.tif", buffer.getvalue()))
    return _made


def _peak_mebibytes() -> float:
    import resource

    return max(own_mebibytes(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


if __name__ == "__main__":
    main(campaign, count=100_000, seconds=4 * 3600)
