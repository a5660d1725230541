"""`pixels` alone in an export: what it is tried on, that it is proven, cropped photos, and what it is not."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from cnnlg_tf.cli import main
from cnnlg_tf.errors import ArtefactError, ExportError
from cnnlg_tf.export import manifest
from cnnlg_tf.export.cases import arguments, drawn_case
from cnnlg_tf.export.formats import FORMATS
from cnnlg_tf.export.networks import ExportNetwork
from cnnlg_tf.export.parity import compare
from cnnlg_tf.export.signatures import PIXELS, SIGNATURES, available
from cnnlg_tf.export.source import Source
from tests.conftest import make_photo


def test_it_is_exported_when_asked_for(plain_model: Any) -> None:
    assert PIXELS not in available(plain_model)
    assert Source(plain_model, chosen=[PIXELS]).names == [PIXELS]


def test_it_is_tried_on_bytes_of_one_photo() -> None:
    image, mask = drawn_case(2, 32, 48)
    given = arguments(PIXELS, image, mask)
    assert {name: (value.dtype.name, value.shape) for name, value in given.items()} == {
        "image": ("uint8", (1, 32, 48, 3)),
        "mask": ("uint8", (1, 32, 48, 1)),
    }
    assert set(np.unique(given["mask"])) == {0, 255}


def test_bytes_are_compared_as_shares_of_full_scale() -> None:
    from cnnlg_tf.export.cases import Case

    image, mask = drawn_case(1, 32, 48)
    inputs = arguments(PIXELS, image, mask)
    other = np.where(inputs["mask"] > 0, inputs["image"] ^ 1, inputs["image"])
    found = compare(Case(PIXELS, inputs, {"repaired": inputs["image"]}), {"repaired": other})
    assert found.max_abs == pytest.approx(1 / 255) and found.known_exact
    assert found.hole_psnr == pytest.approx(48.13, abs=0.01) and found.hole_near == 0.0


def test_one_format_at_a_time() -> None:
    result = CliRunner().invoke(main, ["export", "--format", "all", "--pixels", "-o", "out"])
    assert result.exit_code == 2 and "--pixels is for one format" in result.output


def test_openvino_and_tensorrt_say_that_they_cannot(plain_model: Any, tmp_path: Path) -> None:
    from cnnlg_tf.export.writing import writing

    source = Source(plain_model, chosen=[PIXELS])
    for format in ("openvino", "tensorrt"):
        with (
            pytest.raises(
                ExportError, match=f"exported as saved_model, onnx, litert. Received: {format}"
            ),
            writing(tmp_path / format, format, "fp16", source),
        ):
            pass
        assert not (tmp_path / format).exists()


@pytest.mark.slow
@pytest.mark.parametrize("format", ["onnx", "litert", "saved_model"])
def test_every_format(format: str, model: Any, tmp_path: Path) -> None:
    """Proven as it is made; then a photo that is cropped, and the export that is no network of windows."""
    made = FORMATS[format]
    source = Source(model, chosen=[PIXELS])
    folder = made.export(model, tmp_path / format, precision="fp32", source=source)
    assert set(manifest.verify(folder)["signatures"]) == {PIXELS}
    photo, mask = make_photo(64, 700), np.zeros((1, 64, 700, 1), np.uint8)
    mask[:, 20:40, 300:330] = 255
    inputs = {"image": photo[None], "mask": mask}
    found = made.load(folder)[PIXELS](**inputs)["repaired"]
    expected = source.functions[PIXELS](*inputs.values())["repaired"].numpy()
    known = np.broadcast_to(mask == 0, found.shape)
    assert np.array_equal(found[known], photo[None][known])
    assert np.abs(found.astype(int) - expected)[~known].mean() < 1.0
    assert list(SIGNATURES[PIXELS].outputs) == ["repaired"]
    with pytest.raises(ArtefactError, match="must have serving_default. Received: .* has pixels"):
        ExportNetwork(folder)
