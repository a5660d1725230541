"""Small functions of the page's routes: read forms and parameters, run work off the event loop."""

import json
from collections.abc import Callable
from pathlib import PurePath
from typing import Any, NamedTuple, TypeVar

import numpy as np
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from cnnlg_tf.errors import CnnlgError
from cnnlg_tf.inference.windows import Box
from cnnlg_tf.photos import decode_mask
from cnnlg_tf.ui.bits import decode_bits
from cnnlg_tf.ui.limits import RequestError
from cnnlg_tf.ui.sessions import Session
from cnnlg_tf.ui.store import KEY

T = TypeVar("T")


async def off_loop(work: Callable[..., T], *arguments: Any) -> T:
    """Run blocking work on a thread: the event loop goes on answering."""
    return await run_in_threadpool(work, *arguments)


class File(NamedTuple):
    """A file of a form: `name` as the sender calls it, without folders."""

    name: str
    data: bytes


async def read_form(request: Request) -> dict[str, str | File]:
    """The fields and files of a multipart request."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip()
    if kind != "multipart/form-data":
        raise RequestError(
            f"the body must be multipart/form-data. Received: {kind or 'no type'}", 415
        )
    fields: dict[str, str | File] = {}
    async with request.form(max_files=16, max_fields=32) as form:
        for name, part in form.items():
            if isinstance(part, str):
                fields[name] = part
            else:
                fields[name] = File(PurePath(part.filename or "").name or name, await part.read())
    return fields


def file_of(form: dict[str, str | File], name: str) -> File | None:
    """A file of a form, or None where it has no such file."""
    part = form.get(name)
    if isinstance(part, str):
        raise RequestError(f"{name} must be a file. Received: a text field")
    return part


def needed_file(form: dict[str, str | File], name: str) -> File:
    """A file of a form; raises RequestError where it has no such file."""
    found = file_of(form, name)
    if found is None:
        raise RequestError(
            f"the form must hold a file named {name}. Received: {sorted(form) or 'nothing'}"
        )
    return found


def mask_of(data: bytes, name: str) -> np.ndarray:
    """A mask in any picture file: bool [height, width], True = missing; raises MaskError."""
    mask = decode_bits(data)
    return decode_mask(data, name) if mask is None else mask


async def read_json(request: Request) -> dict[str, Any]:
    """The JSON object of a request; an empty body is an empty object."""
    body = await request.body()
    try:
        value = json.loads(body) if body else {}
    except ValueError as error:
        raise RequestError(f"the body must be JSON: {error}") from error
    if not isinstance(value, dict):
        raise RequestError(f"the body must be a JSON object. Received: {type(value).__name__}")
    return value


def number_of(text: Any, name: str, low: float, high: float) -> float:
    """A number within bounds; raises RequestError otherwise."""
    try:
        value = float(text)
    except (TypeError, ValueError):
        value = float("nan")
    if isinstance(text, bool) or not low <= value <= high:
        raise RequestError(f"{name} must be a number from {low:g} to {high:g}. Received: {text!r}")
    return value


def choice_of(given: Any, name: str) -> bool:
    """True or false, of JSON or of a form; raises RequestError otherwise."""
    chosen = {"true": True, "false": False}.get(str(given).lower())
    if chosen is None or not isinstance(given, bool | str):
        raise RequestError(f"{name} must be true or false. Received: {given!r}")
    return chosen


def whole_number_of(text: Any, name: str, low: int, high: int) -> int:
    """A whole number within bounds; raises RequestError otherwise."""
    value = number_of(text, name, low, high)
    if value != int(value):
        raise RequestError(f"{name} must be a whole number. Received: {text!r}")
    return int(value)


def session_of(request: Request) -> Session:
    """The open photo that the address names."""
    key = request.path_params["key"]
    if not KEY.fullmatch(key):
        raise RequestError("an open photo's key is 16 hexadecimal digits", 404)
    session: Session = request.app.state.page.store.get(key)
    return session


def box_of(request: Request, session: Session) -> Box:
    """The query's `box=left,top,width,height` in pixels of the photo, clipped to it; default: all."""
    height, width = session.shape
    text = request.query_params.get("box")
    if text is None:
        return Box(0, 0, height, width)
    try:
        left, top, wide, high = (int(part) for part in text.split(","))
    except ValueError:
        raise RequestError(f"box must be left,top,width,height. Received: {text!r}") from None
    box = Box(top, left, top + high, left + wide).clipped(height, width)
    if box.bottom <= box.top or box.right <= box.left:
        raise RequestError(f"box must lie in the photo of {width} x {height}. Received: {text!r}")
    return box


async def on_error(request: Request, error: Exception) -> Response:
    """Every refusal is JSON: {"error": what was expected and what came}."""
    if isinstance(error, OSError):  # a full disk, or a file that the system has cleared away
        what = f"the page's files cannot be read or written: {error.strerror or error}"
        return JSONResponse({"error": what}, 500)
    status = error.status if isinstance(error, RequestError) else 400
    return JSONResponse({"error": str(error)}, status)


ERRORS = {CnnlgError: on_error, OSError: on_error}
