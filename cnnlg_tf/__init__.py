"""cnnlg-tf: image repair and painting with a CNN, latent guides and gradient guidance.

`cnnlg_tf.Inpainter` repairs photos, with whatever `cnnlg_tf.open_network` opens; `cnnlg_tf.load` gives a checkpoint's
Keras model. TensorFlow is imported on first use, not on `import cnnlg_tf`.
"""

from typing import TYPE_CHECKING, Any

from cnnlg_tf.errors import CnnlgError

if TYPE_CHECKING:
    from cnnlg_tf.checkpoint import load
    from cnnlg_tf.inference.inpainter import Inpainter
    from cnnlg_tf.models.cnnlg import CNNLG
    from cnnlg_tf.open import open_network

__version__ = "0.1.0"
__all__ = ["CNNLG", "CnnlgError", "Inpainter", "__version__", "load", "open_network"]

_LAZY = {
    "CNNLG": "cnnlg_tf.models.cnnlg",
    "Inpainter": "cnnlg_tf.inference.inpainter",
    "load": "cnnlg_tf.checkpoint",
    "open_network": "cnnlg_tf.open",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'cnnlg_tf' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_LAZY[name]), name)
