"""CNNLG: the prior, its guides, the synthesis with its merge, and the damage finder joined into one model."""

from typing import Any

import keras
import tensorflow as tf

from cnnlg_tf.certainty import thresholds
from cnnlg_tf.config import ModelConfig
from cnnlg_tf.errors import ConfigError
from cnnlg_tf.models import gaussian
from cnnlg_tf.models.damage_finder import DamageFinder
from cnnlg_tf.models.fill import membrane_fill
from cnnlg_tf.models.gradient_guide import GradientGuide, image_gradients, known_gradients
from cnnlg_tf.models.guided_synthesis import synthesise
from cnnlg_tf.models.latent_guide import LatentGuide
from cnnlg_tf.models.mask_refiner import MaskRefiner
from cnnlg_tf.models.merge import Merge
from cnnlg_tf.models.pixels import known_range, quotient
from cnnlg_tf.models.prior import Context, Prior
from cnnlg_tf.models.sketch import (
    BESIDE,
    Sketch,
    around_strokes,
    edges,
    fill_with_sketch,
    half_known,
    make_sketch,
    near_strokes,
    redrawn,
    without_halos,
)
from cnnlg_tf.models.synthesis_scale import Synthesis

MULTIPLE = 16  # the networks' sizes are multiples of this; other sizes are padded inside
REACH = 3  # px: a repair so near to known pixels keeps to their range of colours,
LEEWAY = 0.25  # or leaves it by this share of it,
LEAST_LEEWAY = 0.1  # and in [-1, 1] by this


@keras.saving.register_keras_serializable("cnnlg")
class CNNLG(keras.Model):
    """Repairs photos: known pixels come back as they are, the hole is filled from its surroundings.

    Images are float32 [batch, height, width, 3] in [0, 1], masks [batch, height, width, 1] with 1 = missing; any height
    and width from 16 up. Every method works in a tf.function with dynamic shapes.
    """

    def __init__(self, config: ModelConfig | None = None, **kwargs: Any) -> None:
        super().__init__(autocast=False, **kwargs)
        config = config or ModelConfig()
        # === Layers ===
        self.prior = Prior(config, name="prior")
        self.latent_guide = (
            LatentGuide(
                config.latent_guide, config.latent_channels, config.activation, name="latent_guide"
            )
            if config.latent_guide.enabled
            else None
        )
        self.gradient_guide = (
            GradientGuide(config.gradient_guide, config.activation, name="gradient_guide")
            if config.gradient_guide.enabled
            else None
        )
        self.merge = (
            Merge(config.merge, config.activation, name="merge") if config.merge.enabled else None
        )
        self.damage_finder = (
            DamageFinder(config.damage_finder, config.activation, name="damage_finder")
            if config.damage_finder.enabled
            else None
        )
        self.mask_refiner = MaskRefiner(config.mask_refiner, name="mask_refiner")
        # === Config ===
        self.config = config
        self._create_weights()

    def call(self, inputs: dict[str, tf.Tensor], training: bool | None = None) -> tf.Tensor:
        """{"image", "mask"} -> the repaired image."""
        return self.repair(inputs["image"], inputs["mask"])[0]

    def paint(
        self,
        image: tf.Tensor,
        mask: tf.Tensor,
        detail: tf.Tensor | float = 1.0,
        reference: tf.Tensor | None = None,
        sketch: tf.Tensor | None = None,
        sketch_mask: tf.Tensor | None = None,
        seed: tf.Tensor | None = None,
        temperature: tf.Tensor | float = 0.0,
        compact: bool = True,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Fill the hole, with all that can be said of how.

        Args:
            image: [b, h, w, 3] in [0, 1]; what it holds inside the hole is never looked at.
            mask: [b, h, w, 1], 1 = missing; thresholded at 0.5.
            detail: 0 smooth .. 1 as learnt .. 2 crisp.
            reference: [r, h2, w2, 3] in [0, 1], photos that may be copied from, besides the photo itself; below 0
                there is nothing to copy, and photos of nothing are as none. So are none, or such of 0 x 0 px.
            sketch: [b, h, w, 3] in [0, 1], colours of strokes in the hole that the repair follows. Where they are grey
                they say that an edge is there, else what colour too. One of 0 x 0 px, or without strokes, is as none.
            sketch_mask: [b, h, w, 1], 1 = a stroke; thresholded at 0.5. With `sketch`.
            seed: int32 [2], of a drawn latent map and of a drawn half of the photo that is copied from; None: the
                expected image.
            temperature: scales the latent's standard deviation, and how much of the photo is left out; 0 gives the
                expected image.
            compact: False for runtimes without sizes that depend on data; see `synthesise`. Then nothing may be empty.

        Returns:
            (repaired [b, h, w, 3] in [0, 1], uncertainty [b, h, w, 1]: the standard deviation of the pixel's
            distribution in units of [0, 1], 0 at known pixels).
        """
        padded, hole = self._prepare(image, mask)
        drawn = _padded_sketch(sketch, sketch_mask, mask, hole, compact)
        context = self.context(padded, hole, detail, drawn)
        decoded = self.prior.decoder(context, self.latent(context, seed, temperature))
        mean, std = decoded.moments
        if drawn is not None:
            mean = without_halos(mean, context.filled, drawn)
        other = _padded_reference(reference, compact)
        laid = self.lay(padded, hole, mean, detail, other, seed, temperature, drawn, compact)
        shape = tf.shape(image)
        uncertainty = tf.clip_by_value(0.5 * std, 0.0, 1.0) * hole
        painted = _in_range(laid, padded, hole, drawn)
        return self._composite(image, mask, painted), uncertainty[:, : shape[1], : shape[2]]

    def repair(
        self, image: tf.Tensor, mask: tf.Tensor, detail: tf.Tensor | float = 1.0, **options: Any
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Fill the hole with the expected image: `paint` without a seed."""
        return self.paint(image, mask, detail, **options)

    def sample(
        self,
        image: tf.Tensor,
        mask: tf.Tensor,
        seed: tf.Tensor,
        temperature: tf.Tensor | float = 1.0,
        **options: Any,
    ) -> tf.Tensor:
        """One of the possible images, [b, h, w, 3]: `paint` with a seed."""
        return self.paint(image, mask, seed=seed, temperature=temperature, **options)[0]

    def refine(
        self,
        image: tf.Tensor,
        mask: tf.Tensor,
        guide: tf.Tensor,
        detail: tf.Tensor | float = 1.0,
        reference: tf.Tensor | None = None,
        sketch: tf.Tensor | None = None,
        sketch_mask: tf.Tensor | None = None,
        compact: bool = True,
    ) -> tf.Tensor:
        """Add to a repair made at a lower resolution, enlarged, what that resolution lacks: [b, h, w, 3] in [0, 1].

        Args:
            image, mask, detail, reference, sketch, sketch_mask, compact: as for `paint`.
            guide: [b, h, w, 3] in [0, 1], the enlarged repair.
        """
        padded, hole = self._prepare(image, mask)
        given = 2.0 * pad_to_multiple(guide, MULTIPLE) - 1.0
        drawn = _padded_sketch(sketch, sketch_mask, mask, hole, compact)
        if drawn is not None:
            given = redrawn(given, hole, drawn)
        other = _padded_reference(reference, compact)
        laid = self.lay(padded, hole, given, detail, other, sketch=drawn, compact=compact)
        return self._composite(image, mask, _in_range(laid, padded, hole, drawn))

    def decode(self, image: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
        """What belongs where, before real pixels are laid: the decoder's mean, [b, h, w, 3] in [0, 1].

        `refine` with this as its guide is `repair`. Arguments as for `repair`.
        """
        padded, hole = self._prepare(image, mask)
        context = self.context(padded, hole)
        mean, _ = self.prior.decoder(context, self.latent(context)).moments
        return self._composite(image, mask, mean)

    def find_damage(self, image: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Find what needs repair in a photo with visible damage.

        Args:
            image: [b, h, w, 3] in [0, 1].

        Returns:
            (mask_probability [b, h, w, 1] in [0, 1], mask [b, h, w, 1] of 0 and 1). The mask is that of pixels above
            1/2 in images where something is certain (`cnnlg_tf.certainty`); `Inpainter` asks that of each region.

        Raises:
            ConfigError: the model was built without its damage finder.
        """
        if self.damage_finder is None:
            raise ConfigError(
                "finding damage needs the damage finder. Received: a model with model.damage_finder.enabled false"
            )
        shape = tf.shape(image)
        padded = pad_to_multiple(image, MULTIPLE)
        logits = tf.cast(self.damage_finder(2.0 * padded - 1.0), tf.float32)
        refined = self.mask_refiner(image, logits[:, : shape[1], : shape[2]])
        limits = thresholds(0.5)
        certain = tf.reduce_max(refined, axis=(1, 2, 3), keepdims=True) > limits.higher
        return refined, tf.cast((refined > limits.lower) & certain, tf.float32)

    def context(
        self,
        image: tf.Tensor,
        mask: tf.Tensor,
        detail: tf.Tensor | float = 1.0,
        sketch: Sketch | None = None,
    ) -> Context:
        """What the decoder sees. `image` in [-1, 1], sizes multiples of 16; `mask` of 0 and 1.

        A sketch shapes the fill, its strokes are half known, and the gradients along them are those of the fill.
        """
        if sketch is None:
            filled, seen, unguided = membrane_fill(image, mask), mask, mask
        else:
            filled = fill_with_sketch(image, mask, sketch)
            seen, unguided = half_known(mask, sketch), around_strokes(mask, sketch)
        filled = tf.stop_gradient(filled)
        smooth = image_gradients(filled)
        if self.gradient_guide is None:
            return Context(filled, seen, smooth * known_gradients(unguided))
        completed = tf.cast(self.gradient_guide(filled, unguided), filled.dtype)
        return Context(filled, seen, smooth + detail * (completed - smooth))

    def guide(self, observed: tf.Tensor, mask: tf.Tensor) -> gaussian.Gaussian | None:
        """The latent guide's distribution of h, in float32; None without a latent guide."""
        if self.latent_guide is None:
            return None
        return tf.nest.map_structure(
            lambda x: tf.cast(x, tf.float32), self.latent_guide(observed, mask)
        )

    def lay(
        self,
        image: tf.Tensor,
        mask: tf.Tensor,
        guide: tf.Tensor,
        detail: tf.Tensor | float = 1.0,
        reference: tf.Tensor | None = None,
        seed: tf.Tensor | None = None,
        temperature: tf.Tensor | float = 0.0,
        sketch: Sketch | None = None,
        compact: bool = True,
    ) -> tf.Tensor:
        """The guide with real pixels laid where it says: [b, h, w, 3] in [-1, 1], sizes multiples of 16.

        image, guide: in [-1, 1]; reference in [0, 1]. Along a sketch's edges the guide stays.
        """
        guide = tf.where(mask > 0.5, tf.clip_by_value(guide, -1.0, 1.0), image)
        if self.merge is None:
            return guide
        synthesis = self.synthesis(
            image, mask, guide, reference, seed, temperature, sketch, compact
        )
        return self.merge(guide, synthesis, mask, detail=detail)

    def synthesis(
        self,
        image: tf.Tensor,
        mask: tf.Tensor,
        guide: tf.Tensor,
        reference: tf.Tensor | None = None,
        seed: tf.Tensor | None = None,
        temperature: tf.Tensor | float = 0.0,
        sketch: Sketch | None = None,
        compact: bool = True,
    ) -> Synthesis:
        """What `lay` lays; arguments as there."""
        photo, repaired = (tf.stop_gradient(0.5 * (x + 1.0)) for x in (image, guide))
        with tf.name_scope("synthesis"):  # exporters keep what stands here in float32
            return synthesise(
                photo,
                mask,
                repaired,
                reference,
                passes=self.config.merge.passes,
                rounds=self.config.merge.rounds,
                seed=seed,
                temperature=temperature,
                kept=None if sketch is None else edges(sketch),
                sure=None if sketch is None else near_strokes(sketch, BESIDE),
                compact=compact,
            )

    @staticmethod
    def _prepare(image: tf.Tensor, mask: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """The photo in [-1, 1], zero in its hole whatever it holds there, and the hole, with padded sizes."""
        hole = tf.cast(mask > 0.5, tf.float32)
        known = tf.where(hole > 0.5, 0.5, image)
        return 2.0 * pad_to_multiple(known, MULTIPLE) - 1.0, pad_to_multiple(hole, MULTIPLE)

    @staticmethod
    def _composite(image: tf.Tensor, mask: tf.Tensor, painted: tf.Tensor) -> tf.Tensor:
        shape = tf.shape(image)
        painted = tf.clip_by_value(0.5 * (painted[:, : shape[1], : shape[2]] + 1.0), 0.0, 1.0)
        return tf.where(mask > 0.5, painted, image)

    def latent(
        self,
        context: Context,
        seed: tf.Tensor | None = None,
        temperature: tf.Tensor | float = 0.0,
    ) -> tf.Tensor:
        """The latent map h at 1/8 scale: its expected value, or one drawn with `seed`; zeros without a latent guide."""
        distribution = self.guide(context.filled, context.mask)
        if distribution is None:
            batch, height, width, _ = tf.unstack(tf.shape(context.mask))
            # one by one: a convolution of a number of channels that is not known cannot be exported
            zeros = tf.zeros([batch, height // 8, width // 8, self.config.latent_channels])
            distribution = gaussian.Gaussian(zeros, zeros)
        return (
            distribution.mean if seed is None else gaussian.sample(distribution, seed, temperature)
        )

    @property
    def network_weights(self) -> list[Any]:
        """All variables of the networks, in a fixed order, without what a trainer may have added."""
        parts = [self.prior, self.latent_guide, self.gradient_guide, self.merge, self.damage_finder]
        return [v for part in parts if part is not None for v in part.variables]

    def _create_weights(self) -> None:
        """Run every part once on a small image, so that weights exist and can be loaded."""
        # else Keras traces each part in a graph of its own before it runs it: 10.4 s instead of 3.5 s for a tiny model
        for part in (*self.layers, *self.prior.layers):
            part.built = True
        image, mask = tf.zeros([1, 32, 32, 3]), tf.ones([1, 32, 32, 1])
        context = self.context(image, mask)
        self.latent(context)
        if self.damage_finder is not None:
            self.damage_finder(image)
        self.prior(image, context, tf.zeros([2], tf.int32))
        if self.merge is not None:
            synthesis = Synthesis(image, mask, mask, mask)
            self.merge(image, synthesis, mask)
        self.mask_refiner(image, mask)
        self.built = True

    @classmethod
    def from_preset(cls, name: str) -> "CNNLG":
        """A model with trained weights: a preset's name ("photos"), or a folder of `save_to_preset`."""
        from cnnlg_tf.presets import load_preset

        return load_preset(name)

    def save_to_preset(self, folder: str, licence: str = "not stated") -> None:
        """Write weights and architecture to a folder that `from_preset` takes."""
        from cnnlg_tf.presets import save_preset

        save_preset(self, folder, licence=licence)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"config": self.config.model_dump(mode="json")}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "CNNLG":
        return cls(ModelConfig(**config.pop("config")), **config)


def _in_range(
    painted: tf.Tensor, image: tf.Tensor, hole: tf.Tensor, sketch: Sketch | None = None
) -> tf.Tensor:
    """What lies near known pixels, within their range of colours: no mask, however odd, gives wild colours.

    What is drawn may have any, and so may what lies beside it.
    """
    low, high = known_range(image, hole, REACH)
    leeway = LEEWAY * (high - low) + LEAST_LEEWAY
    near = tf.minimum(tf.maximum(painted, low - leeway), high + leeway)
    if sketch is None:
        return near
    return tf.where(near_strokes(sketch, REACH) > 0.5, painted, near)


def _padded_reference(reference: tf.Tensor | None, compact: bool) -> tf.Tensor | None:
    if reference is None:
        return None
    reference = tf.convert_to_tensor(reference, tf.float32)
    known = reference.shape.is_fully_defined() and reference.shape.num_elements()
    if not known and compact:
        count, height, width, _ = tf.unstack(tf.shape(reference))
        some = tf.minimum(count * height * width, 1)
        # where there are none, one photo of nothing
        side = MULTIPLE * (1 - some)
        reference = reference[:, : some * height, : some * width]
        more = tf.stack([tf.maximum(1 - count, 0), side, side])
        reference = _padded(reference, more, -1.0)
    return pad_to_multiple(reference, MULTIPLE)


def _padded_sketch(
    colours: tf.Tensor | None,
    strokes: tf.Tensor | None,
    mask: tf.Tensor,
    hole: tf.Tensor,
    compact: bool,
) -> Sketch | None:
    """The sketch in the padded hole; of an empty one, one without strokes."""
    if colours is None or strokes is None:
        return None
    if compact:
        size = tf.shape(mask)[:3]
        colours, strokes = (_padded(x, size - tf.shape(x)[:3]) for x in (colours, strokes))
    drawn = pad_to_multiple(colours, MULTIPLE), pad_to_multiple(strokes, MULTIPLE)
    return make_sketch(*drawn, hole, compact)


def _padded(image: tf.Tensor, more: tf.Tensor, value: float = 0.0) -> tf.Tensor:
    """`value` after the last photos, rows and columns: so many more of each, [3]."""
    more = tf.concat([more, [0]], axis=0)
    padded = tf.pad(image, tf.stack([tf.zeros_like(more), more], axis=1), constant_values=value)
    # the channels, which a padding of free sizes forgets
    return tf.reshape(padded, [*tf.unstack(tf.shape(padded)[:3]), image.shape[-1]])


def pad_to_multiple(image: tf.Tensor, multiple: int) -> tf.Tensor:
    """Repeat the last row and column until height and width are multiples of `multiple`."""
    for axis in (1, 2):
        size = tf.shape(image)[axis] if image.shape[axis] is None else image.shape[axis]
        if isinstance(size, int) and size % multiple == 0:
            continue
        most = size + multiple - 1
        padded = multiple * (
            most // multiple if isinstance(size, int) else quotient(most, multiple)
        )
        image = tf.gather(image, tf.minimum(tf.range(padded), size - 1), axis=axis)
    return image
