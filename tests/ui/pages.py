"""What the page's tests share: a network that fills holes at once, a client that knows the token, pictures as bytes."""

import io
import re
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from PIL import Image

from cnnlg_tf.inference.network import Conditions, Filled

REPAIRED = (200, 40, 60)


@dataclass
class FakeNetwork:
    """Fills a hole with one colour: the expected one is REPAIRED of 255, samples differ by their seed.

    `gate` holds every window back while it is closed, for tests of progress and cancelling.
    """

    can: frozenset[str] = frozenset({"detail", "reference", "sample", "sketch", "find_damage"})
    widest: int = 512
    widest_guided: int = 512
    gate: threading.Event = field(default_factory=threading.Event)
    asked: list[Conditions] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.gate.set()

    def fill(
        self,
        image: np.ndarray,
        hole: np.ndarray,
        conditions: Conditions,
        guide: np.ndarray | None = None,
    ) -> Filled:
        self.asked.append(conditions)
        assert self.gate.wait(30), "a test left the gate closed"
        colour = np.array(REPAIRED) / 255
        if conditions.seed is not None:
            colour = np.random.default_rng(conditions.seed).uniform(0, 1, 3)
        filled = image.copy()
        filled[hole] = colour
        return Filled(filled, np.where(hole, np.float32(0.2), np.float32(0)))

    def find_damage(self, image: np.ndarray) -> np.ndarray:
        """What is nearly white is damaged, and certain where it is white."""
        return np.clip((image.min(axis=-1) - 0.5) * 2.2, 0, 0.999).astype(np.float32)


@dataclass
class ServedPage:
    """A running page: where it is, and a client that knows its token."""

    origin: str
    token: str
    state: Path
    network: Any  # a FakeNetwork, mostly
    client: httpx.Client
    opened: list[str] = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"{self.origin}/?token={self.token}"

    def open(self, pixels: np.ndarray, name: str = "photo.png", **save: Any) -> dict[str, Any]:
        """Open a photo; returns what the server says of it."""
        answer = self.client.post(
            "/api/photos", files={"photo": (name, encoded(pixels, name, **save))}
        )
        assert answer.status_code == 201, answer.text
        self.opened.append(answer.json()["key"])
        return dict(answer.json())

    def finish(self, answer: httpx.Response) -> list[tuple[str, str]]:
        """Wait for the job that an answer names; returns its events."""
        assert answer.status_code == 202, answer.text
        text = self.client.get(f"/api/jobs/{answer.json()['job']}/events").text
        return re.findall(r"event: (\w+)\ndata: (.*)\n\n", text)


def encoded(pixels: np.ndarray, name: str = "photo.png", **save: Any) -> bytes:
    """A picture file of pixels, in the format of the name."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, Image.registered_extensions()[Path(name).suffix], **save)
    return buffer.getvalue()


def decoded(data: bytes) -> np.ndarray:
    """The pixels of a picture file."""
    return np.asarray(Image.open(io.BytesIO(data)))


def box_mask(height: int, width: int, top: int, left: int, bottom: int, right: int) -> np.ndarray:
    """bool [height, width] with one marked box."""
    mask = np.zeros((height, width), bool)
    mask[top:bottom, left:right] = True
    return mask
