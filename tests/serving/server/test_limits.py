"""Deadlines, cancellation, turns and image sizes."""

import io
import struct
import threading
import zlib

import numpy as np
import pytest
from PIL import Image

from cnnlg_tf.errors import ServingError
from cnnlg_tf.serving.server.limits import ByteBudget, Call, Limits, RunGate, check_images


def test_a_call_without_a_deadline_never_ends() -> None:
    call = Call()
    call.check()
    assert call.remaining() is None


def test_a_deadline_passes() -> None:
    call = Call(0.0)
    assert call.remaining() == 0.0
    with pytest.raises(ServingError, match="the request's deadline passed") as caught:
        call.check()
    assert caught.value.code == "DEADLINE_EXCEEDED"


def test_cancelling_tells_those_who_wait() -> None:
    call, told = Call(), []
    call.on_cancel(lambda: told.append("before"))
    call.cancel()
    call.on_cancel(lambda: told.append("after"))
    assert told == ["before", "after"]
    with pytest.raises(ServingError, match="the client cancelled the request") as caught:
        call.check()
    assert caught.value.code == "CANCELLED"


def test_a_budget_is_shared_and_given_back() -> None:
    budget = ByteBudget(100)
    with budget.share() as one, budget.share() as other:
        one.add(60)
        other.add(40)
        with pytest.raises(ServingError, match="must have at most 100 bytes together") as caught:
            one.add(1)
        assert caught.value.code == "UNAVAILABLE"
    with budget.share() as later:
        later.add(100)


def test_the_gate_lets_a_bounded_number_in_and_late_ones_leave() -> None:
    gate = RunGate(1)
    with gate.enter(Call()):
        with pytest.raises(ServingError, match="deadline"):
            with gate.enter(Call(0.05)):
                pass
        gone = Call()
        threading.Timer(0.05, gone.cancel).start()
        with pytest.raises(ServingError, match="cancelled"):
            with gate.enter(gone):
                pass
    with gate.enter(Call(1.0)):
        pass


def encoded(width: int, height: int, kind: str = "PNG", frames: int = 1) -> bytes:
    images = [Image.new("L", (width, height), index) for index in range(frames)]
    buffer = io.BytesIO()
    images[0].save(buffer, kind, save_all=frames > 1, append_images=images[1:])
    return buffer.getvalue()


def huge_header() -> bytes:
    """A PNG of a few bytes that declares 100,000 x 100,000 pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 100_000, 100_000, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b""))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "BMP", "WEBP"])
def test_images_are_measured_by_their_header(kind: str) -> None:
    limits = Limits(image_pixels=600)
    check_images(np.array([encoded(20, 30, kind)], object), "image_bytes", limits)
    with pytest.raises(
        ServingError,
        match="images must have at most 600 pixels. Received: 620 in element 1 of input image_bytes",
    ) as caught:
        values = [encoded(20, 30, kind), encoded(20, 31, kind)]
        check_images(np.array(values, object), "image_bytes", limits)
    assert caught.value.code == "INVALID_ARGUMENT"


def test_the_frames_of_an_animation_count() -> None:
    with pytest.raises(ServingError, match="Received: 1800 "):
        check_images(np.array([encoded(20, 30, "GIF", 3)], object), "x", Limits(image_pixels=1000))


def test_a_bomb_is_refused_and_other_bytes_are_let_through() -> None:
    with pytest.raises(ServingError, match="images must have at most"):
        check_images(np.array([huge_header()], object), "x", Limits())
    others = [b"", b"text", b"\x89PNG but broken", encoded(9, 9)[:20]]
    check_images(np.array(others, object), "x", Limits(image_pixels=10))
