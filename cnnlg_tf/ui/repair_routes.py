"""Repair what is marked, extend, find damage; watch and cancel the work, take it back, choose among variants."""

import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from cnnlg_tf.inference.canvas import Extension, as_extension
from cnnlg_tf.ui.bits import encode_bits
from cnnlg_tf.ui.jobs import Job
from cnnlg_tf.ui.limits import MAX_VARIANTS, RequestError, check_pixels
from cnnlg_tf.ui.repairing import (
    Wishes,
    check_marked,
    extend_session,
    extend_whole,
    repair_session,
    repair_whole,
)
from cnnlg_tf.ui.saving import SUFFIXES, encode, form_of, media_type, open_photo
from cnnlg_tf.ui.searching import damage_mask, search
from cnnlg_tf.ui.sessions import Change, Session, box_json
from cnnlg_tf.ui.sketches import decode_sketch
from cnnlg_tf.ui.web import (
    choice_of,
    file_of,
    mask_of,
    needed_file,
    number_of,
    off_loop,
    read_form,
    read_json,
    session_of,
    whole_number_of,
)

PULSE = "event: {}\ndata: {}\n\n"


def wishes_of(given: Mapping[str, Any]) -> Wishes:
    """What a request says of how to repair."""
    return Wishes(
        detail=number_of(given.get("detail", 1.0), "detail", 0, 2),
        variants=whole_number_of(given.get("variants", 1), "variants", 1, MAX_VARIANTS),
        seed=whole_number_of(given.get("seed", 0), "seed", 0, 2**31),
        lift=choice_of(given.get("lift", False), "lift"),
    )


def _extension_of(form: Mapping[str, Any], height: int, width: int, name: str) -> Extension:
    """What a request says of how far a photo of this size grows, if the page takes it."""
    extension = as_extension(str(form.get("extension", "")), height, width)
    left, top, right, bottom = extension
    check_pixels(width + left + right, height + top + bottom, name)
    return extension


async def start_repair(request: Request) -> Response:
    """
    summary: Repair what is marked; the answer names a job to watch.
    requestBody:
      required: true
      content:
        multipart/form-data:
          schema:
            type: object
            properties:
              mask: {type: string, format: binary, description: Default is the mask that was kept.}
              sketch: {type: string, format: binary, description: Default are the strokes that were kept.}
              detail: {type: number, minimum: 0, maximum: 2, default: 1}
              variants: {type: integer, minimum: 1, maximum: 8, default: 1}
              seed: {type: integer, default: 0}
              lift: {type: boolean, default: false, description: Lift stains that the photo shows through.}
    responses:
      202: {$ref: "#/components/responses/Started"}
      400: {$ref: "#/components/responses/Refused"}
      404: {$ref: "#/components/responses/Refused"}
    """
    page, session = request.app.state.page, session_of(request)
    form = await read_form(request)
    wishes, mask, sketch = wishes_of(form), file_of(form, "mask"), file_of(form, "sketch")
    if mask is not None:
        await off_loop(lambda: session.set_mask(mask_of(mask.data, mask.name)))
    if sketch is not None:
        await off_loop(lambda: session.set_sketch(decode_sketch(sketch.data, sketch.name)))
    hole = await off_loop(session.mask)
    check_marked(hole)

    def work(job: Job) -> dict[str, Any]:
        repair_session(page.engine.inpainter(), session, hole, wishes, job)
        return session.state()

    return JSONResponse({"job": page.worker.submit(work).key}, 202)


async def start_extension(request: Request) -> Response:
    """
    summary: Paint on beyond the photo's frame; the answer names a job to watch.
    description: It is a step of the history like a repair. The mask and the strokes move along.
    requestBody:
      required: true
      content:
        multipart/form-data:
          schema:
            type: object
            required: [extension]
            properties:
              extension: {type: string, description: "left=20%,top=300 (left, top, right, bottom; % or px), or 16:9"}
              detail: {type: number, minimum: 0, maximum: 2, default: 1}
              variants: {type: integer, minimum: 1, maximum: 8, default: 1}
              seed: {type: integer, default: 0}
    responses:
      202: {$ref: "#/components/responses/Started"}
      400: {$ref: "#/components/responses/Refused"}
      404: {$ref: "#/components/responses/Refused"}
      413: {$ref: "#/components/responses/Refused"}
    """
    page, session = request.app.state.page, session_of(request)
    form = await read_form(request)
    wishes, (height, width) = wishes_of(form), session.shape
    extension = _extension_of(form, height, width, session.record.name)

    def work(job: Job) -> dict[str, Any]:
        extend_session(page.engine.inpainter(), session, extension, wishes, job)
        return session.state() | {"extension": list(extension)}

    return JSONResponse({"job": page.worker.submit(work).key}, 202)


async def start_search(request: Request) -> Response:
    """
    summary: Look for damage; the answer names a job to watch, after which /damage gives a mask.
    responses:
      202: {$ref: "#/components/responses/Started"}
      404: {$ref: "#/components/responses/Refused"}
    """
    page, session = request.app.state.page, session_of(request)

    def work(job: Job) -> dict[str, Any]:
        search(page.engine.inpainter(), session, job)
        return {}

    return JSONResponse({"job": page.worker.submit(work).key}, 202)


async def show_damage(request: Request) -> Response:
    """
    summary: A mask of the damage that was found.
    parameters:
      - name: sensitivity
        in: query
        schema: {type: number, minimum: 0, maximum: 1, default: 0.5}
        description: 0 takes what is certain, 1 all that is suspicious.
    responses:
      200: {description: A PNG of one bit a pixel., content: {image/png: {}}}
      400: {$ref: "#/components/responses/Refused"}
      409: {$ref: "#/components/responses/Refused"}
    """
    session = session_of(request)
    sensitivity = number_of(request.query_params.get("sensitivity", 0.5), "sensitivity", 0, 1)
    data = await off_loop(lambda: encode_bits(damage_mask(session, sensitivity)))
    return Response(data, media_type="image/png")


async def watch_job(request: Request) -> Response:
    """
    summary: The job's events as they come.
    description: >
      progress has share (0 to 1) and seconds_left (or null); the last is done, failed or cancelled.
    responses:
      200: {description: Server-sent events., content: {text/event-stream: {}}}
      404: {$ref: "#/components/responses/Refused"}
    """
    job = request.app.state.page.worker.get(request.path_params["job"])

    async def stream() -> AsyncIterator[str]:
        async for name, data in job.watch():
            yield PULSE.format(name, json.dumps(data))

    return StreamingResponse(stream(), media_type="text/event-stream")


async def cancel_job(request: Request) -> Response:
    """
    summary: Cancel a job; it stops at its next step and changes nothing.
    responses:
      202: {description: Asked for.}
      404: {$ref: "#/components/responses/Refused"}
    """
    request.app.state.page.worker.get(request.path_params["job"]).cancel()
    return Response(status_code=202)


async def undo(request: Request) -> Response:
    """
    summary: Take the last repair back.
    responses:
      200: {$ref: "#/components/responses/Changed"}
      409: {$ref: "#/components/responses/Refused"}
    """
    session = session_of(request)
    return _changed(await off_loop(session.undo), session)


async def redo(request: Request) -> Response:
    """
    summary: Bring an undone repair back.
    responses:
      200: {$ref: "#/components/responses/Changed"}
      409: {$ref: "#/components/responses/Refused"}
    """
    session = session_of(request)
    return _changed(await off_loop(session.redo), session)


async def choose(request: Request) -> Response:
    """
    summary: Let another variant of the last repair count.
    requestBody:
      required: true
      content: {application/json: {schema: {type: object, properties: {choice: {type: integer}}}}}
    responses:
      200: {$ref: "#/components/responses/Changed"}
      409: {$ref: "#/components/responses/Refused"}
    """
    session = session_of(request)
    choice = whole_number_of((await read_json(request)).get("choice"), "choice", 0, MAX_VARIANTS)
    return _changed(await off_loop(session.choose, choice), session)


def _changed(change: Change, session: Session) -> JSONResponse:
    told = {"changed": box_json(change.box), "extension": list(change.extension)}
    return JSONResponse(session.state() | told)


async def show_hole(request: Request) -> Response:
    """
    summary: The mask that a repair covered, counted from 0.
    responses:
      200: {description: A PNG of one bit a pixel., content: {image/png: {}}}
      404: {$ref: "#/components/responses/Refused"}
    """
    session, number = session_of(request), request.path_params["number"]

    def work() -> bytes:
        with session.lock:
            if not 0 <= number < len(session.record.choices):
                raise RequestError(f"there is no repair {number}", 404)
            return encode_bits(session.edit(number).whole_hole(*session.shape_after(number + 1)))

    return Response(await off_loop(work), media_type="image/png")


async def repair_files(request: Request) -> Response:
    """
    summary: A photo and a mask (or an extension) in, the repaired photo out. For scripts; nothing is kept.
    requestBody:
      required: true
      content:
        multipart/form-data:
          schema:
            type: object
            required: [photo]
            properties:
              photo: {type: string, format: binary}
              mask: {type: string, format: binary, description: White is missing.}
              sketch: {type: string, format: binary, description: Strokes on a transparent layer.}
              extension: {type: string, description: "In place of a mask: left=20%,top=300, or 16:9"}
              detail: {type: number, minimum: 0, maximum: 2, default: 1}
              format: {type: string, description: "PNG, JPEG, ...; default: as the photo came"}
              quality: {type: integer, minimum: 1, maximum: 100}
    responses:
      200: {description: The repaired photo., content: {image/*: {}}}
      400: {$ref: "#/components/responses/Refused"}
      413: {$ref: "#/components/responses/Refused"}
    """
    page, form = request.app.state.page, await read_form(request)
    name, data = needed_file(form, "photo")
    mask = None if "extension" in form else needed_file(form, "mask")
    sketch = file_of(form, "sketch")
    wishes = wishes_of({"detail": form.get("detail", 1.0)})
    chosen = form.get("format")
    if chosen is not None and chosen not in SUFFIXES:
        raise RequestError(f"format must be one of {', '.join(SUFFIXES)}. Received: {chosen!r}")
    quality = form.get("quality")
    level = None if quality is None else whole_number_of(quality, "quality", 1, 100)
    results: list[Response] = []

    def work(job: Job) -> dict[str, Any]:
        photo = open_photo(data, name)
        inpainter = page.engine.inpainter()
        if mask is None:
            height, width = photo.pixels.shape[:2]
            extension = _extension_of(form, height, width, name)
            repaired = extend_whole(inpainter, photo, extension, wishes, job)
        else:
            strokes = None if sketch is None else open_photo(sketch.data, sketch.name)
            hole = mask_of(mask.data, mask.name)
            repaired = repair_whole(inpainter, photo, hole, wishes, job, strokes)
        written = str(chosen or form_of(photo))
        encoded, _ = encode(repaired, written, level, name)
        results.append(Response(encoded, media_type=media_type(written)))
        return {}

    job = page.worker.submit(work)
    try:
        async for event, told in job.watch():
            if event == "failed":
                raise RequestError(str(told["error"]))
            if event == "cancelled":
                raise RequestError("the server is ending", 503)
    finally:
        job.cancel()
    return results[0]


ONE = "/api/photos/{key}"
ROUTES = [
    Route("/api/repair", repair_files, methods=["POST"]),
    Route(f"{ONE}/repairs", start_repair, methods=["POST"]),
    Route(f"{ONE}/repairs/undo", undo, methods=["POST"]),
    Route(f"{ONE}/repairs/redo", redo, methods=["POST"]),
    Route(f"{ONE}/repairs/choice", choose, methods=["PUT"]),
    Route(f"{ONE}/repairs/{{number:int}}/mask", show_hole, methods=["GET"]),
    Route(f"{ONE}/extension", start_extension, methods=["POST"]),
    Route(f"{ONE}/damage", start_search, methods=["POST"]),
    Route(f"{ONE}/damage", show_damage, methods=["GET"]),
    Route("/api/jobs/{job}/events", watch_job, methods=["GET"]),
    Route("/api/jobs/{job}", cancel_job, methods=["DELETE"]),
]
