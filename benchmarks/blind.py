"""Old photos: how much drawn and stamped damage is found, what blind repair gains, what is marked on clean photos.

    python benchmarks/blind.py --photos VAL --stamps STAMPS --clean PHOTOS -o out/blind.jpg

Each kind of damage of `cnnlg_tf.data.damage` is drawn on `--limit` photos (centre squares of 320 px, scanned at 1x to
2x, aged), with seeds that no training uses; stamps are those numbered `--from` and more. A found pixel is right where
the print's mask is 1; faint damage and soft edges (2) count neither way. F1 is of all pixels of a kind together, and of
all kinds. PSNR is over the whole picture against the same aged print without damage: damaged, repaired blind, and
repaired with the damage told. Stains are lifted in both, but for `--no-lift`. Clean photos are those of --photos, the
package's examples and --clean, as they are. `--refiners` compares the mask refiners, before and after, on the same
prints (IoU and F1 at the scan's resolution); `--thresholds` gives F1 and the clean share at other sensitivities: what
the finder's threshold is chosen by.
"""

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import click
import cv2
import numpy as np
from rich.console import Console
from rich.table import Table

from cnnlg_tf.certainty import GROWTH
from cnnlg_tf.cli.reporting import Command
from cnnlg_tf.config import MaskRefinerConfig
from cnnlg_tf.data.damage import IGNORED, KINDS, DamagedPrint, PrintMaker
from cnnlg_tf.data.photos import list_photos
from cnnlg_tf.data.stamps import Stamps
from cnnlg_tf.evaluation import metrics
from cnnlg_tf.evaluation.pictures import draw_grid
from cnnlg_tf.evaluation.prints import SIDE, draw_print, print_psnr
from cnnlg_tf.inference.damage import Damage, marked
from cnnlg_tf.inference.inpainter import Inpainter
from cnnlg_tf.photos import Photo, output_format, read_photo, write_photo
from cnnlg_tf.startup import start_tensorflow

FIRST_SEED = 1_000_000  # training draws from others
SENSITIVITIES = tuple(np.round(np.linspace(0.1, 0.9, 9), 2))
EXAMPLES = Path(metrics.__file__).parents[1] / "examples"


class Counts(NamedTuple):
    """Pixels: found and damaged, found, damaged, all."""

    both: int = 0
    found: int = 0
    damaged: int = 0
    pixels: int = 0

    def __add__(self, other: Any) -> "Counts":
        return Counts(*(a + b for a, b in zip(self, other, strict=True)))

    @property
    def f1(self) -> float:
        return 2 * self.both / max(1, self.found + self.damaged)

    @property
    def iou(self) -> float:
        return self.both / max(1, self.found + self.damaged - self.both)

    @property
    def precision(self) -> float:
        return self.both / max(1, self.found)

    @property
    def recall(self) -> float:
        return self.both / max(1, self.damaged)


def count(mask: np.ndarray, shown: DamagedPrint) -> Counts:
    """Compare a found mask with the truth, where that counts."""
    counts = shown.mask != IGNORED
    found, damaged = mask & counts, shown.mask == 1
    sums = ((found & damaged).sum(), found.sum(), damaged.sum(), mask.size)
    return Counts(*(int(each) for each in sums))


def draw_prints(
    photos: list[Path], maker: PrintMaker, limit: int
) -> Iterator[tuple[str, DamagedPrint]]:
    """`limit` prints of each kind that the maker has, on one photo after the other."""
    kinds = [kind for kind in KINDS if kind != "stamp" or maker.stamps is not None]
    for number, kind in enumerate(kinds):
        for at in range(limit):
            photo = photos[(7 * number + at) % len(photos)]
            yield kind, draw_print(photo, maker, kind, [FIRST_SEED, number, at])


def is_photo(path: Path) -> bool:
    """Not an example's mask or sketch."""
    return not {".mask", ".sketch"}.intersection(path.suffixes)


def measure(
    inpainter: Inpainter, shown: DamagedPrint, sensitivity: float, grow: int, lift: bool
) -> tuple[dict[str, float], Damage, np.ndarray]:
    """A print's PSNR in dB, what was found, and the blind repair."""
    blind = inpainter.repair(shown.damaged, sensitivity=sensitivity, grow=grow, lift=lift)
    found = blind.damage or inpainter.find_damage(shown.damaged, sensitivity=sensitivity)
    told = inpainter.repair(shown.damaged, shown.mask > 0, grow=grow, lift=lift)
    scores = {
        "damaged dB": print_psnr(shown.damaged, shown),
        "blind dB": print_psnr(blind.photo, shown),
        "told dB": print_psnr(told.photo, shown),
    }
    return scores, found, blind.photo


def refined(model: Any, shown: DamagedPrint) -> dict[str, Counts]:
    """What each refiner makes of the same evidence, the whole print in one window."""
    import tensorflow as tf

    from cnnlg_tf.models.cnnlg import MULTIPLE, pad_to_multiple
    from cnnlg_tf.models.mask_refiner import MaskRefiner

    image = tf.constant(shown.damaged[np.newaxis] / np.float32(255))
    height, width = shown.mask.shape
    logits = model.damage_finder(2.0 * pad_to_multiple(image, MULTIPLE) - 1.0)
    logits = tf.cast(logits[:, :height, :width], tf.float32)
    found = {}
    for kind in ("none", "crf", "maxent"):
        config = model.config.mask_refiner.model_copy(update={"kind": kind})
        probability = MaskRefiner(MaskRefinerConfig(**config.model_dump()))(image, logits)
        found[kind] = count(marked(probability.numpy()[0, ..., 0], 0.5), shown)
    return found


def report_kinds(
    console: Console, found: dict[str, list[Counts]], scores: dict[str, list[dict[str, float]]]
) -> None:
    table = Table(
        "kind",
        "damaged %",
        "F1",
        "precision",
        "recall",
        "damaged dB",
        "blind dB",
        "told dB",
        "worst gain dB",
    )
    rows = {**found, "all": [each for kind in found.values() for each in kind]}
    for kind, counts in rows.items():
        total = sum(counts, Counts())
        each = scores[kind] if kind in scores else [s for k in scores.values() for s in k]
        gains = [s["blind dB"] - s["damaged dB"] for s in each]
        means = (f"{np.mean([s[name] for s in each]):.1f}" for name in each[0])
        share = f"{100 * total.damaged / total.pixels:.1f}"
        rates = (f"{rate:.2f}" for rate in (total.f1, total.precision, total.recall))
        table.add_row(kind, share, *rates, *means, f"{min(gains):.1f}")
    console.print(table)
    every = [s["blind dB"] - s["damaged dB"] for kind in scores.values() for s in kind]
    worse = sum(gain < -0.1 for gain in every)
    console.print(
        f"blind repair gains {np.mean(every):.1f} dB; {worse} of {len(every)} prints lose over 0.1 dB"
    )


def report_refiners(console: Console, refiners: dict[str, Counts]) -> None:
    table = Table("refiner", "IoU", "F1")
    for kind, counts in refiners.items():
        table.add_row(kind, f"{counts.iou:.3f}", f"{counts.f1:.3f}")
    console.print(table)


def report_thresholds(
    console: Console, prints: dict[float, Counts], shares: dict[float, list[float]]
) -> None:
    table = Table("sensitivity", "F1", "precision", "recall", "clean %", "most %")
    for sensitivity, total in prints.items():
        clean = shares[sensitivity]
        rates = (f"{rate:.3f}" for rate in (total.f1, total.precision, total.recall))
        table.add_row(
            f"{sensitivity:.1f}", *rates, f"{100 * np.mean(clean):.3f}", f"{100 * max(clean):.2f}"
        )
    console.print(table)


@click.command(cls=Command)
@click.option("--photos", required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--stamps", type=click.Path(exists=True, path_type=Path), help="Folder of stamps.")
@click.option("--from", "first", default=50, show_default=True, help="Least number of a stamp.")
@click.option(
    "--clean",
    multiple=True,
    type=click.Path(exists=True, path_type=Path),
    help="More clean photos; repeat.",
)
@click.option("--model", type=click.Path(), help="Checkpoint folder; default: the shipped model.")
@click.option("--limit", default=8, show_default=True, help="Prints of each kind.")
@click.option(
    "--clean-limit",
    default=100,
    show_default=True,
    help="Photos of each folder, those for prints too.",
)
@click.option("--sensitivity", default=0.5, show_default=True)
@click.option("--grow", default=GROWTH, show_default=True)
@click.option("--lift/--no-lift", default=True, help="Lift stains.")
@click.option("--refiners", is_flag=True, help="Compare the mask refiners.")
@click.option("--thresholds", is_flag=True, help="Try other sensitivities.")
@click.option(
    "-o", "--out", required=True, type=click.Path(path_type=Path), help="Picture to write."
)
def main(
    photos: Path,
    stamps: Path | None,
    first: int,
    clean: tuple[Path, ...],
    model: str | None,
    limit: int,
    clean_limit: int,
    sensitivity: float,
    grow: int,
    lift: bool,
    refiners: bool,
    thresholds: bool,
    out: Path,
) -> None:
    """Print the tables, and write a picture with one print of each kind."""
    output_format(out)
    maker = PrintMaker(None if stamps is None else Stamps(stamps, least=first))
    folders = [list_photos(folder)[:clean_limit] for folder in (photos, EXAMPLES, *clean)]
    start_tensorflow()
    from cnnlg_tf.inference.cnnlg_network import CnnlgNetwork

    inpainter, console = Inpainter(model), Console()
    tried = [float(s) for s in SENSITIVITIES] if thresholds else []
    found: dict[str, list[Counts]] = defaultdict(list)
    scores: dict[str, list[dict[str, float]]] = defaultdict(list)
    by_refiner: dict[str, Counts] = defaultdict(Counts)
    by_limit: dict[float, Counts] = defaultdict(Counts)
    rows: dict[str, dict[str, np.ndarray]] = {}
    for kind, shown in draw_prints(folders[0], maker, limit):
        score, damage, repaired = measure(inpainter, shown, sensitivity, grow, lift)
        found[kind].append(count(damage.mask, shown))
        scores[kind].append(score)
        for each in tried:
            by_limit[each] += count(marked(damage.probability, each), shown)
        if isinstance(inpainter.network, CnnlgNetwork) and refiners:
            for name, total in refined(inpainter.network.model, shown).items():
                by_refiner[name] += total
        if kind not in rows:
            white = np.repeat((255 * damage.mask).astype(np.uint8)[..., None], 3, -1)
            pictures = {
                "damaged": shown.damaged,
                "found": white,
                "repaired": repaired,
                "undamaged": shown.whole,
            }
            rows[kind] = {
                k: cv2.resize(p, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
                for k, p in pictures.items()
            }
    report_kinds(console, found, scores)
    if refiners:
        report_refiners(console, by_refiner)
    shares: list[float] = []
    by_share: dict[float, list[float]] = defaultdict(list)
    for path in (path for folder in folders for path in folder if is_photo(path)):
        damage = inpainter.find_damage(read_photo(path).on_white(), sensitivity=sensitivity)
        shares.append(damage.share)
        for each in tried:
            by_share[each].append(float(marked(damage.probability, each).mean()))
    over = sum(share > 0.01 for share in shares)
    console.print(
        f"{len(shares)} clean photos: {100 * np.mean(shares):.3f} % marked on average, "
        f"{100 * max(shares):.2f} % at most, {over} over 1 %"
    )
    if thresholds:
        report_thresholds(console, by_limit, by_share)
    out.parent.mkdir(parents=True, exist_ok=True)
    write_photo(out, Photo(np.asarray(draw_grid(list(rows.values())))))
    click.echo(f"wrote {out}")


if __name__ == "__main__":
    main()
