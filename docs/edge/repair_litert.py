"""Repair a photo with a `pixels` export in LiteRT: ai_edge_litert and numpy, nothing else.

python repair_litert.py model.tflite PHOTO.ppm MASK.pgm OUT.ppm [THREADS]

Binary PPM and PGM files of 8 bits; white in the mask = missing.
"""

import sys
import time
from pathlib import Path

import numpy as np
from ai_edge_litert.interpreter import Interpreter


def read(name: str, magic: bytes) -> np.ndarray:
    """uint8 [height, width, 3 or 1] of a binary PPM (P6) or PGM (P5) file."""
    found, width, height, most, pixels = Path(name).read_bytes().split(maxsplit=4)
    if found != magic or most != b"255":
        raise SystemExit(f"{name} must be {magic.decode()} of 8 bits")
    channels = 3 if magic == b"P6" else 1
    return np.frombuffer(pixels, np.uint8).reshape(int(height), int(width), channels)


def main(model: str, photo_name: str, mask_name: str, out: str, threads: str = "2") -> None:
    """Repair one photo and say how long it took."""
    photo, mask = read(photo_name, b"P6"), read(mask_name, b"P5")
    interpreter = Interpreter(model_path=model, num_threads=int(threads))
    repair = interpreter.get_signature_runner("pixels")
    start = time.perf_counter()
    repaired = repair(image=photo[None], mask=mask[None])["repaired"][0]
    print(f"{1000 * (time.perf_counter() - start):.0f} ms")
    height, width = repaired.shape[:2]
    Path(out).write_bytes(b"P6\n%d %d\n255\n" % (width, height) + repaired.tobytes())


if __name__ == "__main__":
    main(*sys.argv[1:])
