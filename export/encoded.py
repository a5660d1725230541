"""Encoded photos inside a TensorFlow graph: decoded, repaired one after another, encoded again."""

from collections.abc import Callable
from typing import Any


def repair_encoded(repair: Callable[..., Any], image_bytes: Any, mask_bytes: Any) -> Any:
    """Repair photos one after another, as they may differ in size: string [batch] twice -> PNG, string [batch]."""
    import tensorflow as tf

    def repair_pair(pair: tuple[Any, Any]) -> Any:
        image, missing = decode(pair[0]), decode_mask(pair[1])
        same = tf.debugging.assert_equal(
            tf.shape(missing)[:2],
            tf.shape(image)[:2],
            "mask_bytes must be an image as high and wide as that of image_bytes",
        )
        with tf.control_dependencies([same]):
            hole = tf.cast(missing, tf.float32)
        result = repair(tf.cast(image, tf.float32)[None] / 255.0, hole[None])
        painted = tf.cast(tf.round(255.0 * result["repaired"][0]), tf.uint8)
        return tf.io.encode_png(tf.where(hole > 0.5, painted, image))

    return tf.map_fn(
        repair_pair,
        (image_bytes, mask_bytes),
        fn_output_signature=tf.TensorSpec([], tf.string),
        parallel_iterations=1,  # one photo's memory at a time
    )


def decode(contents: Any) -> Any:
    """uint8 [height, width, 3] of a JPEG, PNG, WebP, BMP or GIF file, told apart by its first bytes."""
    import tensorflow as tf

    # WebP and GIF files decode to colours only: ask for three channels from every format.
    image = tf.io.decode_image(contents, channels=3, expand_animations=False)
    image.set_shape([None, None, 3])
    return image


def decode_mask(contents: Any) -> Any:
    """bool [height, width, 1], True = missing, by the rule of `cnnlg_tf.photos` for masks.

    What counts is how bright and opaque a pixel is. Of two levels the brighter is missing; of more, half and above.
    """
    import tensorflow as tf

    def with_alpha() -> Any:
        levels = tf.cast(tf.io.decode_png(contents, channels=4, dtype=tf.uint16), tf.float32)
        return tf.reduce_max(levels[..., :3], axis=-1, keepdims=True) * levels[..., 3:] / 65535.0

    def without() -> Any:
        return tf.cast(tf.reduce_max(decode(contents), axis=-1, keepdims=True), tf.float32) * 257.0

    is_png = tf.equal(tf.strings.substr(contents, 0, 8), b"\x89PNG\r\n\x1a\n")
    bright = tf.cond(is_png, with_alpha, without)
    bright.set_shape([None, None, 1])
    most, least = tf.reduce_max(bright), tf.reduce_min(bright)
    two_levels = tf.reduce_all((bright == most) | (bright == least))
    threshold = tf.where(two_levels, most, 0.5 * 65535.0)
    return (bright >= threshold) & (bright > 0.0)
