"""The folder that the page was started with: list it, open its photos, repair all of them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from cnnlg_tf.certainty import GROWTH
from cnnlg_tf.errors import CancelledError, CnnlgError
from cnnlg_tf.inference.holes import grown
from cnnlg_tf.photos import WRITABLE, check_mask_size, read_mask
from cnnlg_tf.ui import views
from cnnlg_tf.ui.jobs import Job
from cnnlg_tf.ui.limits import RequestError
from cnnlg_tf.ui.photo_routes import describe
from cnnlg_tf.ui.repair_routes import wishes_of
from cnnlg_tf.ui.repairing import Wishes, check_marked, repair_whole
from cnnlg_tf.ui.saving import SUFFIXES, encode, form_of, open_photo
from cnnlg_tf.ui.web import off_loop, read_json


async def list_folder(request: Request) -> Response:
    """
    summary: The photos that the page was started with.
    responses:
      200:
        description: Whether it is a folder; name, mask and repairs of each photo.
        content: {application/json: {schema: {type: object}}}
    """
    page = request.app.state.page

    def work() -> dict[str, object]:
        photos = []
        for name in page.library.names():
            path = page.library.path(name)
            session = page.store.of_source(path)
            photos.append(
                {
                    "name": name,
                    "masked": session is not None and session.record.masked,
                    "repairs": 0 if session is None else session.record.head,
                    "mask_file": page.library.mask_path(path) is not None,
                }
            )
        return {"folder": page.library.is_folder, "photos": photos}

    return JSONResponse(await off_loop(work))


async def open_from_folder(request: Request) -> Response:
    """
    summary: Open a photo of the folder, with its mask file (PHOTO_mask.png) if there is one.
    requestBody:
      required: true
      content: {application/json: {schema: {type: object, properties: {name: {type: string}}}}}
    responses:
      200:
        description: The open photo.
        content: {application/json: {schema: {$ref: "#/components/schemas/Photo"}}}
      404: {$ref: "#/components/responses/Refused"}
    """
    page, name = request.app.state.page, (await read_json(request)).get("name")

    def work() -> dict[str, object]:
        path = page.library.path(str(name))
        is_new = page.store.of_source(path) is None
        session = page.store.open_source(path)
        mask = page.library.mask_path(path)
        answer: dict[str, object] = {}
        if is_new and mask is not None:
            try:
                session.set_mask(read_mask(mask))
            except CnnlgError as error:  # the photo can be repaired all the same
                answer["note"] = str(error)
        return answer | describe(session)

    return JSONResponse(await off_loop(work))


async def show_thumbnail(request: Request) -> Response:
    """
    summary: A thumbnail of a photo of the folder.
    parameters:
      - {name: name, in: query, required: true, schema: {type: string}}
    responses:
      200: {description: A small JPEG., content: {image/jpeg: {}}}
      404: {$ref: "#/components/responses/Refused"}
    """
    library, name = request.app.state.page.library, request.query_params.get("name", "")

    def work() -> bytes:
        path = library.path(name)
        kept: bytes | None = library.thumbnail(path)
        if kept is None:
            kept = views.thumbnail(open_photo(path.read_bytes(), name))
            library.keep_thumbnail(path, kept)
        return kept

    return Response(await off_loop(work), media_type="image/jpeg")


async def repair_folder(request: Request) -> Response:
    """
    summary: Repair all photos of the folder into its subfolder `repaired`.
    description: >
      The job's events are one photo each (name, and output or error) besides progress. Photos on
      which nothing is marked or found are skipped.
    requestBody:
      content:
        application/json:
          schema:
            type: object
            properties:
              mask_of: {type: string, description: "Key of an open photo whose mask serves all; default: each its own"}
              find_damage: {type: boolean, default: false, description: Repair the damage that is found on each.}
              detail: {type: number, minimum: 0, maximum: 2, default: 1}
    responses:
      202: {$ref: "#/components/responses/Started"}
      409: {$ref: "#/components/responses/Refused"}
    """
    page, given = request.app.state.page, await read_json(request)
    if not page.library.is_folder:
        raise RequestError("the page must be started with a folder: cnnlg-tf ui FOLDER", 409)
    mask_of = given.get("mask_of")
    shared = None
    if mask_of is not None:
        shared = await off_loop(page.store.get(str(mask_of)).mask)
        check_marked(shared)
    blind = given.get("find_damage", False)
    if not isinstance(blind, bool) or (blind and shared is not None):
        raise RequestError(
            f"find_damage must be true or false, without mask_of. Received: {blind!r}"
        )
    wishes = wishes_of({"detail": given.get("detail", 1.0), "lift": blind})
    run = FolderRun(page, shared, blind, wishes)
    return JSONResponse({"job": page.worker.submit(run).key}, 202)


@dataclass
class FolderRun:
    """The work of repairing a folder: one bad photo does not end it."""

    page: Any
    shared: np.ndarray | None
    blind: bool
    wishes: Wishes

    def __call__(self, job: Job) -> dict[str, Any]:
        names = self.page.library.names()
        counts = {"repaired": 0, "skipped": 0, "failed": 0}
        for number, name in enumerate(names):
            job.progress(number / len(names))
            if job.is_cancelled():
                raise CancelledError("the run was cancelled")
            try:
                output = self._repair(name)
            except Exception as error:  # of a runtime, a codec or a disk: the next may be fine
                counts["failed"] += 1
                told = str(error) if isinstance(error, CnnlgError) else repr(error)
                job.tell("photo", {"name": name, "error": f"{name}: {told}"})
                continue
            counts["repaired" if output else "skipped"] += 1
            job.tell("photo", {"name": name, "output": None if output is None else output.name})
        return counts

    def _repair(self, name: str) -> Path | None:
        """Returns what was written, or None where there is nothing to repair and no repair."""
        library, inpainter = self.page.library, self.page.engine.inpainter()
        path = library.path(name)
        session = self.page.store.of_source(path)
        if session is not None:
            photo, mask = session.result(), session.mask()
        else:
            photo = open_photo(path.read_bytes(), name)
            file = library.mask_path(path) if self.shared is None else None
            mask = np.zeros(photo.pixels.shape[:2], bool) if file is None else read_mask(file)
        if self.shared is not None:
            mask = self.shared
        if self.blind:
            mask = grown(inpainter.find_damage(photo).mask, GROWTH)
        check_mask_size(mask, photo.pixels)
        if mask.any():
            photo = repair_whole(inpainter, photo, mask, self.wishes, None)
        elif session is None or not session.record.head:
            return None
        form = form_of(photo)
        data, _ = encode(photo, form, None, name)
        # two photos never want the same name: a.gif becomes a.gif.png
        own = WRITABLE.get(path.suffix.lower()) == form
        written: Path = library.write_result(name if own else f"{name}{SUFFIXES[form]}", data)
        return written


ROUTES = [
    Route("/api/folder", list_folder, methods=["GET"]),
    Route("/api/folder/open", open_from_folder, methods=["POST"]),
    Route("/api/folder/thumbnail", show_thumbnail, methods=["GET"]),
    Route("/api/folder/repair", repair_folder, methods=["POST"]),
]
