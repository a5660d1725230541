"""TensorBoard event files, written without the tensorboard package: training needs only TensorFlow."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import tensorflow as tf


class EventWriter:
    """Appends scalars and pictures to event files in a folder; `close` when done."""

    def __init__(self, folder: Path) -> None:
        self._writer = tf.summary.create_file_writer(str(folder))

    def scalars(self, values: dict[str, float], step: int) -> None:
        """Write `values` under their names."""
        with self._writer.as_default():
            for name, value in values.items():
                tensor = tf.constant(value, tf.float32)
                tf.summary.write(name, tensor, step, _metadata("scalars", "DATA_CLASS_SCALAR"))
        self._writer.flush()

    def picture(self, name: str, picture: npt.NDArray[np.uint8], step: int) -> None:
        """Write one picture, uint8 RGB [height, width, 3]."""
        height, width = picture.shape[:2]
        png = tf.io.encode_png(picture)
        tensor = tf.stack([tf.constant(str(width)), tf.constant(str(height)), png])
        with self._writer.as_default():
            tf.summary.write(name, tensor, step, _metadata("images", "DATA_CLASS_BLOB_SEQUENCE"))
        self._writer.flush()

    def close(self) -> None:
        self._writer.close()


def _metadata(plugin: str, data_class: str) -> tf.compat.v1.SummaryMetadata:
    metadata = tf.compat.v1.SummaryMetadata()
    metadata.plugin_data.plugin_name = plugin
    number = metadata.DESCRIPTOR.fields_by_name["data_class"].enum_type.values_by_name[data_class]
    metadata.data_class = number.number
    return metadata
