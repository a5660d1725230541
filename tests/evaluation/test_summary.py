"""Averages, buckets and verdicts."""

import math
from dataclasses import replace

import pytest

from cnnlg_tf.evaluation.metrics import Gradients
from cnnlg_tf.evaluation.results import OURS, Row
from cnnlg_tf.evaluation.summary import (
    bucket_of,
    by_kind,
    by_ratio,
    by_texture,
    merit,
    say,
    verdicts,
)


def _row(method: str, psnr: float, lpips: float, kind: str = "box", ratio: float = 0.15) -> Row:
    return Row(
        photo="a.png",
        kind=kind,
        hole_ratio=ratio,
        texture=5.0,
        method=method,
        psnr=psnr,
        hole_psnr=psnr - 10,
        ssim=0.9,
        lpips=lpips,
        seconds=0.1,
        known_exact=True,
        gradients=(Gradients(9, 0.5 * psnr, 20.0), Gradients(1, 2.0, 4.0), Gradients(0, 0.0, 0.0)),
    )


def test_means_by_kind_and_by_ratio() -> None:
    rows = [
        _row("telea", 20, 0.2, ratio=0.35),
        _row("telea", 30, 0.4),
        _row("telea", 33, 0.1, "thin", 0.05),
    ]
    means = by_kind(rows)
    assert list(means) == ["box", "thin"]
    assert means["box"]["telea"]["psnr"] == 25
    assert means["box"]["telea"]["photos"] == 2
    assert list(by_ratio(rows)) == ["0-10 %", "10-20 %", "30-40 %"]


def test_photos_are_parted_in_thirds_by_texture() -> None:
    rows = [
        replace(_row("telea", 20 + i, 0.1), photo=f"{i}.png", texture=texture)
        for i, texture in enumerate([9.0, 1.0, 4.0, 3.0, 8.0, 2.0])
        for _ in range(2)
    ]
    means = by_texture(rows)
    assert list(means) == ["smooth photos", "mixed photos", "textured photos"]
    assert [means[group]["telea"]["psnr"] for group in means] == [23, 22.5, 22]
    assert all(means[group]["telea"]["photos"] == 4 for group in means)


@pytest.mark.parametrize(
    ("ratio", "bucket"), [(0.001, "0-10 %"), (0.1, "0-10 %"), (0.11, "10-20 %"), (1.0, "40-100 %")]
)
def test_buckets_hold_their_upper_bound(ratio: float, bucket: str) -> None:
    assert bucket_of(ratio) == bucket


def test_bucket_error() -> None:
    with pytest.raises(ValueError, match=r"hole_ratio must lie in \[0, 1\]. Received: 1.5"):
        bucket_of(1.5)


def test_verdicts_compare_with_the_best_peer_of_each_metric() -> None:
    means = by_kind([_row("telea", 25, 0.2), _row("patchmatch", 24, 0.1), _row(OURS, 26, 0.12)])
    found = {verdict.metric: verdict for verdict in verdicts(means)["box"]}
    assert found["psnr"].best_peer == "telea"
    assert found["psnr"].margin == pytest.approx(1) and found["psnr"].wins
    assert found["lpips"].best_peer == "patchmatch"
    assert found["lpips"].margin == pytest.approx(-0.02) and not found["lpips"].wins
    assert not found["ssim"].wins  # level is no win
    titles = {"telea": "Telea", "patchmatch": "PatchMatch"}
    assert say(found["psnr"], titles) == "PSNR +1.00 dB over Telea"
    assert say(found["lpips"], titles) == "LPIPS 1.20 times PatchMatch's"


def test_sharpness_is_pooled_and_ffd_is_of_a_kind() -> None:
    rows = [_row("telea", 20, 0.2), _row("telea", 40, 0.2)]
    scores = by_kind(rows, {"box": {"telea": (0.5, 0.25, math.nan)}})["box"]["telea"]
    assert scores["sharpness_8"] == pytest.approx((10 + 20) / 40)
    assert scores["sharpness_24"] == 0.5
    assert "sharpness_deep" not in scores  # no pixel lies so deep
    assert (scores["ffd_4"], scores["ffd_8"]) == (0.5, 0.25)
    assert "ffd_16" not in scores  # too few cells
    assert "ffd_4" not in by_ratio(rows)["10-20 %"]["telea"]


def test_verdicts_on_ffd_skip_what_was_not_measured() -> None:
    rows = [_row("telea", 25, 0.2), _row("patchmatch", 24, 0.1), _row(OURS, 26, 0.12)]
    ffd = {"telea": (0.9, 0.9, 0.9), "patchmatch": (0.1, 0.2, 0.2), OURS: (0.05, 0.3, math.nan)}
    found = {verdict.metric: verdict for verdict in verdicts(by_kind(rows, {"box": ffd}))["box"]}
    assert found["ffd_4"].wins and found["ffd_4"].ratio == pytest.approx(0.5)
    assert not found["ffd_8"].wins and found["ffd_8"].best_peer == "patchmatch"
    assert "ffd_16" not in found
    assert say(found["ffd_4"], {}) == "FFD 1/4 0.50 times patchmatch's"


def test_merit_of_sharpness_is_nearness_to_the_photo() -> None:
    assert merit("sharpness_8", 0.9) > merit("sharpness_8", 1.2)
    assert merit("lpips", 0.1) > merit("lpips", 0.2)
    assert merit("psnr", 21) > merit("psnr", 20)


def test_no_verdict_without_ours_or_without_peers() -> None:
    assert verdicts(by_kind([_row("telea", 25, 0.2)])) == {}
    assert verdicts(by_kind([_row(OURS, 25, 0.2)])) == {}
