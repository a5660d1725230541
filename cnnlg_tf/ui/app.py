"""The page's server: its routes behind the guard, its files, its description."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.schemas import SchemaGenerator
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from cnnlg_tf import __version__
from cnnlg_tf.inference.canvas import MOST
from cnnlg_tf.inference.network import Network
from cnnlg_tf.ui import folder_routes, photo_routes, repair_routes
from cnnlg_tf.ui.engine import Engine
from cnnlg_tf.ui.guard import Guard
from cnnlg_tf.ui.jobs import Worker
from cnnlg_tf.ui.library import Library
from cnnlg_tf.ui.limits import MAX_PIXELS, MAX_UPLOAD, MAX_VARIANTS
from cnnlg_tf.ui.saving import LOSSY, SUFFIXES
from cnnlg_tf.ui.store import Store
from cnnlg_tf.ui.web import ERRORS

STATIC = Path(__file__).parent / "static"


@dataclass
class Page:
    """What the routes work with."""

    store: Store
    library: Library
    engine: Engine
    worker: Worker


def create_app(
    open_: Callable[[], Network], state: Path, target: Path | None, port: int
) -> tuple[ASGIApp, str]:
    """The page as an ASGI application, and its token.

    Args:
        open_: gives the network; called on a thread of its own.
        state: folder of the sessions.
        target: a photo or folder to start with.
        port: that the server will listen on.

    Raises:
        ConfigError: the state folder is not private.
        ImageError: the target does not exist.
    """
    library = Library(target)
    page = Page(Store(state), library, Engine(open_), Worker())

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        yield
        page.worker.close()

    app = Starlette(
        routes=[
            Route("/", show_page, methods=["GET"]),
            Route("/api", show_schema, methods=["GET"], include_in_schema=False),
            Route("/api/status", show_status, methods=["GET"]),
            *photo_routes.ROUTES,
            *repair_routes.ROUTES,
            *folder_routes.ROUTES,
            Mount("/static", StaticFiles(directory=STATIC)),
        ],
        exception_handlers=ERRORS,
        lifespan=lifespan,
    )
    app.state.page = page
    return Guard(app, page.store.token, port), page.store.token


async def show_page(request: Request) -> Response:
    """
    summary: The page itself.
    responses:
      200: {description: HTML., content: {text/html: {}}}
    """
    return FileResponse(STATIC / "index.html")


async def show_status(request: Request) -> Response:
    """
    summary: Whether the model is open, and what it and the page can do.
    responses:
      200: {description: "State, abilities, formats, limits.", content: {application/json: {}}}
    """
    page = request.app.state.page
    return JSONResponse(
        {
            "version": __version__,
            "state": page.engine.state,
            "error": page.engine.error,
            "can": sorted(page.engine.can),
            "formats": list(SUFFIXES),
            "lossy": [form for form in SUFFIXES if form in LOSSY],
            "max_pixels": MAX_PIXELS,
            "max_growth": MOST,
            "max_upload": MAX_UPLOAD,
            "max_variants": MAX_VARIANTS,
        }
    )


async def show_schema(request: Request) -> Response:
    """The OpenAPI description, from the docstrings of the routes."""
    return JSONResponse(schema(request.app))


def schema(app: Starlette) -> dict[str, object]:
    """The OpenAPI description of the page's API."""
    generator = SchemaGenerator(
        {
            "openapi": "3.1.0",
            "info": {
                "title": "cnnlg-tf page",
                "version": __version__,
                "description": "Every request needs the token: `Authorization: Bearer TOKEN`, or the page's cookie.",
            },
            "security": [{"token": []}],
            "components": COMPONENTS,
        }
    )
    described: dict[str, object] = generator.get_schema(routes=app.routes)
    for path, methods in described["paths"].items():  # type: ignore[attr-defined]
        names = [part[1:-1] for part in path.split("/") if part.startswith("{")]
        for entry in methods.values():
            where = [
                {"name": n, "in": "path", "required": True, "schema": {"type": "string"}}
                for n in names
            ]
            if names:
                entry["parameters"] = where + entry.get("parameters", [])
            entry["responses"] = {
                str(status): answer for status, answer in entry["responses"].items()
            }
    return described


def _answer(description: str, schema_: dict[str, object]) -> dict[str, object]:
    return {"description": description, "content": {"application/json": {"schema": schema_}}}


_TEXT, _NUMBER, _FLAG = {"type": "string"}, {"type": "integer"}, {"type": "boolean"}
_CHANGED: dict[str, object] = {
    "version": _NUMBER | {"description": "Grows with every change of the pixels."},
    "repairs": _NUMBER | {"description": "How many repairs count."},
    "undone": _NUMBER | {"description": "How many could be brought back."},
    "choices": _NUMBER | {"description": "How many variants the last repair offers."},
    "chosen": _NUMBER,
    "masked": _FLAG,
    "sketched": _FLAG,
    "width": _NUMBER | {"description": "Of the photo as it is now: it may have been extended."},
    "height": _NUMBER,
    "box": {
        "type": ["array", "null"],
        "items": _NUMBER,
        "description": "Of the last repair: left, top, width, height.",
    },
}
COMPONENTS: dict[str, object] = {
    "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
    "schemas": {
        "Photo": {
            "type": "object",
            "properties": {
                "key": _TEXT,
                "name": _TEXT,
                "bits": _NUMBER,
                "transparent": _FLAG,
                "format": _TEXT,
                "references": {"type": "array", "items": {"type": "object"}},
                "beside": _FLAG | {"description": "Whether it can be saved beside the original."},
                **_CHANGED,
            },
        },
    },
    "responses": {
        "Refused": _answer(
            "What was expected, and what came.", {"type": "object", "properties": {"error": _TEXT}}
        ),
        "Started": _answer("The job.", {"type": "object", "properties": {"job": _TEXT}}),
        "Changed": _answer(
            "What changed.",
            {
                "type": "object",
                "properties": {
                    "changed": {"type": "array", "items": _NUMBER},
                    "extension": {
                        "type": "array",
                        "items": _NUMBER,
                        "description": "What left, top, right and bottom grew by; negative: shrank.",
                    },
                    **_CHANGED,
                },
            },
        ),
    },
}
