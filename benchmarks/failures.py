"""The shipped model's worst repairs beside PatchMatch's, for the model card.

    python benchmarks/failures.py --photos PHOTOS [--peer-cache FOLDER] -o docs/failures.jpg

For each kind of hole, the cases whose LPIPS is highest next to PatchMatch's: photo, hole, PatchMatch, ours. Needs the
extra `bench`.
"""

from pathlib import Path

import click
import numpy as np

from cnnlg_tf.cli.reporting import Command
from cnnlg_tf.evaluation.peers import PEERS
from cnnlg_tf.evaluation.pictures import with_hole
from cnnlg_tf.evaluation.results import OURS
from cnnlg_tf.photos import Photo, output_format, write_photo
from cnnlg_tf.startup import start_tensorflow

PEER = "patchmatch"


@click.command(cls=Command)
@click.option("--photos", required=True, type=click.Path(exists=True))
@click.option("--model", type=click.Path(), help="Checkpoint folder; default: the shipped model.")
@click.option("--each", default=2, show_default=True, help="Cases for each kind of hole.")
@click.option("--peer-cache", type=click.Path(), help="Folder that keeps the peers' repairs.")
@click.option("-o", "--out", required=True, type=click.Path(path_type=Path))
def main(photos: str, model: str | None, each: int, peer_cache: str | None, out: Path) -> None:
    """Find and draw the worst cases."""
    output_format(out)
    start_tensorflow()
    import cnnlg_tf
    from cnnlg_tf.evaluation.evaluate import evaluate

    PEERS[PEER]()  # its package is needed: without it there is nothing to compare with
    evaluation = evaluate(
        cnnlg_tf.load(model), photos, peers=[PEER], peer_cache=peer_cache, pictures=10**6
    )
    scores = {(row.photo, row.kind, row.method): row.lpips for row in evaluation.rows}
    excess = {
        (shown.case.photo, shown.case.kind): scores[shown.case.photo, shown.case.kind, OURS]
        - scores[shown.case.photo, shown.case.kind, PEER]
        for shown in evaluation.shown
    }
    sheet: list[np.ndarray] = []
    for kind in evaluation.settings["mask_kinds"]:
        cases = [shown for shown in evaluation.shown if shown.case.kind == kind]
        cases.sort(key=lambda shown: -excess[shown.case.photo, shown.case.kind])
        for shown in cases[:each]:
            case = shown.case
            mine, theirs = (scores[case.photo, kind, name] for name in (OURS, PEER))
            click.echo(f"{kind:7} {case.photo}: LPIPS {mine:.3f}, PatchMatch {theirs:.3f}")
            row = [case.image, with_hole(case), shown.repairs[PEER], shown.repairs[OURS]]
            sheet.append(np.concatenate(row, axis=1))
    write_photo(out, Photo(np.concatenate(sheet)), quality=88)
    click.echo(f"wrote {out}")


if __name__ == "__main__":
    main()
