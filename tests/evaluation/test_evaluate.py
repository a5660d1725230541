"""The whole measurement on tiny photos: with a stand-in model, its report, the command."""

import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

import cnnlg_tf
from cnnlg_tf.cli import main
from cnnlg_tf.errors import ConfigError, DataError, MaskError
from cnnlg_tf.evaluation.evaluate import evaluate
from cnnlg_tf.evaluation.results import OURS, Evaluation
from cnnlg_tf.inference.inpainter import Inpainter
from cnnlg_tf.inference.network import Network
from tests.networks import MeanFill


@pytest.fixture
def root(photo_folder: Callable[..., Path]) -> Path:
    return photo_folder(count=3)


def _run(root: Path, out: Path | None = None, **options: object) -> Evaluation:
    arguments = {"mask_kinds": ("medium", "box"), "size": 40, "peers": ("telea", "ns")}
    return evaluate(MeanFill(), root, out=out, **{**arguments, **options})  # type: ignore[arg-type]


def test_scores_every_method_on_every_case(root: Path) -> None:
    seen: list[tuple[int, int]] = []
    found = _run(root, on_case=lambda done, total: seen.append((done, total)))
    assert len(found.rows) == 3 * 2 * 3
    assert {row.method for row in found.rows} == {"telea", "ns", OURS}
    assert all(row.known_exact and 5 < row.psnr < 60 and row.lpips > 0 for row in found.rows)
    assert all(row.hole_psnr < row.psnr for row in found.rows)
    assert set(found.ffd) == {"medium", "box"} and set(found.ffd["box"]) == {"telea", "ns", OURS}
    assert all(value > 0 for value in found.ffd["box"][OURS][:2])
    assert all(row.gradients[0].repaired > 0 and row.gradients[0].true > 0 for row in found.rows)
    assert seen == [(i, 6) for i in range(1, 7)]


def test_a_subset_scores_the_same(root: Path) -> None:
    whole = {(r.photo, r.kind, r.method): r.psnr for r in _run(root).rows}
    part = _run(root, limit=2, mask_kinds=("box",), peers=("ns",)).rows
    assert len(part) == 4
    for row in part:
        assert row.psnr == pytest.approx(whole[row.photo, row.kind, row.method], abs=1e-9)


def test_peers_come_from_the_cache(root: Path, tmp_path: Path) -> None:
    first = _run(root, peer_cache=tmp_path / "cache")
    again = _run(root, peer_cache=tmp_path / "cache")
    peers = [[row for row in each.rows if row.method != OURS] for each in (first, again)]
    assert peers[0] == peers[1]  # the seconds too, so nothing was computed twice
    np.testing.assert_equal(first.ffd, again.ffd)


def test_peers_alone(root: Path) -> None:
    found = evaluate(None, root, mask_kinds=("box",), size=40, peers=("telea",), limit=1)
    assert [row.method for row in found.rows] == ["telea"]
    assert found.settings["model"] == "none: peers only"


@pytest.mark.parametrize("detail", [1.0, 0.0])
def test_a_network_is_measured_as_the_inpainter_repairs(
    tiny_network: Network, photo_folder: Callable[..., Path], detail: float
) -> None:
    root = photo_folder(count=1, height=300, width=300)
    options = {"mask_kinds": ("box",), "size": 288, "fit": "resize", "peers": ()}
    found = evaluate(tiny_network, root, detail=detail, pictures=1, **options)  # type: ignore[arg-type]
    case, inpainter = found.shown[0].case, Inpainter(tiny_network)
    expected = inpainter.repair(case.damaged, case.mask, detail=detail).photo
    other = inpainter.repair(case.damaged, case.mask, detail=1.0 - detail).photo
    assert np.array_equal(found.shown[0].repairs[OURS], expected)
    assert not np.array_equal(expected, other)


def test_changed_known_pixels_are_told(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cv2.inpaint", lambda image, *_: image // 2)
    found = evaluate(None, root, mask_kinds=("box",), size=40, peers=("telea",), limit=1)
    assert not found.rows[0].known_exact


def test_report(root: Path, tmp_path: Path) -> None:
    out = tmp_path / "report"
    Image.new("RGB", (20, 20)).save(root / "<small>.png")
    _run(root, out, pictures=2, label="<mine> & yours")
    names = {path.name for path in out.iterdir()}
    assert names == {
        "evaluation.json",
        "evaluation.md",
        "report.html",
        "grid-medium.png",
        "grid-box.png",
    }
    tree = json.loads((out / "evaluation.json").read_text())
    assert len(tree["rows"]) == 18
    assert tree["by_kind"]["verdicts"]["box"][0]["metric"] == "psnr"
    assert {"ffd_4", "sharpness_8"} <= set(tree["by_kind"]["means"]["box"]["telea"])
    assert len(tree["rows"][0]["gradients"]) == 3
    assert tree["settings"]["photo_count"] == 3
    text = (out / "evaluation.md").read_text()
    assert re.search(r"\| box \| CNNLG \(ours\) \| .* \| 3 \|", text)
    assert re.search(
        r"- box: ours is better on \d of \d: PSNR [+-].*FFD 1/8 .*; sharpness \d", text
    )
    assert "| FFD 1/4 | FFD 1/8 |" in text and "| sharp to 8 px |" in text
    assert "Photo <small>.png was left out" in text
    with Image.open(out / "grid-box.png") as grid:
        assert grid.size == (5 * 44 + 4, 22 + 18 + 2 * 44), "a title of two lines"

    page = (out / "report.html").read_text()
    assert "&lt;mine&gt; &amp; yours" in page and "<small>" not in page
    images = _Images()
    images.feed(page)
    assert len(images.sources) == 2 * 2 * 5
    assert all(source.startswith("data:image/jpeg;base64,") for source in images.sources)
    assert "http" not in page
    assert "<th>FFD 1/4</th>" in page and page.count("<table>") == 3
    kinds, ratios, textures = (part.count('<tr class="first') for part in page.split("<h2>By")[1:])
    assert kinds == 2 and ratios >= 1 and textures == 3
    assert page.count('ours"><th>') == kinds + ratios + textures


class _Images(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.sources: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "img" and (source := dict(attrs).get("src")):
            self.sources.append(source)


def test_errors(root: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="size must be at least 32 px. Received: 16"):
        _run(root, size=16)
    with pytest.raises(ConfigError, match="detail must be from 0 to 2. Received: 3.0"):
        _run(root, detail=3.0)
    with pytest.raises(ConfigError, match="a peer must be one of"):
        _run(root, peers=("lama",))
    with pytest.raises(MaskError, match="'stamp' needs stamps"):
        _run(root, mask_kinds=("stamp",))
    with pytest.raises(DataError, match="folder of photos"):
        _run(tmp_path / "nowhere")
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="out must be a folder that can be made"):
        _run(root, tmp_path / "file")


def test_command(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(vars(cnnlg_tf), "open_network", lambda path: MeanFill())
    out = tmp_path / "out"
    options = ["evaluate", "--photos", str(root), "--size", "40", "-o", str(out)]
    result = CliRunner().invoke(main, [*options, "--masks", "box", "--peers", "telea, ns"])
    assert result.exit_code == 0, result.output
    assert result.output.count("CNNLG (ours)") == 2 and "box: ours is better on" in result.output
    assert json.loads((out / "evaluation.json").read_text())["settings"]["model"] == "shipped model"
    result = CliRunner().invoke(main, [*options, "--peers-only", "some-model"])
    assert result.exit_code == 2 and "--peers-only measures no model" in result.output
    result = CliRunner().invoke(main, [*options, "--masks", "holes"])
    assert result.exit_code == 1 and "Error: mask kind must be one of" in result.output


def test_a_real_model_is_measured(root: Path, tiny_network: Network) -> None:
    found = evaluate(
        tiny_network,
        root,
        mask_kinds=("thin", "box"),
        size=48,
        peers=(),
    )
    assert len(found.rows) == 6
    assert all(row.known_exact and np.isfinite(row.lpips) for row in found.rows)
