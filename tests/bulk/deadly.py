"""A network that dies as workers do, and a driver that can be killed: `python deadly.py MANIFEST OUT SECONDS`."""

import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from cnnlg_tf.inference.network import Conditions, Filled
from tests.networks import MeanFill

ONCE, ALWAYS = (1, 2, 3), (3, 2, 1)  # a photo's corner


class DeadlyFill(MeanFill):
    """Kills its process at some photos: once where the corner says ONCE, each time where it says ALWAYS.

    Args:
        marks: a folder; whoever dies leaves a file in it.
        pause: seconds that a photo takes.
    """

    def __init__(self, marks: Path, pause: float = 0.0) -> None:
        super().__init__()
        self.marks, self.pause = marks, pause

    def fill(
        self,
        image: np.ndarray,
        hole: np.ndarray,
        conditions: Conditions,
        guide: np.ndarray | None = None,
    ) -> Filled:
        time.sleep(self.pause)
        corner: Any = tuple(np.rint(image[0, 0] * 255).astype(int).tolist())
        mark = self.marks / "-".join(map(str, corner))
        if corner == ALWAYS or (corner == ONCE and not mark.exists()):
            with mark.open("a") as file:
                file.write("x")
            os.kill(os.getpid(), signal.SIGKILL)
        return super().fill(image, hole, conditions, guide)


if __name__ == "__main__":
    from cnnlg_tf.bulk.run import run_bulk
    from cnnlg_tf.bulk.worker import Repairing
    from tests.bulk.deadly import DeadlyFill as Fill  # not __main__'s: workers import it

    manifest, out, pause = sys.argv[1:]
    model = Fill(Path(out).parent, float(pause))
    print(run_bulk(manifest, out, Repairing(model), workers=2, cpus_per_worker=1, rows_per_block=4))
