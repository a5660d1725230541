"""The network behind the page, opened in the background so that the page shows at once."""

import logging
import threading
from collections.abc import Callable

import numpy as np

from cnnlg_tf.errors import CnnlgError
from cnnlg_tf.inference.inpainter import Inpainter
from cnnlg_tf.inference.network import Network

WARM_SIDE = 128  # pixels of the first repair, which costs more than those that follow

logger = logging.getLogger("cnnlg_tf")


class Engine:
    """Holds an Inpainter once its network is open.

    Args:
        open_: gives the network; called on a thread.
    """

    def __init__(self, open_: Callable[[], Network]) -> None:
        self._open = open_
        self._ready = threading.Event()
        self._inpainter: Inpainter | None = None
        self._error: str | None = None
        self.can: frozenset[str] = frozenset()
        threading.Thread(target=self._start, name="page-network", daemon=True).start()

    @property
    def state(self) -> str:
        """opening, ready or failed."""
        if not self._ready.is_set():
            return "opening"
        return "ready" if self._error is None else "failed"

    @property
    def error(self) -> str | None:
        """Why the network cannot be opened."""
        return self._error

    def inpainter(self) -> Inpainter:
        """Waits until the network is open; raises CnnlgError if it cannot be."""
        self._ready.wait()
        if self._inpainter is None:
            raise CnnlgError(f"the model cannot be opened: {self._error}")
        return self._inpainter

    def _start(self) -> None:
        try:
            network = self._open()
            inpainter = Inpainter(network)
            hole = np.zeros((WARM_SIDE, WARM_SIDE), bool)
            hole[48:80, 48:80] = True
            inpainter.repair(np.full((WARM_SIDE, WARM_SIDE, 3), 128, np.uint8), hole)
            self.can = network.can
            self._inpainter = inpainter
        except CnnlgError as error:
            self._error = str(error)
        except Exception as error:  # the page then says it; the thread's end would go unseen
            logger.exception("the page's model cannot be opened")
            self._error = f"unexpected {type(error).__name__}: {error}"
        self._ready.set()
