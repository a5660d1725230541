"""Things of the pictured world that look like damage and are none: a finder must leave them alone.

They are drawn into the photo before it ages, so that they share its blur, grain and tone.
"""

import math

import cv2
import numpy as np

from cnnlg_tf.data.damage.layer import Floats, Rng, blur, draw, draw_all, place, soft_noise, walk


def draw_lookalike(image: Floats, rng: Rng) -> Floats:
    """One drawn kind of look-alike in the photo: float32 [height, width, 3] in [0, 255] -> the same."""
    return list(LOOKALIKES.values())[int(rng.integers(len(LOOKALIKES)))](image, rng)


def _laid(image: Floats, opacity: Floats, colour: Floats | float) -> Floats:
    soft = np.clip(opacity, 0, 1)[..., None]
    laid: Floats = image + soft * (np.asarray(colour, np.float32) - image)
    return laid


def _local_colour(image: Floats, rng: Rng) -> Floats:
    y, x = int(rng.integers(image.shape[0])), int(rng.integers(image.shape[1]))
    colour: Floats = image[y, x]
    return colour


def wires(image: Floats, rng: Rng) -> Floats:
    """Power lines and ropes: long, smooth, sagging, often parallel, dark or lit."""
    height, width = image.shape[:2]
    opacity = np.zeros((height, width), np.float32)
    tilt, sag = rng.normal(0, 0.25), rng.uniform(0, 0.25) * height
    x = np.linspace(-0.05, 1.05, 24)
    top, thick = rng.uniform(0, height), rng.uniform(0.6, 2.2)
    for number in range(int(rng.integers(1, 6))):
        y = top + number * rng.uniform(4, 20) + tilt * height * x + sag * 4 * x * (x - 1)
        draw(opacity, np.stack([x * width, y], -1).astype(np.float32), thick)
    if rng.random() < 0.25:
        opacity = np.ascontiguousarray(np.rot90(opacity)) if height == width else opacity
    shade = rng.uniform(0, 70) if rng.random() < 0.85 else rng.uniform(170, 240)
    return _laid(image, blur(opacity, rng.uniform(0.3, 0.9)), shade)


def branches(image: Floats, rng: Rng) -> Floats:
    """Bare twigs: they branch as cracks do, and taper from thick to thin."""
    height, width = image.shape[:2]
    opacity = np.zeros((height, width), np.float32)

    def grow(start: Floats, angle: float, length: float, thick: float, depth: int) -> None:
        path = walk(start, angle, length, 0.12, 6, rng)
        draw(opacity, path, (thick * np.linspace(1, 0.45, len(path) - 1)).tolist())
        for _ in range(int(rng.integers(1, 4)) if depth else 0):
            at = int(rng.integers(len(path) // 3, len(path)))
            turned = angle + rng.choice([-1, 1]) * rng.uniform(0.3, 0.9)
            grow(path[at], turned, length * rng.uniform(0.35, 0.7), thick * 0.55, depth - 1)

    for _ in range(int(rng.integers(1, 4))):
        start = place(height, width, rng)
        start[int(rng.integers(2))] = 0
        grow(
            start,
            rng.uniform(0, 2 * math.pi),
            rng.uniform(0.3, 0.9) * width,
            rng.uniform(1.5, 6),
            3,
        )
    lit = rng.random() < 0.2
    bark = rng.uniform(130, 230, 3) if lit else rng.uniform(5, 80) + rng.uniform(0, 25, 3)
    return _laid(image, blur(opacity, rng.uniform(0.4, 1.0)), bark)


def strands(image: Floats, rng: Rng) -> Floats:
    """Hair, fur, grass: very many thin strokes that nearly agree in direction and take near-by colours."""
    height, width = image.shape[:2]
    out, angle = image, rng.uniform(0, 2 * math.pi)
    heart, spread = place(height, width, rng), rng.uniform(0.1, 0.45) * width
    grass = rng.random() < 0.5
    base = (
        _local_colour(image, rng)
        if not grass
        else np.array([rng.uniform(40, 140), rng.uniform(80, 170), rng.uniform(20, 80)])
    )
    for _ in range(3):
        opacity = np.zeros((height, width), np.float32)
        for _ in range(int(rng.integers(12, 40))):
            start = heart + rng.normal(0, spread, 2)
            path = walk(start, angle + rng.normal(0, 0.25), rng.uniform(8, 60), 0.08, 4, rng)
            draw(
                opacity, path, (rng.uniform(0.7, 2.0) * np.linspace(1, 0.5, len(path) - 1)).tolist()
            )
        out = _laid(
            out,
            blur(opacity, 0.4) * np.float32(rng.uniform(0.5, 1)),
            np.clip(base + rng.normal(0, 35), 0, 255),
        )
    return out


def stars(image: Floats, rng: Rng) -> Floats:
    """A night sky: the photo darkened, with points of light."""
    height, width = image.shape[:2]
    out = blur(image, 2.0) * np.float32(rng.uniform(0.05, 0.25))
    canvas = np.zeros((height, width), np.float32)
    for _ in range(int(rng.integers(15, 120))):
        y, x = int(rng.integers(height)), int(rng.integers(width))
        canvas[y, x] = rng.uniform(0.3, 1.0) ** 2
    glow = 3.0 * blur(canvas, rng.uniform(0.5, 0.9)) + 6.0 * blur(canvas, 1.6) * (
        rng.random() < 0.4
    )
    return _laid(out, glow, rng.uniform(200, 255))


def snow(image: Floats, rng: Rng) -> Floats:
    """Falling snow or spray: soft discs of many sizes, blurred by distance, all over the photo."""
    height, width = image.shape[:2]
    opacity = np.zeros((height, width), np.float32)
    drift = rng.normal(0, 3, 2)
    for _ in range(3):
        flakes, size = np.zeros((height, width), np.float32), rng.uniform(1, 4)
        for _ in range(int(rng.integers(10, 60))):
            at = place(height, width, rng)
            draw(flakes, np.stack([at, at + drift]).astype(np.float32), size)
        np.maximum(
            opacity,
            blur(flakes, rng.uniform(0.6, 2.0)) * np.float32(rng.uniform(0.4, 1)),
            out=opacity,
        )
    return _laid(image, opacity, rng.uniform(215, 255))


def text(image: Floats, rng: Rng) -> Floats:
    """Printed words, on a sign or free: lettering belongs to what was photographed."""
    height, width = image.shape[:2]
    canvas = np.zeros((height, width), np.uint8)
    size, font = rng.uniform(0.35, 1.6), int(rng.integers(0, 8))
    out, row = image, int(rng.integers(0, height))
    if rng.random() < 0.6:  # a sign of one colour behind
        plate = np.zeros((height, width), np.float32)
        top, left = max(0, row - int(30 * size)), int(rng.integers(0, width // 2))
        plate[top : row + int(34 * size), left : left + int(rng.integers(width // 3, width))] = 1
        out = _laid(out, blur(plate, 0.5), rng.uniform(0, 255, 3))
    for line in range(int(rng.integers(1, 4))):
        word = "".join(chr(c) for c in rng.integers(65, 91, int(rng.integers(2, 12))))
        word = word.title() if rng.random() < 0.5 else word
        at = (int(rng.integers(-10, max(1, width // 2))), row + int(30 * size * line))
        cv2.putText(canvas, word, at, font, size, 255, int(rng.integers(1, 4)), cv2.LINE_AA)
    letters = canvas.astype(np.float32) / 255
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), rng.normal(0, 8), 1)
    letters = cv2.warpAffine(letters, turn, (width, height))
    shade = rng.uniform(0, 60, 3) if rng.random() < 0.5 else rng.uniform(190, 255, 3)
    return _laid(out, blur(letters, rng.uniform(0.3, 0.8)), shade)


def bars(image: Floats, rng: Rng) -> Floats:
    """Window bars, fences, tiles: straight lines at equal distances, one way or both."""
    height, width = image.shape[:2]
    opacity = np.zeros((height, width), np.float32)
    gap, thick = rng.uniform(10, 60), rng.uniform(0.8, 5)
    for _ in range(1 if rng.random() < 0.5 else 2):
        angle = rng.choice([0, math.pi / 2]) + rng.normal(0, 0.1)
        along = np.array([math.cos(angle), math.sin(angle)])
        across = np.array([-along[1], along[0]])
        far = 1.5 * max(height, width)
        for number in range(-int(far / gap), int(far / gap) + 1):
            through = np.array([width, height]) / 2 + number * gap * across
            draw(
                opacity,
                np.stack([through - far * along, through + far * along]).astype(np.float32),
                thick,
            )
    shade = (
        rng.uniform(0, 255, 3)
        if rng.random() < 0.3
        else np.full(3, rng.choice([20.0, 70.0, 225.0]))
    )
    out = _laid(image, blur(opacity, rng.uniform(0.3, 1.0)), shade)
    if rng.random() < 0.5:  # light falls on them from one side
        out = out - 30 * (np.roll(opacity, 1, 0) - opacity)[..., None].clip(0, 1)
    return out


def flares(image: Floats, rng: Rng) -> Floats:
    """Light in the lens: streaks, discs and a haze that add to the photo."""
    height, width = image.shape[:2]
    light = np.zeros((height, width), np.float32)
    heart = place(height, width, rng)
    for _ in range(int(rng.integers(0, 7))):
        angle = rng.uniform(0, 2 * math.pi)
        tip = heart + rng.uniform(0.1, 0.6) * width * np.array([math.cos(angle), math.sin(angle)])
        draw(
            light,
            np.stack([heart, tip]).astype(np.float32),
            rng.uniform(1, 4),
            rng.uniform(0.2, 0.8),
        )
    light = blur(light, rng.uniform(0.8, 2.5))
    for _ in range(int(rng.integers(0, 4))):
        disc = np.zeros((height, width), np.uint8)
        at = place(height, width, rng)
        cv2.circle(disc, (int(at[0]), int(at[1])), int(rng.integers(3, 30)), 255, -1, cv2.LINE_AA)
        light += blur(disc.astype(np.float32) / 255, rng.uniform(0.5, 2)) * np.float32(
            rng.uniform(0.05, 0.35)
        )
    y, x = np.ogrid[:height, :width]
    haze = np.exp(
        -((x - heart[0]) ** 2 + (y - heart[1]) ** 2) / (2 * (rng.uniform(4, 0.4 * width)) ** 2)
    )
    light += haze.astype(np.float32) * np.float32(rng.uniform(0.2, 1.2))
    lit: Floats = image + light[..., None] * rng.uniform(150, 255, 3).astype(np.float32)
    return lit.clip(0, 255)


def highlights(image: Floats, rng: Rng) -> Floats:
    """Glints on metal, water and eyes; dark gaps between stones: small, but of the scene."""
    height, width = image.shape[:2]
    grey = image.mean(-1)
    detail = grey - blur(grey, rng.uniform(1.5, 4))
    noise = soft_noise(height, width, rng.uniform(20, 60), rng)
    strong = np.clip((np.abs(detail) - 8) / 10, 0, 1) * np.clip(noise, 0, 1)
    stronger: Floats = image + (np.float32(rng.uniform(1.5, 5)) * strong * detail)[..., None]
    return stronger.clip(0, 255)


def patterns(image: Floats, rng: Rng) -> Floats:
    """Wallpaper, cloth, lace, beads: one small figure again and again on a lattice, on all of the photo or a part."""
    height, width = image.shape[:2]
    opacity, gap = np.zeros((height, width), np.float32), rng.uniform(5, 24)
    angle, skew = rng.uniform(0, math.pi), rng.normal(0, 0.15)
    first = gap * np.array([math.cos(angle), math.sin(angle)])
    second = rng.uniform(0.6, 1.6) * np.array([-first[1], first[0]]) + skew * first
    figure = _figure(rng.uniform(0.05, 0.3) * gap, rng)
    thick = rng.uniform(0.6, max(0.8, 0.2 * gap))
    heart, reach = np.array([width, height]) / 2, math.ceil(0.8 * (width + height) / gap)
    offset = 0.5 * (rng.random() < 0.4)  # every second row half a gap on
    row, column = (n.ravel()[:, None] for n in np.mgrid[-reach : reach + 1, -reach : reach + 1])
    places = heart + (column + offset * (row % 2)) * first + row * second
    places += rng.normal(0, 0.02 * gap, places.shape)
    within = np.all((places > -gap) & (places < (width + gap, height + gap)), axis=1)
    draw_all(opacity, [at + figure for at in places[within]], thick)
    opacity = blur(opacity, rng.uniform(0.3, 0.8)) * np.float32(rng.uniform(0.3, 1))
    return _laid(image, opacity * _part(height, width, rng), _shade(image, rng))


def grains(image: Floats, rng: Rng) -> Floats:
    """Gravel, seeds, petals, leaves: very many small pieces of about one size, lit and dark, on a ground of theirs."""
    height, width = image.shape[:2]
    size, part, base = rng.uniform(2.5, 7), _part(height, width, rng), _shade(image, rng)
    out = _laid(image, part, np.clip(base + rng.normal(0, 40), 0, 255))
    for _ in range(3):
        opacity = np.zeros((height, width), np.float32)
        count = min(800, int(0.15 * height * width / size**2))
        places = rng.uniform(0, (width, height), (count, 2))
        turns = rng.uniform(0, 2 * math.pi, count)
        along = 0.5 * size * np.stack([np.cos(turns), np.sin(turns)], -1)
        draw_all(opacity, [*np.stack([places - along, places + along], axis=1)], 0.7 * size)
        shade = np.clip(base + rng.normal(0, 45), 0, 255)
        out = _laid(out, blur(opacity, rng.uniform(0.3, 0.8)) * part, shade)
    return out


def _figure(size: float, rng: Rng) -> Floats:
    """A path about (0, 0): a dot, a dash, a corner, a ring or a small flower."""
    corners = int(rng.choice([1, 2, 3, 7, 9]))
    if corners == 1:
        return np.zeros((2, 2), np.float32)
    turned = math.pi if corners == 2 else 2 * math.pi  # a dash's ends lie opposite each other
    turn = rng.uniform(0, 2 * math.pi) + np.linspace(0, turned, corners)
    far = size * (rng.uniform(0.4, 1.0, corners) if corners == 9 else np.ones(corners))
    figure: Floats = np.stack([far * np.cos(turn), far * np.sin(turn)], -1)
    return figure


def _part(height: int, width: int, rng: Rng) -> Floats:
    """1 on all, or on a part with a soft border: [height, width]."""
    if rng.random() < 0.5:
        return np.ones((height, width), np.float32)
    noise = soft_noise(height, width, rng.uniform(0.5, 1.0) * width, rng)
    part: Floats = np.clip(4 * noise, 0, 1)
    return part


def _shade(image: Floats, rng: Rng) -> Floats:
    """Dark, light, or a colour of the photo, a little changed: [3]."""
    if rng.random() < 0.4:
        return np.clip(_local_colour(image, rng) + rng.normal(0, 40, 3), 0, 255)
    shade: Floats = rng.uniform(0, 70, 3) if rng.random() < 0.5 else rng.uniform(190, 255, 3)
    return shade


LOOKALIKES = {
    "wires": wires,
    "branches": branches,
    "strands": strands,
    "stars": stars,
    "snow": snow,
    "text": text,
    "bars": bars,
    "flares": flares,
    "highlights": highlights,
    "patterns": patterns,
    "grains": grains,
}
