"""Make a study: repair photos by every method, and write the page that asks people about them.

The page is one file with all pictures in it, under names that tell nothing; what is what stands in key.json
alone. An artist gets the folder `cases`, retouches the photos in it, and takes part with the files.
"""

import base64
import io
import json
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import numpy.typing as npt
from jinja2 import Environment, PackageLoader, StrictUndefined
from PIL import Image

from cnnlg_tf.config import MaskKind
from cnnlg_tf.errors import ConfigError, ImageError
from cnnlg_tf.evaluation.cases import Case, CaseSet, Fit
from cnnlg_tf.evaluation.peers import PEERS, Peer
from cnnlg_tf.evaluation.pictures import with_hole
from cnnlg_tf.experiments.study.answers import PAGE, Key, save_key
from cnnlg_tf.experiments.study.design import INTACT, SPOILT, make_sheets
from cnnlg_tf.files import atomic_path
from cnnlg_tf.photos import Photo, read_photo, write_photo

if TYPE_CHECKING:
    from cnnlg_tf.inference.inpainter import Inpainter

ORIGINAL, OURS = "original", "cnnlg"
READY = (ORIGINAL, "telea", "patchmatch", OURS)
CASES = "cases"
QUALITY = 92  # of the page's JPEG files, the same for all methods
TILE = 24  # pixels of the tiles that spoil a catch trial's picture

Pixels = npt.NDArray[np.uint8]
Method = Callable[[str, Case], Pixels]
"""Gives its picture of a case of that name."""


@dataclass(frozen=True)
class StudyOptions:
    """What is asked. `questions` and `catches` are a judge's at most; masks take turns over photos."""

    masks: Sequence[MaskKind] = ("wide", "box")
    size: int = 256
    fit: Fit = "crop"
    limit: int | None = 40
    seed: int = 0
    questions: int = 60
    catches: int = 6
    title: str = "Which picture looks untouched?"


def make_study(
    photos: str | Path,
    out: str | Path,
    *,
    methods: Sequence[str] = READY,
    inpainter: "Callable[[], Inpainter] | None" = None,
    retouched: Mapping[str, str | Path] | None = None,
    options: StudyOptions | None = None,
    on_case: Callable[[int, int], None] | None = None,
) -> Key:
    """Write study.html, key.json and the folder `cases` into `out`.

    Args:
        photos: folder of photos.
        out: the study's folder; it must not hold a study yet: answers belong to one page.
        methods: `original`, `cnnlg`, and names of `evaluation.peers.PEERS`.
        inpainter: opens what `cnnlg` repairs with; called only if it is among the methods.
        retouched: further methods: a name for readers, and the folder of files retouched by it,
            named as those of `cases`.
        options: what is asked.
        on_case: called with the photos done and the photos in all.

    Raises:
        ConfigError: a method is unknown, there are fewer than two, or `out` holds a study.
        DataError: no photo can be used.
        ImageError: a retouched file is missing or has another size than its photo.
        MissingExtraError: a method's package is not installed.
    """
    options, out = options or StudyOptions(), Path(out)
    if (out / PAGE).exists():
        raise ConfigError(f"{out} must not hold a study yet: its answers would mix with another's")
    titles, repairs = _methods(methods, inpainter, retouched or {})
    cases = _cases(Path(photos), options)
    sheets = make_sheets(
        list(cases), list(titles), options.questions, options.catches, options.seed
    )
    pictures: dict[tuple[str, str], str] = {}
    for done, (name, case) in enumerate(cases.items(), 1):
        _write_case(case, out / CASES / name)
        for method, repair in repairs.items():
            pictures[name, method] = _data_uri(_inside(case, repair(name, case)))
        pictures[name, INTACT] = _data_uri(case.image)
        pictures[name, SPOILT] = _data_uri(spoil(case.image))
        if on_case:
            on_case(done, len(cases))
    settings = {
        "photos": str(photos),
        "photo_count": len(cases),
        "masks": list(options.masks),
        "size": options.size,
        "fit": options.fit,
        "seed": options.seed,
        "retouched": {name: str(folder) for name, folder in (retouched or {}).items()},
    }
    key = Key(secrets.token_hex(8), titles, sheets, settings)
    save_key(key, out)
    with atomic_path(out / PAGE) as path:
        path.write_text(_page(key, pictures, options), encoding="utf-8")
    return key


def _methods(
    names: Sequence[str],
    inpainter: "Callable[[], Inpainter] | None",
    retouched: Mapping[str, str | Path],
) -> tuple[dict[str, str], dict[str, Method]]:
    """Method -> title, and method -> what makes its picture of a case."""
    titles: dict[str, str] = {}
    repairs: dict[str, Method] = {}
    for name in names:
        if name == ORIGINAL:
            titles[name], repairs[name] = "original photo", lambda _, case: case.image
        elif name == OURS:
            titles[name], repairs[name] = "CNNLG", _ours(inpainter)
        elif name in PEERS:
            peer = PEERS[name]()
            titles[name], repairs[name] = peer.title, _theirs(peer)
        else:
            known = ", ".join((ORIGINAL, OURS, *PEERS))
            raise ConfigError(f"a method must be one of {known}. Received: {name!r}")
    for title, folder in retouched.items():
        if title in titles or not Path(folder).is_dir():
            raise ConfigError(
                f"retouched files need a name of their own and a folder. Received: {title}={folder}"
            )
        titles[title], repairs[title] = title, _from_folder(Path(folder))
    if len(titles) < 2:
        raise ConfigError(f"a study compares at least two methods. Received: {', '.join(titles)}")
    return titles, repairs


def _theirs(peer: Peer) -> Method:
    return lambda _, case: peer.repair(case.damaged, case.mask)


def _ours(inpainter: "Callable[[], Inpainter] | None") -> Method:
    from cnnlg_tf.inference.inpainter import Inpainter

    opened = inpainter() if inpainter else Inpainter()

    def repair(_: str, case: Case) -> Pixels:
        repaired: Pixels = opened.repair(case.damaged, case.mask).photo
        return repaired

    return repair


def _from_folder(folder: Path) -> Method:
    def repair(name: str, case: Case) -> Pixels:
        path = folder / f"{name}.png"
        pixels = read_photo(path).on_white()
        if pixels.shape != case.image.shape:
            raise ImageError(
                f"{path} must have the size of its case, {case.image.shape[:2]}. "
                f"Received: {pixels.shape[:2]}"
            )
        return pixels

    return repair


def _cases(photos: Path, options: StudyOptions) -> dict[str, Case]:
    """One case a photo by a name of its own, the kinds of masks in turn."""
    kinds = list(options.masks)
    every = CaseSet(photos, kinds, options.size, options.limit, options.seed, options.fit)
    found: dict[str, Case] = {}
    for number, case in enumerate(every):
        if number % len(kinds) != number // len(kinds) % len(kinds):
            continue
        whole = case.photo.replace("/", "_")
        name = whole.rpartition(".")[0]
        # a.jpg beside a.png, or x_a.jpg beside x/a.jpg
        while name in found:
            name, whole = whole, f"{whole}_"
        found[name] = case
    return found


def _inside(case: Case, picture: Pixels) -> Pixels:
    """The picture in the hole and the photo around it: nobody is judged by what was not missing."""
    return np.where(case.mask[..., None], picture, case.image)


def _write_case(case: Case, stem: Path) -> None:
    """What an artist gets: the photo with its hole, and the hole white on black."""
    write_photo(stem.parent / f"{stem.name}.png", Photo(with_hole(case)))
    mask = np.repeat(np.where(case.mask, np.uint8(255), np.uint8(0))[..., None], 3, axis=-1)
    write_photo(stem.parent / f"{stem.name}.mask.png", Photo(mask, grey=True))


def spoil(image: Pixels) -> Pixels:
    """The photo [height, width, 3] with its middle in coarse tiles: a catch trial's wrong answer."""
    height, width = image.shape[:2]
    small = cv2.resize(
        image, (max(1, width // TILE), max(1, height // TILE)), interpolation=cv2.INTER_AREA
    )
    tiles = cv2.resize(small, (width, height), interpolation=cv2.INTER_NEAREST)
    # Flat photos have no tiles to see: the middle is also darker on one side.
    tiles = np.clip(tiles.astype(np.float32) * np.linspace(0.5, 1.3, width)[None, :, None], 0, 255)
    spoilt = image.copy()
    part = np.s_[height // 4 : height - height // 4, width // 4 : width - width // 4]
    spoilt[part] = tiles[part].astype(np.uint8)
    return spoilt


def _data_uri(pixels: Pixels) -> str:
    encoded = io.BytesIO()
    Image.fromarray(pixels).save(encoded, "JPEG", quality=QUALITY, subsampling=0)
    return "data:image/jpeg;base64," + base64.b64encode(encoded.getvalue()).decode()


def _page(key: Key, pictures: Mapping[tuple[str, str], str], options: StudyOptions) -> str:
    """The page; pictures stand in random order, so that their numbers tell nothing."""
    used = {
        (question.photo, method)
        for sheet in key.sheets
        for question in sheet
        for method in (question.left, question.right)
    }
    # An untouched photo is there once, as a method's picture and as a catch trial's.
    order = sorted({pictures[each] for each in used})
    shuffled = [
        order[i] for i in np.random.default_rng(secrets.randbits(64)).permutation(len(order))
    ]
    number = {picture: place for place, picture in enumerate(shuffled)}
    data = {
        "study": key.study,
        "sheets": [
            [[number[pictures[q.photo, side]] for side in (q.left, q.right)] for q in sheet]
            for sheet in key.sheets
        ],
        "pictures": shuffled,
    }
    environment = Environment(
        loader=PackageLoader("cnnlg_tf.experiments.study", "."),
        autoescape=True,
        undefined=StrictUndefined,
    )
    # "</" would end the script's element.
    text = json.dumps(data, separators=(",", ":")).replace("</", "<\\/")
    template = environment.get_template("page.html")
    return template.render(title=options.title, data=text, size=options.size)
