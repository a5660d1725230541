"""Training batches as a pure function of (seed, step), made ahead of need by background threads."""

import threading
import time
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import TYPE_CHECKING, NotRequired, Self, TypedDict

import cv2
import numpy as np
import numpy.typing as npt

from cnnlg_tf.config import DataConfig, MaskConfig
from cnnlg_tf.data.damage import PrintMaker
from cnnlg_tf.data.masks import MaskSampler
from cnnlg_tf.data.photos import PhotoFolder
from cnnlg_tf.data.sketches import draw_sketch
from cnnlg_tf.data.source import CachedSource, ImageSource, Pixels
from cnnlg_tf.data.stamps import Stamps
from cnnlg_tf.data.variety import vary

if TYPE_CHECKING:
    import tensorflow as tf

_DEPTH = 8  # Batches made ahead.
_KEPT_ORDERS = 4  # Epochs whose order is remembered: workers stand in neighbouring ones.
_SAMPLES, _ORDERS, _SKETCHES, _VARIETY = 1, 2, 3, 4  # Keep the generators apart.


class Batch(TypedDict):
    """One training batch; b images of side c."""

    image: npt.NDArray[np.uint8]  # [b, c, c, 3]
    mask: npt.NDArray[
        np.uint8
    ]  # [b, c, c, 1], 1 = missing; beside `damaged` also 2 = does not count
    damaged: NotRequired[npt.NDArray[np.uint8]]  # [b, c, c, 3], a print that shows damage
    sketch: NotRequired[npt.NDArray[np.uint8]]  # [b, c, c, 3], colours of strokes in the hole
    sketch_mask: NotRequired[npt.NDArray[np.uint8]]  # [b, c, c, 1], 1 = a stroke


class TrainingData:
    """Random crops of a source's images, with their masks.

    Each epoch visits every image once, in its own order. `batch(step)` depends on nothing but the
    arguments here and the step: a resumed run sees what an unbroken one would have, with any
    number of workers.

    Args:
        data: where images come from and how they are cut.
        masks: which masks are drawn.
        crop: side of a crop, in pixels.
        batch_size: crops a batch.
        seed: any integer.
        source: images to use in place of those `data` names, such as one already opened and cached.
        damage: whether batches show damaged prints (`damaged`), with their own masks, in place of holes.
        sketch_share: share of the samples with a sketch in their hole, 0 to 1; with 0 batches have no sketches.

    Raises:
        DataError: the folder of photos or of stamps does not exist or is empty.
    """

    def __init__(
        self,
        data: DataConfig,
        masks: MaskConfig,
        crop: int,
        batch_size: int,
        seed: int,
        source: ImageSource | None = None,
        damage: bool = False,
        sketch_share: float = 0.0,
    ) -> None:
        self.source = open_source(data) if source is None else source
        self.crop = crop
        self.batch_size = batch_size
        self._config = data
        self._seed = seed % 2**32
        self._sketch_share = sketch_share
        self._masks = None if damage else MaskSampler(masks)
        self._prints = _open_prints(masks) if damage else None
        self._orders: dict[int, npt.NDArray[np.int64]] = {}
        self._lock = threading.Lock()

    def batch(self, step: int) -> Batch:
        """The batch of `step`, 0 or more.

        Raises:
            DataError: no image of the source can be read.
        """
        size, crop = self.batch_size, self.crop
        batch = Batch(
            image=np.empty((size, crop, crop, 3), np.uint8),
            mask=np.empty((size, crop, crop, 1), np.uint8),
        )
        if self._prints is not None:
            batch["damaged"] = np.empty((size, crop, crop, 3), np.uint8)
        if self._sketch_share > 0.0:
            batch["sketch"] = np.zeros((size, crop, crop, 3), np.uint8)
            batch["sketch_mask"] = np.zeros((size, crop, crop, 1), np.uint8)
        for i in range(size):
            rng = np.random.default_rng([self._seed, step, i, _SAMPLES])
            varying = np.random.default_rng([self._seed, step, i, _VARIETY])
            at = self._index(step * size + i)
            varied = varying.random() < self._config.varied
            image = self._varied(at, varying) if varied else self._crop(at, rng)
            if self._prints is not None:
                shown = self._prints.crop(image, rng)
                image, mask = shown.whole, shown.mask
                batch["damaged"][i] = shown.damaged
            elif self._masks is not None:
                mask, _ = self._masks.draw(crop, crop, rng)
            batch["image"][i] = image
            batch["mask"][i, ..., 0] = mask
            drawing = np.random.default_rng([self._seed, step, i, _SKETCHES])
            if drawing.random() < self._sketch_share:
                sketch, strokes = draw_sketch(batch["image"][i], mask, drawing)
                batch["sketch"][i], batch["sketch_mask"][i, ..., 0] = sketch, strokes
        return batch

    def iterate(self, start_step: int, stop_step: int | None = None) -> "Prefetcher":
        """Batches from `start_step` until before `stop_step` (None: endless), made ahead."""
        return Prefetcher(self, start_step, stop_step, self._config.workers)

    def signature(self) -> "dict[str, tf.TensorSpec]":
        """The fixed shape and type of each array of a batch."""
        import tensorflow as tf

        size, crop = self.batch_size, self.crop
        image = tf.TensorSpec((size, crop, crop, 3), tf.uint8)
        mask = tf.TensorSpec((size, crop, crop, 1), tf.uint8)
        signature = {"image": image, "mask": mask}
        if self._prints is not None:
            signature["damaged"] = image
        if self._sketch_share > 0.0:
            signature |= {"sketch": image, "sketch_mask": mask}
        return signature

    def _index(self, position: int) -> int:
        """The image at `position` of the endless row of epochs."""
        epoch, at = divmod(position, len(self.source))
        with self._lock:
            if epoch not in self._orders:
                rng = np.random.default_rng([self._seed, epoch, 0, _ORDERS])
                self._orders[epoch] = rng.permutation(len(self.source))
                if len(self._orders) > _KEPT_ORDERS:
                    del self._orders[next(iter(self._orders))]
            return int(self._orders[epoch][at])

    def _varied(self, index: int, rng: np.random.Generator) -> Pixels:
        """A square of the crop's size of image `index`, made new, some of another in it."""
        other = int(rng.integers(len(self.source)))
        return vary(map(self.source.get, (index, other)), self.crop, rng)

    def _crop(self, index: int, rng: np.random.Generator) -> Pixels:
        """A random square of image `index`, scaled by min_scale..1, or up where it is small."""
        photo = self.source.get(index)
        height, width = photo.shape[:2]
        shortest = min(height, width)
        least = max(self._config.min_scale, self.crop / shortest)
        scale = rng.uniform(least, 1.0) if least < 1 else least
        side = min(shortest, max(1, round(self.crop / scale)))
        top, left = rng.integers(0, height - side + 1), rng.integers(0, width - side + 1)
        square = photo[top : top + side, left : left + side]
        if side != self.crop:
            how = cv2.INTER_AREA if side > self.crop else cv2.INTER_CUBIC
            square = cv2.resize(square, (self.crop, self.crop), interpolation=how)
        return square[:, ::-1] if rng.random() < 0.5 else square


class Prefetcher:
    """Iterator over batches in the order of their steps; `workers` threads make up to 8 ahead.

    Close it, or use it in a `with` statement, to stop its threads. `handed` holds when the latest
    batches were handed over (time.perf_counter), for a consumer that compares it with its own needs.
    """

    def __init__(
        self, data: TrainingData, start_step: int, stop_step: int | None, workers: int
    ) -> None:
        self._data = data
        self._next_step = start_step
        self._stop_step = stop_step
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="cnnlg-data")
        self._ahead: deque[Future[Batch]] = deque()
        self.handed: deque[float] = deque(maxlen=4 * _DEPTH)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Batch:
        while len(self._ahead) < _DEPTH and self._next_step != self._stop_step:
            self._ahead.append(self._pool.submit(self._data.batch, self._next_step))
            self._next_step += 1
        if not self._ahead:
            self.close()
            raise StopIteration
        batch = self._ahead.popleft().result()
        self.handed.append(time.perf_counter())
        return batch

    def dataset(self) -> "tf.data.Dataset":
        """The batches as a dataset, with the fixed shapes and types of Batch."""
        import tensorflow as tf

        signature = self._data.signature()
        return tf.data.Dataset.from_generator(lambda: self, output_signature=signature).prefetch(2)

    def close(self) -> None:
        """Stop the threads; batches under way are dropped."""
        self._ahead.clear()
        self._stop_step = self._next_step
        self._pool.shutdown(wait=False, cancel_futures=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def _open_prints(masks: MaskConfig) -> PrintMaker:
    """Damaged prints, with stamps where `masks` names a folder of them."""
    root = masks.damage_root
    stamps = None if root is None else Stamps(root, masks.damage_below)
    return PrintMaker(stamps, **masks.prints.model_dump())


def open_source(data: DataConfig) -> CachedSource:
    """The images that `data` names.

    Raises:
        DataError: its folder does not exist or holds nothing of the kind.
    """
    if data.kind == "synthetic":
        from cnnlg_tf.data.synthetic import SyntheticImages

        return SyntheticImages(data.synthetic.length, data.synthetic.size, seed=0)
    if data.kind == "tfrecord":
        from cnnlg_tf.data.tfrecord import TFRecordFolder

        return TFRecordFolder(data.root or "", data.cache_megabytes)
    return PhotoFolder(data.root or "", data.cache_megabytes, data.exclude)
