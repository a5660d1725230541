"""How long training steps wait for their data."""

import time

import keras

from cnnlg_tf.data.pipeline import Prefetcher


class InputWait(keras.callbacks.Callback):
    """`share`: the part of the time, 0 to 1, in which a step could have run but its batch was not made yet.

    A step waits from its beginning until its batch is handed over, if that is later. Asking the prefetcher alone would
    not do: tf.data asks ahead of need, so its waiting is not the step's.
    """

    def __init__(self, prefetcher: Prefetcher) -> None:
        super().__init__()
        self.prefetcher = prefetcher
        self.waited = 0.0
        self.total = 0.0
        self.began = 0.0
        self.ended: float | None = None

    @property
    def share(self) -> float:
        return self.waited / self.total if self.total else 0.0

    def on_train_batch_begin(self, batch: int, logs: dict[str, float] | None = None) -> None:
        self.began = time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        now = time.perf_counter()
        handed = self.prefetcher.handed.popleft() if self.prefetcher.handed else now
        if self.ended is not None:  # the first step compiles
            self.waited += max(0.0, min(handed, now) - self.began)
            self.total += now - self.ended
        self.ended = now
