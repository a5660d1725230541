"""Every peer fills holes, keeps known pixels and never sees what the hole hid."""

import numpy as np
import pytest

from cnnlg_tf import extras
from cnnlg_tf.errors import ConfigError, MissingExtraError
from cnnlg_tf.evaluation import peers
from cnnlg_tf.evaluation.peers import PEERS, load_peers


def _smooth(side: int = 48) -> np.ndarray:
    y, x = np.mgrid[0:side, 0:side] / side
    return (255 * np.stack([x, y, (x + y) / 2], axis=-1)).astype(np.uint8)


def _hole(side: int = 48) -> np.ndarray:
    mask = np.zeros((side, side), bool)
    mask[20:28, 16:30] = True
    return mask


@pytest.mark.parametrize("name", PEERS)
def test_repairs_a_gradient(name: str) -> None:
    (peer,), missing = load_peers([name])
    assert not missing
    image, mask = _smooth(), _hole()
    damaged = np.where(mask[..., None], np.uint8(0), image)
    repaired = peer.repair(damaged, mask)
    assert repaired.dtype == np.uint8 and repaired.shape == image.shape
    np.testing.assert_array_equal(repaired[~mask], image[~mask])
    error = np.abs(repaired.astype(int) - image)[mask].mean()
    assert error < 15, f"{name}: {error:.1f} grey levels off on a plain gradient"
    again = peer.repair(np.where(mask[..., None], np.uint8(255), image), mask)
    np.testing.assert_array_equal(again, repaired)


def test_a_missing_extra_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(module: str, extra: str) -> None:
        raise MissingExtraError(f"needs {module}: pip install 'cnnlg-tf[{extra}]'")

    monkeypatch.setattr(peers, "require", absent)
    ready, missing = load_peers(["telea", "patchmatch"])
    assert [peer.name for peer in ready] == ["telea"]
    assert "cnnlg-tf[bench]" in missing["patchmatch"]
    assert extras.require("json", "bench").__name__ == "json"


def test_unknown_peer() -> None:
    with pytest.raises(ConfigError, match="one of telea, ns, biharmonic, patchmatch.*'lama'"):
        load_peers(["lama"])
