"""Who may talk to the page: its own browser tab, and scripts that know the token.

The server listens on 127.0.0.1 only, yet any web site that the user visits can send requests there. Three checks keep
them out: the Host header must name this server (a foreign name that resolves to 127.0.0.1 is refused), an Origin must
be this server's own, and every request needs the token, which the address on the terminal turns into a
SameSite=Strict cookie.
"""

import hmac
from collections.abc import MutableMapping
from typing import Any
from urllib.parse import parse_qsl, urlencode

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cnnlg_tf.ui.limits import MAX_UPLOAD

SECURITY_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' blob: data:; frame-ancestors 'none'; "
    "base-uri 'none'; form-action 'none'; object-src 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
READING = ("GET", "HEAD")
STRANGER = (
    "<!doctype html><meta charset=utf-8><title>cnnlg-tf</title><h1>This page needs its token</h1>"
    "<p>Open the whole address that <code>cnnlg-tf ui</code> printed on the terminal.</p>"
)


class Guard:
    """ASGI middleware: checks Host, Origin, token and the body's length, and adds the security headers.

    Args:
        app: what answers when all is well.
        token: the secret of the address.
        port: the port listened on; it is part of Host and Origin, and of the cookie's name, because
            browsers share cookies between the ports of a host.
    """

    def __init__(self, app: ASGIApp, token: str, port: int) -> None:
        self.app = app
        self.token = token
        self.cookie = f"cnnlg_tf_{port}"
        self.hosts = {f"{host}:{port}" for host in ("127.0.0.1", "localhost")}
        if port == 80:
            self.hosts |= {"127.0.0.1", "localhost"}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":  # the page has no web sockets
            await send({"type": "websocket.close", "code": 1008})
            return
        refusal = self._refusal(scope)
        if refusal is not None:
            await refusal(scope, receive, _with_headers(send))
            return
        await self.app(scope, _limited(receive), _with_headers(send))

    def _refusal(self, scope: Scope) -> Response | None:
        """The answer to a request that is not let through; None for one that is."""
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if host not in self.hosts:
            return _refuse(
                f"the Host header must be {' or '.join(sorted(self.hosts))}. Received: {host!r}"
            )
        origin = headers.get("origin")
        if origin is not None and origin not in {f"http://{host}" for host in self.hosts}:
            return _refuse(f"requests of other origins are refused. Received: {origin!r}")
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > MAX_UPLOAD:
            return _refuse(
                f"a request must have at most {MAX_UPLOAD} bytes. Received: {length}", 413
            )
        query = dict(parse_qsl(scope["query_string"].decode("latin-1")))
        if (
            scope["path"] == "/"
            and scope["method"] in READING
            and self._is_token(query.pop("token", ""))
        ):
            return self._welcome(query)
        bearer = headers.get("authorization", "").removeprefix("Bearer ")
        if self._is_token(bearer):
            return None
        if not self._is_token(cookie_parser(headers.get("cookie", "")).get(self.cookie, "")):
            if scope["path"] == "/":
                return HTMLResponse(STRANGER, 403)
            return _refuse(
                "a request needs the token: its cookie, or `Authorization: Bearer TOKEN`", 403
            )
        # a cookie comes by itself: what changes something must show that it comes from the page
        site = headers.get("sec-fetch-site", "none" if origin is None else "same-origin")
        if scope["method"] not in READING and (origin is None or site != "same-origin"):
            return _refuse("a request with a cookie needs the page's own Origin")
        if scope["path"] != "/" and site in ("cross-site", "same-site"):
            return _refuse(f"requests of other sites are refused. Received: {site}")
        return None

    def _is_token(self, text: str) -> bool:
        return hmac.compare_digest(text.encode(), self.token.encode())

    def _welcome(self, query: dict[str, str]) -> Response:
        """Token in the address -> cookie, so that the token stays in no history entry or link."""
        answer = RedirectResponse(f"/?{urlencode(query)}" if query else "/", 303)
        answer.set_cookie(self.cookie, self.token, httponly=True, samesite="strict", path="/")
        return answer


def _refuse(message: str, status: int = 403) -> Response:
    return JSONResponse({"error": message}, status)


def _limited(receive: Receive) -> Receive:
    """Stops a body of unknown length that grows over the limit, as if the sender had left."""
    taken = 0

    async def limited() -> Message:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        return {"type": "http.disconnect"} if taken > MAX_UPLOAD else message

    return limited


def _with_headers(send: Send) -> Send:
    async def sending(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in SECURITY_HEADERS.items():
                headers.setdefault(name, value)
        await send(message)

    return sending
