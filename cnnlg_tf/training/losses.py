"""Losses as pure functions. Unless said otherwise each gives one value an image, [batch]; the caller averages.

Images are [batch, height, width, 3] in [-1, 1], masks [batch, height, width, 1] with 1 = missing.
"""

import tensorflow as tf


def masked_mean(x: tf.Tensor, weight: tf.Tensor) -> tf.Tensor:
    """Mean of x over pixels by weight, and over channels: [b, h, w, c], [b, h, w, 1] -> [b]; 0 where weight is 0."""
    total = tf.reduce_sum(tf.reduce_mean(x, axis=-1, keepdims=True) * weight, axis=(1, 2, 3))
    return total / (tf.reduce_sum(weight, axis=(1, 2, 3)) + 1e-6)


def hole_l1(
    repaired: tf.Tensor, image: tf.Tensor, mask: tf.Tensor, known_weight: float = 0.1
) -> tf.Tensor:
    """Absolute error averaged over the hole, plus a little of that over known pixels (it keeps borders continuous)."""
    error = tf.abs(repaired - image)
    return masked_mean(error, mask) + known_weight * masked_mean(error, 1.0 - mask)


def log_mse(
    repaired: tf.Tensor, image: tf.Tensor, mask: tf.Tensor, floor: float = 1e-4
) -> tf.Tensor:
    """Logarithm of the hole's mean squared error: PSNR as a loss, so that easy images still count."""
    return tf.math.log(masked_mean(tf.square(repaired - image), mask) + floor)


def coarse_l1(coarse: tf.Tensor, image: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    """`hole_l1` at the size of `coarse`, [b, h/4, w/4, 3], against the image's averages."""
    factor = 4
    target = tf.nn.avg_pool2d(image, factor, factor, "VALID")
    return masked_mean(tf.abs(coarse - target), tf.nn.avg_pool2d(mask, factor, factor, "VALID"))


def gradient_l1(gradients: tf.Tensor, target: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    """Absolute error of image gradients, [b, h, w, 6], averaged over the hole."""
    return masked_mean(tf.abs(gradients - target), mask)


def hole_nll(log_prob: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    """Negative log likelihood in nats a colour value, averaged over the hole. log_prob: [b, h, w] a pixel."""
    return -masked_mean(log_prob[..., None], mask) / 3.0


def latent_kl(divergence: tf.Tensor, mask: tf.Tensor, known_weight: float = 0.1) -> tf.Tensor:
    """KL at each position, [b, h/8, w/8], averaged over positions that touch the hole and a little over the others."""
    touched = tf.nn.max_pool2d(mask, 8, 8, "VALID")
    return masked_mean(divergence[..., None], touched + known_weight * (1.0 - touched))


def missing_cross_entropy(logits: tf.Tensor, mask: tf.Tensor, slack: float = 16.0) -> tf.Tensor:
    """Binary cross entropy of the map of damaged pixels, over all pixels that count: those of 2 in the mask do not.

    Where a share s of an image is damaged, its damaged pixels weigh s ** -0.5 times as much as the others, so that the
    thin and small are learnt from; `slack` pixels are added to them.
    """
    counts = tf.cast(mask < 1.5, logits.dtype)
    labels = tf.minimum(mask, 1.0)
    entropy = tf.nn.sigmoid_cross_entropy_with_logits(labels=labels, logits=logits)
    pixels, damaged = (
        tf.reduce_sum(x, axis=(1, 2, 3), keepdims=True) for x in (counts, counts * labels)
    )
    rare = tf.sqrt(pixels / (damaged + slack))
    return masked_mean(entropy, counts * tf.where(labels > 0.5, rare, 1.0))


def overlap_loss(logits: tf.Tensor, mask: tf.Tensor, slack: float = 16.0) -> tf.Tensor:
    """1 - F1 of each image's map of damaged pixels, in expectation: the Tversky loss at equal shares.

    Damage is a few percent of all pixels, and cross entropy alone is content to miss the thin and faint: here a hair
    counts as much as a torn corner. 0 for an image without damage: there any pixel that is found would cost as much as
    all of them, and a finder learns fastest not to find. `slack` pixels are forgiven. The mask is as in
    `missing_cross_entropy`.
    """
    counts = tf.cast(mask < 1.5, logits.dtype)
    found = tf.sigmoid(logits) * counts
    damaged = tf.minimum(mask, 1.0) * counts
    both, sums = (tf.reduce_sum(x, axis=(1, 2, 3)) for x in (found * damaged, found + damaged))
    lost = 1.0 - (2.0 * both + slack) / (sums + slack)
    return tf.where(tf.reduce_max(damaged, axis=(1, 2, 3)) > 0, lost, 0.0)


def gram_matrix(features: tf.Tensor) -> tf.Tensor:
    """[b, h, w, c] -> [b, c, c], the mean over positions of the channels' products."""
    shape = tf.shape(features)
    flat = tf.reshape(features, [shape[0], shape[1] * shape[2], features.shape[-1]])
    return tf.matmul(flat, flat, transpose_a=True) / tf.cast(shape[1] * shape[2], features.dtype)


def mean_absolute(x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
    """Mean absolute difference an image: [b, ...] -> [b]."""
    return tf.reduce_mean(tf.abs(x - y), axis=list(range(1, x.shape.rank)))


def perceptual(features: list[tf.Tensor], targets: list[tf.Tensor]) -> tf.Tensor:
    """Mean absolute difference of a network's features, summed over its layers (arXiv 1603.08155)."""
    return tf.add_n([mean_absolute(f, t) for f, t in zip(features, targets, strict=True)])


def unit_perceptual(features: list[tf.Tensor], targets: list[tf.Tensor]) -> tf.Tensor:
    """Squared difference of features scaled to unit length at each position, summed over channels and layers.

    LPIPS's distance without its learnt weights (arXiv 1801.03924): faint textures count as much as strong edges.
    """

    def distance(f: tf.Tensor, t: tf.Tensor) -> tf.Tensor:
        f, t = (tf.math.l2_normalize(x, axis=-1, epsilon=1e-6) for x in (f, t))
        return tf.reduce_mean(tf.reduce_sum(tf.square(f - t), axis=-1), axis=(1, 2))

    return tf.add_n([distance(f, t) for f, t in zip(features, targets, strict=True)])


def style(features: list[tf.Tensor], targets: list[tf.Tensor]) -> tf.Tensor:
    """Mean absolute difference of Gram matrices, summed over layers."""
    return tf.add_n(
        [
            mean_absolute(gram_matrix(f), gram_matrix(t))
            for f, t in zip(features, targets, strict=True)
        ]
    )


def hinge_discriminator(real: tf.Tensor, fake: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    """Patches that touch the hole are to be told from real ones. Scores and mask: [b, h', w', 1]."""
    on_real = tf.reduce_mean(tf.nn.relu(1.0 - real), axis=(1, 2, 3))
    return on_real + masked_mean(tf.nn.relu(1.0 + fake), mask)


def hinge_generator(fake: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    """The repair's side of the hinge game."""
    return -masked_mean(fake, mask)
