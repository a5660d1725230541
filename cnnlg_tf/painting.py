"""Painting as files: what `cnnlg-tf paint` does, with its samples and their contact sheet."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cnnlg_tf.errors import ConfigError, ImageError
from cnnlg_tf.inference.canvas import extended
from cnnlg_tf.inference.inpainter import Inpainter, Repair, check_name, names_beside
from cnnlg_tf.inference.sketch import as_sketch
from cnnlg_tf.photos import (
    Photo,
    as_mask,
    as_photo,
    check_mask_size,
    from_unit,
    is_photo_name,
    output_format,
    read_photo,
    to_unit,
    write_photo,
)

if TYPE_CHECKING:
    from cnnlg_tf.inference.network import Network
    from cnnlg_tf.models.cnnlg import CNNLG


def paint_file(
    photo: str | Path,
    output: str | Path,
    *,
    extension: str | None = None,
    mask: str | Path | None = None,
    sketch: str | Path | None = None,
    reference: Sequence[str | Path] = (),
    samples: int = 0,
    model: "Network | CNNLG | str | Path | None" = None,
    **options: Any,
) -> list[Path]:
    """Paint beyond a photo's frame, or in its hole; write it, its samples and their contact sheet.

    Beside OUT.png come OUT_sample1.png, ..., and from two samples on OUT_sheet.png. All files are read before a network
    is opened.

    Args:
        extension: as `Inpainter.extend` takes it; or
        mask: where to paint.
        sketch, samples: as of `Inpainter.repair`.
        reference: pictures, or folders of them.
        model: as `Inpainter` takes it.
        options: further ones of `Inpainter.repair_file`.

    Returns:
        The files written, `output` first.

    Raises:
        CnnlgError: a file cannot be read or written, or an option is out of range.
    """
    output = Path(output)
    _check_output(output, samples)
    if os.path.exists(output) and os.path.exists(photo) and os.path.samefile(output, photo):
        raise ImageError(f"the output must be another file than the photo. Received: {output}")
    if (extension is None) == (mask is None):
        raise ConfigError(
            "either an extension or a mask says where to paint. Received: both or none"
        )
    source = read_photo(photo)
    arguments: dict[str, Any] = {"samples": samples, **options}
    if extension is not None:
        source, hole, arguments["stages"] = extended(source, extension)
    else:
        hole = as_mask(mask)
        check_mask_size(hole, source.pixels)
    if sketch is not None:
        arguments["sketch"] = drawn = read_photo(sketch)
        as_sketch(drawn, *hole.shape)  # told before a network is opened
    arguments["reference"] = read_references(reference)
    found: list[Repair] = []
    inpainter = Inpainter(model)
    written = inpainter.repair_file(source, hole, output, on_repair=found.append, **arguments)
    if samples > 1:
        pictures = [source.with_pixels(pixels).on_white() for pixels in found[0].samples]
        written.append(_write_sheet(output, pictures))
    return written


def paint_new_file(
    output: str | Path,
    height: int,
    width: int,
    *,
    reference: Sequence[str | Path] = (),
    samples: int = 0,
    seed: int = 0,
    quality: int | None = None,
    model: "Network | CNNLG | str | Path | None" = None,
    **options: Any,
) -> list[Path]:
    """Draw a picture from nothing, and so many further ones; the files are named as those of `paint_file`.

    Args:
        height, width, seed, options: as of `Inpainter.new`; further ones have the seeds that follow.
    """
    output = Path(output)
    _check_output(output, samples)
    references = read_references(reference)
    inpainter = Inpainter(model)
    names = [output, *names_beside(output, samples=samples)]
    pictures = []
    for number, name in enumerate(names):
        drawn = inpainter.new(height, width, reference=references, seed=seed + number, **options)
        write_photo(name, Photo(drawn), quality=quality)
        pictures.append(drawn)
    if samples > 1:
        names.append(_write_sheet(output, pictures[1:]))
    return names


def read_references(paths: Sequence[str | Path]) -> list[Photo]:
    """Pictures, and those of folders in the order of their names.

    Raises:
        ImageError: one cannot be read, or a folder holds none.
    """
    photos: list[Photo] = []
    for path in map(Path, paths):
        if not os.path.isdir(path):
            photos.append(as_photo(path, "reference"))
            continue
        inside = sorted(file for file in path.iterdir() if is_photo_name(file) and file.is_file())
        if not inside:
            raise ImageError(
                f"a folder of references must hold pictures. Received: {path}, which has none"
            )
        photos += [as_photo(file, "reference") for file in inside]
    return photos


def _check_output(output: Path, samples: int) -> None:
    output_format(output)
    for name in (output, *names_beside(output, samples=samples), _sheet_name(output)):
        check_name(name)


def _sheet_name(output: Path) -> Path:
    return output.with_name(f"{output.stem}_sheet.png")


def _write_sheet(output: Path, pictures: Sequence[np.ndarray]) -> Path:
    from cnnlg_tf.evaluation.contact_sheet import contact_sheet

    names = [f"sample {number}" for number in range(1, len(pictures) + 1)]
    eight_bit = [from_unit(to_unit(picture), np.uint8) for picture in pictures]
    path = _sheet_name(output)
    write_photo(path, Photo(contact_sheet(eight_bit, names)))
    return path
