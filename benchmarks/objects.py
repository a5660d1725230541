"""Removing objects: hole, PatchMatch and ours side by side on each photo, as one picture, with the figures.

    python benchmarks/objects.py --photos PHOTOS [--model MODEL] [--peer-cache FOLDER] -o docs/objects.jpg

Each photo is scaled to 512 px on its short side and gets one hole as large and as round as an object in it: a wavy
outline over 7 % of the centre square, at a place that the seed and the photo's bytes decide. The picture shows the
surroundings of each hole, one column a photo: hole, PatchMatch, ours. PatchMatch needs the extra `bench`.
"""

import hashlib
import time
from pathlib import Path

import click
import cv2
import numpy as np
from PIL import Image
from rich.console import Console

from cnnlg_tf.cli.reporting import Command
from cnnlg_tf.evaluation.cases import Case, CaseSet
from cnnlg_tf.evaluation.peers import PEERS
from cnnlg_tf.evaluation.pictures import with_hole
from cnnlg_tf.evaluation.report import as_table, conclusions
from cnnlg_tf.evaluation.results import OURS, Evaluation
from cnnlg_tf.photos import Photo, output_format, write_photo
from cnnlg_tf.startup import start_tensorflow

SIZE = 512  # pixels of the square that is repaired
SHARE = 0.07  # of its area that is missing
SHOWN = 320  # pixels around the hole that the picture shows
GAP = 6
PEER = "patchmatch"


def draw_object(size: int, rng: np.random.Generator) -> np.ndarray:
    """bool [size, size]: a wavy ellipse, upright or lying, away from the borders; True = missing."""
    angle = np.linspace(0, 2 * np.pi, 180, endpoint=False)
    radius = np.ones_like(angle)
    for wave in range(2, 6):
        phase = rng.uniform(0, 2 * np.pi)
        radius += rng.uniform(0, 0.35 / wave) * np.cos(wave * angle + phase)
    stretch = np.exp(rng.uniform(-0.35, 0.35))
    outline = np.stack(
        [radius * np.cos(angle) * stretch, radius * np.sin(angle) / stretch], axis=-1
    )
    x, y = outline.T
    area = 0.5 * abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1)))
    outline *= size * np.sqrt(SHARE / area)
    centre = rng.uniform(0.36, 0.64, 2) * size
    mask = np.zeros((size, size), np.uint8)
    cv2.fillPoly(mask, [np.rint(outline + centre).astype(np.int32)], 1)
    return mask > 0


def object_cases(photos: Path, limit: int | None, seed: int) -> list[Case]:
    """One case a photo."""
    cases = []
    for case in CaseSet(photos, ("box",), SIZE, limit, seed, "resize"):
        digest = hashlib.sha256(f"{seed}/".encode() + case.image.tobytes()).digest()
        mask = draw_object(SIZE, np.random.default_rng(int.from_bytes(digest, "big")))
        cases.append(Case(case.photo, "object", case.image, mask))
    return cases


@click.command(cls=Command)
@click.option("--photos", required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--model", help="What `cnnlg-tf evaluate` takes; default: the shipped model.")
@click.option("--limit", type=click.IntRange(min=1), help="Photos at most, in the order of names.")
@click.option("--seed", default=0, show_default=True, help="Of the holes.")
@click.option("--columns", default=5, show_default=True, help="Photos side by side.")
@click.option("--tile", default=224, show_default=True, help="Side of each picture in px.")
@click.option("--peer-cache", type=click.Path(), help="Folder that keeps PatchMatch's repairs.")
@click.option("-o", "--out", required=True, type=click.Path(path_type=Path))
def main(
    photos: Path,
    model: str | None,
    limit: int | None,
    seed: int,
    columns: int,
    tile: int,
    peer_cache: str | None,
    out: Path,
) -> None:
    """Repair every photo with both, draw them, and print what `cnnlg-tf evaluate` would."""
    output_format(out)
    peer = PEERS[PEER]()
    cases = object_cases(photos, limit, seed)
    start_tensorflow()
    from cnnlg_tf.evaluation.cache import PeerCache, peer_result
    from cnnlg_tf.evaluation.scoring import FfdTotals, Scorer, row_of
    from cnnlg_tf.inference.inpainter import Inpainter

    inpainter, scorer = Inpainter(model), Scorer()
    inpainter.repair(cases[0].damaged, cases[0].mask)  # tracing is no part of the seconds
    store = None if peer_cache is None else PeerCache(peer_cache)
    rows, totals, panels = [], FfdTotals(), []
    for case in cases:
        start = time.perf_counter()
        ours = inpainter.repair(case.damaged, case.mask).photo
        found = {
            PEER: peer_result(peer, case, scorer, store),
            OURS: scorer.score(case, ours, time.perf_counter() - start),
        }
        totals.add_true(case.kind, scorer.true_moments(case))
        for method, scored in found.items():
            rows.append(row_of(case, method, scored))
            totals.add(case.kind, method, scored.moments)
        mine, theirs = (found[method].scores.lpips for method in (OURS, PEER))
        click.echo(f"{case.photo}: LPIPS {mine:.3f}, {peer.title} {theirs:.3f}")
        pictures = (with_hole(case), found[PEER].repaired, ours)
        panels.append(np.concatenate([around_hole(case, each, tile) for each in pictures]))
    titles = {PEER: peer.title, OURS: "CNNLG (ours)"}
    settings = {"photo_count": len(cases)}
    result = Evaluation(settings, titles, rows, totals.distances(), {}, {})
    Console().print(as_table(result))
    for line in conclusions(result):
        click.echo(line)
    write_photo(out, Photo(draw_sheet(panels, columns, tile)), quality=85)
    click.echo(f"wrote {out}")


def around_hole(case: Case, picture: np.ndarray, tile: int) -> np.ndarray:
    """The square of SHOWN px about the hole, inside the photo, as [tile, tile, 3]."""
    at = [
        min(max(0, int(place.mean()) - SHOWN // 2), SIZE - SHOWN) for place in np.nonzero(case.mask)
    ]
    part = Image.fromarray(picture[at[0] : at[0] + SHOWN, at[1] : at[1] + SHOWN])
    return np.asarray(part.resize((tile, tile), Image.Resampling.LANCZOS))


def draw_sheet(panels: list[np.ndarray], columns: int, tile: int) -> np.ndarray:
    """Panels [3 * tile, tile, 3] in rows of `columns` with white gaps: uint8 [height, width, 3]."""
    columns = min(columns, len(panels))
    lines = -(-len(panels) // columns)
    height, width = lines * (3 * tile + GAP) - GAP, columns * (tile + GAP) - GAP
    sheet = np.full((height, width, 3), 255, np.uint8)
    for number, panel in enumerate(panels):
        line, column = divmod(number, columns)
        top, left = line * (3 * tile + GAP), column * (tile + GAP)
        sheet[top : top + 3 * tile, left : left + tile] = panel
    return sheet


if __name__ == "__main__":
    main()
