"""Averages, buckets and verdicts."""

from dataclasses import replace

import pytest

from cnnlg_tf.evaluation.results import OURS, Row
from cnnlg_tf.evaluation.summary import bucket_of, by_kind, by_ratio, by_texture, say, verdicts


def _row(method: str, psnr: float, lpips: float, kind: str = "box", ratio: float = 0.15) -> Row:
    return Row("a.png", kind, ratio, 5.0, method, psnr, psnr - 10, 0.9, lpips, 0.1, True)


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


def test_no_verdict_without_ours_or_without_peers() -> None:
    assert verdicts(by_kind([_row("telea", 25, 0.2)])) == {}
    assert verdicts(by_kind([_row(OURS, 25, 0.2)])) == {}
