"""Open photos, look at them, keep their masks, sketches and references, save them.

Each function's docstring is its entry in the OpenAPI description, which /api serves.
"""

import json
from pathlib import Path, PurePath
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from cnnlg_tf.inference.holes import grown
from cnnlg_tf.ui import views
from cnnlg_tf.ui.bits import encode_bits
from cnnlg_tf.ui.limits import RequestError
from cnnlg_tf.ui.saving import LOSSY, SUFFIXES, encode, media_type
from cnnlg_tf.ui.sessions import Session
from cnnlg_tf.ui.sketches import decode_sketch, encode_sketch
from cnnlg_tf.ui.web import (
    box_of,
    file_of,
    mask_of,
    needed_file,
    off_loop,
    read_form,
    read_json,
    session_of,
    whole_number_of,
)

LONGEST_GROWTH = 64  # pixels


def describe(session: Session) -> dict[str, object]:
    """What the page knows of an open photo."""
    photo, record = session.photo(), session.record
    return {
        "key": record.id,
        "name": record.name,
        "bits": photo.bits,
        "transparent": photo.alpha is not None,
        "format": record.form,
        "notes": list(photo.notes),
        "references": [{"key": key, "name": name} for key, name in record.reference_names.items()],
        "beside": record.source is not None,
    } | session.state()


async def list_photos(request: Request) -> Response:
    """
    summary: Photos that hold unfinished work, the latest first.
    responses:
      200:
        description: name, size, time of the last change and number of repairs of each.
        content: {application/json: {schema: {type: array, items: {type: object}}}}
    """
    sessions = request.app.state.page.store.sessions()
    return JSONResponse(
        [
            {
                "key": session.record.id,
                "name": session.record.name,
                "width": session.shape[1],
                "height": session.shape[0],
                "repairs": session.record.head,
                "masked": session.record.masked,
                "sketched": session.record.sketched,
                "touched": session.record.touched,
            }
            for session in sessions
        ]
    )


async def open_photo(request: Request) -> Response:
    """
    summary: Open a photo, with a mask if one is at hand.
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
    responses:
      201:
        description: The open photo; its key stands in the addresses of all that is done with it.
        content: {application/json: {schema: {$ref: "#/components/schemas/Photo"}}}
      400: {$ref: "#/components/responses/Refused"}
      413: {$ref: "#/components/responses/Refused"}
      429: {$ref: "#/components/responses/Refused"}
    """
    form = await read_form(request)
    name, data = needed_file(form, "photo")
    mask = file_of(form, "mask")
    store = request.app.state.page.store

    def work() -> dict[str, object]:
        session = store.open_bytes(name, data)
        if mask is not None:
            try:
                session.set_mask(mask_of(mask.data, mask.name))
            except Exception:
                store.remove(session.record.id)
                raise
        return describe(session)

    return JSONResponse(await off_loop(work), 201)


async def show_photo(request: Request) -> Response:
    """
    summary: What is known of an open photo.
    responses:
      200:
        description: The open photo.
        content: {application/json: {schema: {$ref: "#/components/schemas/Photo"}}}
      404: {$ref: "#/components/responses/Refused"}
    """
    return JSONResponse(await off_loop(describe, session_of(request)))


async def close_photo(request: Request) -> Response:
    """
    summary: Close a photo and forget its mask and repairs.
    responses:
      204: {description: Done.}
      404: {$ref: "#/components/responses/Refused"}
    """
    session = session_of(request)
    await off_loop(request.app.state.page.store.remove, session.record.id)
    return Response(status_code=204)


async def show_view(request: Request) -> Response:
    """
    summary: A part of an open photo as the page shows it, 8 bits a channel.
    parameters:
      - {name: box, in: query, schema: {type: string}, description: "left,top,width,height in pixels; default: all"}
      - {name: side, in: query, schema: {type: integer, default: 2048}, description: "Longest side; shrunk to it"}
      - {name: of, in: query, schema: {enum: [now, before, uncertainty], default: now}}
      - {name: choice, in: query, schema: {type: integer}, description: "Another variant of the last repair"}
    responses:
      200: {description: "PNG, or JPEG where shrunk.", content: {image/png: {}, image/jpeg: {}}}
      400: {$ref: "#/components/responses/Refused"}
      404: {$ref: "#/components/responses/Refused"}
    """
    session = session_of(request)
    box, query = box_of(request, session), request.query_params
    side = whole_number_of(query.get("side", 2048), "side", 16, 4096)
    what, choice = query.get("of", "now"), query.get("choice")
    if what not in ("now", "before", "uncertainty"):
        raise RequestError(f"of must be now, before or uncertainty. Received: {what!r}")

    def work() -> tuple[bytes, str]:
        if what == "uncertainty":
            return views.heat(session.uncertainty(), box, side), "image/png"
        with session.lock:
            photo = session.original() if what == "before" else session.canvas()
            if what == "before":
                pixels = photo.pixels
            elif choice is not None:
                number = whole_number_of(choice, "choice", 0, 99)
                pixels = session.with_choice(number)
            else:
                pixels = session.pixels()
            return views.view(photo, pixels, box, side)

    data, media_type = await off_loop(work)
    return Response(data, media_type=media_type)


async def show_mask(request: Request) -> Response:
    """
    summary: The mask, white where the photo is to be repaired.
    responses:
      200: {description: A PNG of one bit a pixel., content: {image/png: {}}}
      404: {$ref: "#/components/responses/Refused"}
    """
    session = session_of(request)
    data = await off_loop(lambda: encode_bits(session.mask()))
    return Response(data, media_type="image/png")


async def keep_mask(request: Request) -> Response:
    """
    summary: Set the mask.
    description: Any picture of the photo's size; of two values the brighter is missing.
    requestBody:
      required: true
      content: {image/png: {schema: {type: string, format: binary}}}
    responses:
      204: {description: Kept.}
      400: {$ref: "#/components/responses/Refused"}
      404: {$ref: "#/components/responses/Refused"}
    """
    session, data = session_of(request), await request.body()
    await off_loop(lambda: session.set_mask(mask_of(data, "mask")))
    return Response(status_code=204)


async def grow_mask(request: Request) -> Response:
    """
    summary: Grow the mask in all directions, or shrink it.
    requestBody:
      content: {application/json: {schema: {type: object, properties: {pixels: {type: integer}}}}}
    responses:
      200: {description: "The new mask, a PNG of one bit a pixel.", content: {image/png: {}}}
      400: {$ref: "#/components/responses/Refused"}
      404: {$ref: "#/components/responses/Refused"}
    """
    session = session_of(request)
    asked = (await read_json(request)).get("pixels")
    pixels = whole_number_of(asked, "pixels", -LONGEST_GROWTH, LONGEST_GROWTH)

    def work() -> bytes:
        with session.lock:
            mask = session.mask()
            session.set_mask(grown(mask, pixels) if pixels >= 0 else ~grown(~mask, -pixels))
            return encode_bits(session.mask())

    return Response(await off_loop(work), media_type="image/png")


async def show_sketch(request: Request) -> Response:
    """
    summary: The strokes that repairs are to follow, transparent where nothing is drawn.
    responses:
      200: {description: A PNG with a palette., content: {image/png: {}}}
      404: {$ref: "#/components/responses/Refused"}
    """
    session = session_of(request)
    data = await off_loop(lambda: encode_sketch(session.sketch()))
    return Response(data, media_type="image/png")


async def keep_sketch(request: Request) -> Response:
    """
    summary: Set the strokes that repairs are to follow.
    description: >
      A picture of the photo's size on a transparent layer. Grey strokes are edges, others say what colour is there too.
      They count where the photo is marked, for models that can "sketch".
    requestBody:
      required: true
      content: {image/png: {schema: {type: string, format: binary}}}
    responses:
      204: {description: Kept.}
      400: {$ref: "#/components/responses/Refused"}
      404: {$ref: "#/components/responses/Refused"}
    """
    session, data = session_of(request), await request.body()
    await off_loop(lambda: session.set_sketch(decode_sketch(data, "sketch")))
    return Response(status_code=204)


async def add_reference(request: Request) -> Response:
    """
    summary: Add a picture whose texture may be copied.
    requestBody:
      required: true
      content:
        multipart/form-data:
          schema: {type: object, required: [photo], properties: {photo: {type: string, format: binary}}}
    responses:
      201: {description: Its key., content: {application/json: {schema: {type: object}}}}
      400: {$ref: "#/components/responses/Refused"}
      409: {$ref: "#/components/responses/Refused"}
    """
    session = session_of(request)
    name, data = needed_file(await read_form(request), "photo")
    key = await off_loop(session.add_reference, name, data)
    return JSONResponse({"key": key, "name": name}, 201)


async def show_reference(request: Request) -> Response:
    """
    summary: A reference's thumbnail.
    responses:
      200: {description: A small JPEG., content: {image/jpeg: {}}}
      404: {$ref: "#/components/responses/Refused"}
    """
    session = session_of(request)
    photo = await off_loop(session.reference, request.path_params["reference"])
    return Response(await off_loop(views.thumbnail, photo), media_type="image/jpeg")


async def remove_reference(request: Request) -> Response:
    """
    summary: Remove a reference.
    responses:
      204: {description: Removed.}
      404: {$ref: "#/components/responses/Refused"}
    """
    session_of(request).remove_reference(request.path_params["reference"])
    return Response(status_code=204)


async def download(request: Request) -> Response:
    """
    summary: The photo with its repairs as a file, with all that its file held besides pixels.
    parameters:
      - {name: format, in: query, schema: {type: string}, description: "PNG, JPEG, ...; default: as it came"}
      - {name: quality, in: query, schema: {type: integer, minimum: 1, maximum: 100}}
    responses:
      200: {description: The file., content: {image/*: {}}}
      400: {$ref: "#/components/responses/Refused"}
      404: {$ref: "#/components/responses/Refused"}
    """
    session = session_of(request)
    form, quality = _save_options(dict(request.query_params), session)
    name = f"{PurePath(session.record.name).stem}_repaired{SUFFIXES[form]}"
    data, notes = await off_loop(lambda: encode(session.result(), form, quality, name))
    headers = {
        "Content-Disposition": f"attachment; filename*=utf-8''{quote(name)}",
        "X-Notes": quote(json.dumps(notes)),
    }
    return Response(data, media_type=media_type(form), headers=headers)


async def save_beside(request: Request) -> Response:
    """
    summary: Save the photo beside the original in the opened folder, under a name that is free.
    requestBody:
      content:
        application/json:
          schema: {type: object, properties: {format: {type: string}, quality: {type: integer}}}
    responses:
      201: {description: The new file's name., content: {application/json: {schema: {type: object}}}}
      409: {$ref: "#/components/responses/Refused"}
    """
    session, library = session_of(request), request.app.state.page.library
    form, quality = _save_options(await read_json(request), session)
    source = session.record.source
    if source is None:
        raise RequestError(
            "a photo must be opened from this machine's folder to save beside it", 409
        )

    def work() -> dict[str, object]:
        data, notes = encode(session.result(), form, quality, session.record.name)
        written = library.write_beside(Path(source), SUFFIXES[form], data)
        return {"name": written.name, "notes": notes}

    return JSONResponse(await off_loop(work), 201)


def _save_options(given: dict[str, object], session: Session) -> tuple[str, int | None]:
    """The format and quality that are asked for; by default as the photo came."""
    form, quality = given.get("format") or session.record.form, given.get("quality")
    if form not in SUFFIXES:
        raise RequestError(f"format must be one of {', '.join(SUFFIXES)}. Received: {form!r}")
    if quality is None or form not in LOSSY:
        return str(form), None
    return str(form), whole_number_of(quality, "quality", 1, 100)


ONE = "/api/photos/{key}"
ROUTES = [
    Route("/api/photos", list_photos, methods=["GET"]),
    Route("/api/photos", open_photo, methods=["POST"]),
    Route(ONE, show_photo, methods=["GET"]),
    Route(ONE, close_photo, methods=["DELETE"]),
    Route(f"{ONE}/view", show_view, methods=["GET"]),
    Route(f"{ONE}/mask", show_mask, methods=["GET"]),
    Route(f"{ONE}/mask", keep_mask, methods=["PUT"]),
    Route(f"{ONE}/mask/grow", grow_mask, methods=["POST"]),
    Route(f"{ONE}/sketch", show_sketch, methods=["GET"]),
    Route(f"{ONE}/sketch", keep_sketch, methods=["PUT"]),
    Route(f"{ONE}/references", add_reference, methods=["POST"]),
    Route(f"{ONE}/references/{{reference}}", show_reference, methods=["GET"]),
    Route(f"{ONE}/references/{{reference}}", remove_reference, methods=["DELETE"]),
    Route(f"{ONE}/file", download, methods=["GET"]),
    Route(f"{ONE}/save", save_beside, methods=["POST"]),
]
