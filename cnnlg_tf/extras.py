"""Import optional dependencies, or say which pip line installs them."""

import importlib
from types import ModuleType

from cnnlg_tf.errors import MissingExtraError


def require(module: str, extra: str) -> ModuleType:
    """Import `module`, or raise MissingExtraError with the pip line for `extra`."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or not module.startswith(error.name.split(".")[0]):
            raise
        raise MissingExtraError(
            f"this needs the Python package {module!r}, which is not installed. "
            f"Install it with: pip install 'cnnlg-tf[{extra}]'"
        ) from error
