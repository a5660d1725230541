import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from cnnlg_tf.config import DamageFinderConfig, ModelConfig
from cnnlg_tf.errors import ArtefactError, ExportError
from cnnlg_tf.export import signatures
from cnnlg_tf.export.saved_model import export_saved_model, load, next_version
from cnnlg_tf.inference.inpainter import Inpainter

from ..conftest import make_mask, make_photo

Exported = tuple[Path, Any]  # the version's folder and its model


@pytest.fixture(scope="module", params=["plain_", pytest.param("", marks=pytest.mark.slow)])
def exported(request: pytest.FixtureRequest) -> Exported:
    folder, model = (
        request.getfixturevalue(f"{request.param}{name}") for name in ("saved_model", "model")
    )
    return folder, model


@pytest.fixture(scope="module")
def loaded(exported: Exported) -> Any:
    return tf.saved_model.load(str(exported[0]))


def encode(pixels: np.ndarray, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind, **options)
    return buffer.getvalue()


def test_signatures_are_those_of_the_contract(loaded: Any, exported: Exported) -> None:
    offered = signatures.available(exported[1])
    assert set(loaded.signatures) == set(offered)
    for name in offered:
        function, expected = loaded.signatures[name], signatures.SIGNATURES[name]
        assert set(function.structured_input_signature[1]) == set(expected.inputs)
        assert set(function.structured_outputs) == set(expected.outputs)
        for argument, spec in function.structured_input_signature[1].items():
            assert spec.dtype.name == expected.inputs[argument].dtype
            free = [n if isinstance(n, int) else None for n in expected.inputs[argument].shape]
            assert spec.shape.as_list() == free


def test_pixels_are_the_models_at_any_size_and_batch(exported: Exported) -> None:
    folder, model = exported
    repair = load(folder)["serving_default"]
    for batch, height, width in ((1, 33, 64), (3, 48, 40)):
        image = np.random.default_rng(0).random((batch, height, width, 3), np.float32)
        mask = np.zeros((batch, height, width, 1), np.float32)
        mask[:, 10:20, 5:30] = 1.0
        expected = model.repair(image, mask)
        results = repair(image=image, mask=mask)
        for key, wanted in zip(("repaired", "uncertainty"), expected, strict=True):
            np.testing.assert_allclose(results[key], wanted, atol=1e-4)


def test_every_signature_s_parity_is_in_the_manifest(exported: Exported) -> None:
    folder, model = exported
    made = json.loads((folder / "manifest.json").read_text())
    assert set(made["parity"]) == set(signatures.available(model)) - {"inpaint_bytes"}
    assert all(figures["hole_psnr"] > 60 for figures in made["parity"].values())


def test_as_a_network_it_samples_and_finds_damage_too(exported: Exported) -> None:
    folder, model = exported
    photo, mask = make_photo(64, 80), make_mask(64, 80)
    ours, theirs = Inpainter(model), Inpainter(folder.parent)  # the newest version
    paints = {"detail", "reference", "sample", "sketch", "guide"}
    draws = model.merge is not None
    assert theirs.network.can == {"find_damage"} | (paints if draws else set())
    for samples in (0, 1) if draws else (0,):
        expected = ours.repair(photo, mask, samples=samples, seed=4)
        received = theirs.repair(photo, mask, samples=samples, seed=4)
        for a, b in zip(
            [expected.photo, *expected.samples], [received.photo, *received.samples], strict=True
        ):
            assert np.abs(a.astype(int) - b).max() <= 1
    image = (photo / 255).astype(np.float32)
    gap = ours.network.find_damage(image) - theirs.network.find_damage(image)
    assert np.abs(gap).max() < 1e-4


def test_encoded_photos_of_different_sizes_keep_their_known_pixels(loaded: Any) -> None:
    photos = [make_photo(40, 50), make_photo(33, 70, seed=1), make_photo(32, 32, seed=2)]
    masks = [make_mask(*photo.shape[:2]) for photo in photos]
    encoded = [
        encode(photos[0], "PNG"),
        encode(photos[1], "WEBP", lossless=True),
        encode(photos[2], "JPEG", quality=95),
    ]
    result = loaded.signatures["inpaint_bytes"](
        image_bytes=tf.constant(encoded),
        mask_bytes=tf.constant([encode(mask, "PNG") for mask in masks]),
    )["repaired_bytes"].numpy()
    for painted, contents, mask in zip(result, encoded, masks, strict=True):
        assert painted.startswith(b"\x89PNG")
        repaired = np.asarray(Image.open(io.BytesIO(painted)))
        known = mask == 0
        if contents is encoded[2]:  # JPEG decoders differ in the last digit
            photo = tf.io.decode_image(contents).numpy()
        else:
            photo = np.asarray(Image.open(io.BytesIO(contents)))
        assert np.array_equal(repaired[known], photo[known])


def test_mask_of_another_size_is_refused(loaded: Any) -> None:
    with pytest.raises(
        tf.errors.InvalidArgumentError, match="as high and wide as that of image_bytes"
    ):
        loaded.signatures["inpaint_bytes"](
            image_bytes=tf.constant([encode(make_photo(40, 50), "PNG")]),
            mask_bytes=tf.constant([encode(make_mask(40, 51), "PNG")]),
        )


def test_warmup_requests_replay(exported: Exported, loaded: Any) -> None:
    from tensorflow_serving.apis import prediction_log_pb2

    folder, model = exported
    file = folder / "assets.extra" / "tf_serving_warmup_requests"
    replayed = []
    for record in tf.data.TFRecordDataset(str(file)):
        request = prediction_log_pb2.PredictionLog.FromString(record.numpy()).predict_log.request
        name = request.model_spec.signature_name
        inputs = {key: tf.constant(tf.make_ndarray(value)) for key, value in request.inputs.items()}
        assert set(loaded.signatures[name](**inputs)) == set(signatures.SIGNATURES[name].outputs)
        replayed.append(name)
    assert replayed == signatures.available(model)


def test_no_custom_operators_and_no_posterior_encoder(exported: Exported) -> None:
    from tensorflow.core.protobuf import saved_model_pb2
    from tensorflow.python.framework import op_def_registry

    folder, model = exported
    content = saved_model_pb2.SavedModel.FromString((folder / "saved_model.pb").read_bytes())
    graph = content.meta_graphs[0].graph_def
    nodes = [*graph.node, *(node for f in graph.library.function for node in f.node_def)]
    operators = {node.op for node in nodes} - {f.signature.name for f in graph.library.function}
    assert all(op_def_registry.get(name) is not None for name in operators)
    assert not operators & {"PyFunc", "EagerPyFunc", "PyFuncStateless"}
    made = json.loads((folder / "manifest.json").read_text())
    used = model.count_params() - model.prior.encoder.count_params()
    assert made["weights_bytes"] == 4 * used


def test_versions_count_up(tmp_path: Path) -> None:
    assert next_version(tmp_path / "none") == 1
    (tmp_path / "7").mkdir()
    (tmp_path / "notes").mkdir()
    assert next_version(tmp_path) == 8


def test_version_must_be_positive(plain_model: Any, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="version must be a positive number. Received: 0"):
        export_saved_model(plain_model, tmp_path, version=0)


def test_unwritable_folder_is_told(plain_model: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ExportError, match="cannot be written"):
        export_saved_model(plain_model, tmp_path / "file", version=1)


def test_folder_without_saved_model_is_told(tmp_path: Path) -> None:
    with pytest.raises(ArtefactError, match="must hold a SavedModel with serving_default"):
        load(tmp_path)


def test_what_a_model_lacks_is_left_out() -> None:
    class Model:
        damage_finder = merge = None

    model: Any = Model()
    assert signatures.available(model) == ["serving_default", "inpaint_bytes", "sample"]
    assert signatures.available(model, everywhere=True) == ["serving_default"]


@pytest.mark.slow
def test_real_architecture_holds_its_weights_once_and_graphs_of_11_mb(tmp_path: Path) -> None:
    from cnnlg_tf.models.cnnlg import CNNLG

    folder = export_saved_model(CNNLG(ModelConfig()), tmp_path)
    made = json.loads((folder / "manifest.json").read_text())
    size = {name: file["bytes"] for name, file in made["files"].items()}
    weights = sum(bytes_ for name, bytes_ in size.items() if name.startswith("variables/"))
    assert weights < 1.01 * made["weights_bytes"]
    assert size["saved_model.pb"] < 11e6  # a synthesis in each of four signatures, and no weights
    assert sum(size.values()) - weights - size["saved_model.pb"] < 1e6


@pytest.mark.slow
def test_export_without_damage_finder(tiny_model_config: ModelConfig, tmp_path: Path) -> None:
    from cnnlg_tf.models.cnnlg import CNNLG

    config = tiny_model_config.model_copy(
        update={"damage_finder": DamageFinderConfig(enabled=False)}
    )
    folder = export_saved_model(CNNLG(config), tmp_path)
    assert "find_damage" not in json.loads((folder / "manifest.json").read_text())["signatures"]
