"""Measure a model side by side with classical methods on a folder of photos.

Each photo gets one seeded mask of each kind; every method gets the photo with its hole black and is
scored on the 8-bit picture that it would save. The model repairs as `Inpainter` does.
"""

import math
import time
from collections.abc import Callable, Sequence
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from cnnlg_tf.config import MaskKind
from cnnlg_tf.errors import ConfigError
from cnnlg_tf.evaluation.cache import PeerCache, peer_result
from cnnlg_tf.evaluation.cases import MASK_KINDS, Case, CaseSet, Fit
from cnnlg_tf.evaluation.lpips import MINIMUM_SIDE
from cnnlg_tf.evaluation.peers import PEERS, load_peers
from cnnlg_tf.evaluation.report import write_report
from cnnlg_tf.evaluation.results import OURS, Evaluation, Row, Shown
from cnnlg_tf.evaluation.scoring import FfdTotals, Scorer, row_of
from cnnlg_tf.inference.inpainter import Inpainter

if TYPE_CHECKING:
    from cnnlg_tf.inference.network import Network
    from cnnlg_tf.models.cnnlg import CNNLG

Pixels = npt.NDArray[np.uint8]


def evaluate(
    model: "Network | CNNLG | str | Path | None",
    photos_root: str | Path,
    *,
    mask_kinds: Sequence[MaskKind] = MASK_KINDS,
    size: int = 256,
    limit: int | None = None,
    seed: int = 0,
    fit: Fit = "crop",
    only: Sequence[str] = (),
    detail: float = 1.0,
    peers: Sequence[str] = tuple(PEERS),
    peer_cache: str | Path | None = None,
    label: str | None = None,
    pictures: int = 4,
    out: str | Path | None = None,
    on_case: Callable[[int, int], None] | None = None,
) -> Evaluation:
    """Score a model and its peers; with `out`, write the report there.

    Args:
        model: what `open_network` takes, or None to measure the peers only.
        photos_root: folder of photos.
        mask_kinds: thin, medium, wide, box, border.
        size: side in pixels of the square that is repaired; see `fit` for photos that are smaller.
        limit: how many photos at most, in the order of their names.
        seed: seed of the masks.
        fit: "crop" takes the centre, and a smaller photo is skipped and named in the report;
            "resize" scales the short side to `size` first.
        only: glob patterns of file names; where there are any, other photos are left out.
        detail: of the model's repairs; at 0 neither synthesis nor gradient guidance counts.
        peers: names out of `peers.PEERS`; one whose package is missing is named in the report.
        peer_cache: folder that keeps the peers' repairs between runs.
        label: what the report calls the model; by default its path or its class.
        pictures: how many photos the pictures show for each kind of mask.
        out: folder for evaluation.json, evaluation.md, grid-KIND.png and report.html.
        on_case: called with the cases done and the cases in all.

    Raises:
        ConfigError: a peer is unknown, the size is too small to score, detail is out of range, or `out`
            cannot be written.
        DataError: no photo can be used.
        MaskError: a mask kind is unknown or needs stamps.
        CheckpointError: the model cannot be loaded.
    """
    if size < MINIMUM_SIDE + 1:
        raise ConfigError(f"size must be at least {MINIMUM_SIDE + 1} px. Received: {size}")
    if out is not None:
        _make_folder(Path(out))
    ready, missing = load_peers(peers)
    cases = CaseSet(Path(photos_root), mask_kinds, size, limit, seed, fit, only)
    repair = None if model is None else _Ours(model, detail)
    store = None if peer_cache is None else PeerCache(peer_cache)
    chosen = _evenly([path.relative_to(cases.root).as_posix() for path in cases.paths], pictures)

    scorer = _scorer()
    rows: list[Row] = []
    totals = FfdTotals()
    shown: list[Shown] = []
    for case in cases:
        found = {peer.name: peer_result(peer, case, scorer, store) for peer in ready}
        if repair is not None:
            found[OURS] = scorer.score(case, *repair(case))
        totals.add_true(case.kind, scorer.true_moments(case))
        for method, scored in found.items():
            rows.append(row_of(case, method, scored))
            totals.add(case.kind, method, scored.moments)
        if case.photo in chosen:
            shown.append(Shown(case, {method: each.repaired for method, each in found.items()}))
        if on_case:
            on_case(len(rows) // max(1, len(found)), len(cases))

    settings = {
        "model": label or _describe(model),
        "photos": str(photos_root),
        "photo_count": len(cases.paths),
        "mask_kinds": list(mask_kinds),
        "size": size,
        "seed": seed,
        "fit": fit,
        "only": list(only),
        "detail": detail,
        "peers": {peer.name: peer.settings for peer in ready},
    }
    titles = {peer.name: peer.title for peer in ready}
    if repair:
        titles[OURS] = "CNNLG (ours)"
    result = Evaluation(settings, titles, rows, totals.distances(), cases.skipped, missing, shown)
    if out is not None:
        write_report(result, Path(out))
    return result


def _make_folder(out: Path) -> None:
    """Fail before the work rather than after it."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"out must be a folder that can be made: {error}") from error


class _Ours:
    """Repairs as users do, and tells the seconds."""

    def __init__(self, model: "Network | CNNLG | str | Path", detail: float) -> None:
        self._repair = partial(Inpainter(model).repair, detail=detail)
        self._warm = False

    def __call__(self, case: Case) -> tuple[Pixels, float]:
        if not self._warm:  # tracing is no part of the seconds
            self._repair(case.damaged, case.mask)
            self._warm = True
        start = time.perf_counter()
        photo: Pixels = self._repair(case.damaged, case.mask).photo
        return photo, time.perf_counter() - start


@cache
def _scorer() -> Scorer:
    return Scorer()


def _evenly(names: Sequence[str], count: int) -> set[str]:
    """`count` of the names, evenly spread, the first among them."""
    step = max(1, math.ceil(len(names) / max(1, count)))
    return set(names[::step][:count])


def _describe(model: "Network | CNNLG | str | Path | None") -> str:
    if model is None:
        return "none: peers only"
    return str(model) if isinstance(model, str | Path) else type(model).__name__
