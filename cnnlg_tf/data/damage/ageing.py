"""What time and scanners do to a whole photo: it loses colour and contrast, gains grain, is enlarged and compressed."""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from cnnlg_tf.data.damage.layer import Floats, Rng, blur, soft_noise, to_pixels

Pixels = npt.NDArray[np.uint8]
_GREY = np.array([[0.299, 0.587, 0.114]], np.float32)


@dataclass(frozen=True)
class Tone:
    """A print's colours: how much of them is left, and from which black to which white they run.

    colour: 1 as taken .. 0 grey; black, white: float32 [3] in [0, 255]; gamma: of the greys between.
    """

    colour: float
    black: Floats
    white: Floats
    gamma: float

    def of(self, image: Floats) -> Floats:
        """The image in this tone, [height, width, 3] -> the same."""
        if self.colour < 1:
            mixed = self.colour * np.eye(3) + (1 - self.colour) * np.repeat(_GREY, 3, axis=0)
            image = cv2.transform(image, mixed.astype(np.float32))
        unit = np.clip(image * np.float32(1 / 255), 0, 1)
        if self.gamma != 1:
            unit = cv2.pow(unit, self.gamma)
        toned: Floats = unit * (self.white - self.black)
        toned += self.black
        return toned


PLAIN = Tone(1.0, np.zeros(3, np.float32), np.full(3, 255, np.float32), 1.0)


def draw_tone(rng: Rng) -> Tone:
    """Grey, sepia, faded, low in contrast, or as taken."""
    draws = rng.random()
    if draws < 0.3:
        return PLAIN
    black = np.full(3, rng.uniform(0, 45) if rng.random() < 0.6 else 0.0, np.float32)
    white = np.full(3, rng.uniform(185, 255) if rng.random() < 0.6 else 255.0, np.float32)
    colour = 1.0
    if draws < 0.55:  # grey
        colour = 0.0
    elif draws < 0.8:  # sepia
        colour, warmth = 0.0, rng.uniform(0.2, 1.0)
        black += np.array([18, 8, 0], np.float32) * np.float32(warmth)
        white -= np.array([4, 22, 65], np.float32) * np.float32(warmth)
    else:  # faded colours with a cast
        colour = rng.uniform(0.3, 0.9)
        black += rng.uniform(0, 30, 3).astype(np.float32)
        white -= rng.uniform(0, 40, 3).astype(np.float32)
    return Tone(colour, black, white, float(np.exp(rng.normal(0, 0.2))))


@dataclass(frozen=True)
class Scan:
    """How a print becomes a file.

    scale: pixels of the scan a pixel of the photo; soft: blur of the optics in scan pixels; film: deviation of the
    print's grain and its size in pixels; sensor: deviation of the scanner's noise; sharpen: strength of unsharp
    masking; quality: of JPEG, None = not compressed; seed: of the noise.
    """

    scale: float
    soft: float
    film: tuple[float, float]
    sensor: float
    sharpen: float
    quality: int | None
    seed: int

    def enlarge(self, image: Floats, size: tuple[int, int]) -> Floats:
        """The photo at scan size, (width, height) given, with the optics' blur and the print's grain."""
        if (image.shape[1], image.shape[0]) != size:
            how = cv2.INTER_CUBIC if size[0] > image.shape[1] else cv2.INTER_AREA
            image = cv2.resize(image, size, interpolation=how)
        image = blur(image, self.soft)
        strength, grain = self.film
        if strength > 0:
            rng = np.random.default_rng([self.seed, 1])
            noise = soft_noise(size[1], size[0], grain, rng)
            grey = cv2.transform(image, _GREY)
            shape = np.float32(strength) * (1.1 - np.abs(grey / 128 - 1))
            image = image + (noise * shape)[..., None]
        return image

    def finish(self, image: Floats) -> Pixels:
        """What the file holds: sharpened, with the scanner's noise, compressed."""
        if self.sharpen > 0:
            image = image + np.float32(self.sharpen) * (image - blur(image, 1.2))
        if self.sensor > 0:
            noise = np.random.default_rng([self.seed, 2]).standard_normal(image.shape, np.float32)
            image = image + np.float32(self.sensor) * noise
        pixels = to_pixels(image)
        return pixels if self.quality is None else recompress(pixels, self.quality)


def draw_scan(rng: Rng, scale: float | None = None) -> Scan:
    """A scan of a drawn resolution, or of the given one."""
    if scale is None:
        scale = 1.0 if rng.random() < 0.5 else float(np.exp(rng.uniform(0, np.log(4))))
    return Scan(
        scale=scale,
        soft=rng.uniform(0.3, 1.0) if rng.random() < 0.3 else 0.0,
        film=(float(np.exp(rng.uniform(0.0, 2.2))), rng.uniform(1, 1 + scale))
        if rng.random() < 0.5
        else (0.0, 1.0),
        sensor=rng.uniform(0.5, 5) if rng.random() < 0.4 else 0.0,
        sharpen=rng.uniform(0.2, 1.0) if rng.random() < 0.2 else 0.0,
        quality=int(rng.integers(35, 96)) if rng.random() < 0.6 else None,
        seed=int(rng.integers(2**31)),
    )


def recompress(pixels: Pixels, quality: int) -> Pixels:
    """The pixels as a JPEG file of this quality gives them back."""
    _, encoded = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])
    decoded: Any = cv2.imdecode(encoded, cv2.IMREAD_COLOR)
    return np.asarray(decoded, np.uint8)
