"""Only the page's own tab and scripts that know the token get through."""

import http.client
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from cnnlg_tf.errors import ConfigError
from cnnlg_tf.ui.store import Store
from tests.ui.pages import ServedPage


@pytest.fixture
def stranger(page: ServedPage) -> Iterator[httpx.Client]:
    """A client without the token."""
    with httpx.Client(base_url=page.origin) as client:
        yield client


def test_address_with_token_gives_a_strict_cookie_and_the_page(page: ServedPage) -> None:
    with httpx.Client(base_url=page.origin) as tab:
        welcome = tab.get(f"/?token={page.token}&a=b")
        assert welcome.status_code == 303 and welcome.headers["location"] == "/?a=b"
        cookie = welcome.headers["set-cookie"]
        assert "SameSite=strict" in cookie and "HttpOnly" in cookie
        shown = tab.get("/")
        assert shown.status_code == 200 and "<title>cnnlg-tf" in shown.text
        assert "default-src 'self'" in shown.headers["content-security-policy"]
        assert shown.headers["x-content-type-options"] == "nosniff"
        assert tab.get("/static/main.js").status_code == 200


@pytest.mark.parametrize("path", ["/", "/api/status", "/api", "/static/main.js", "/?token=0000"])
def test_nothing_without_the_token(stranger: httpx.Client, path: str) -> None:
    answer = stranger.get(path)
    assert answer.status_code == 403
    assert "token" in answer.text


def test_wrong_token_is_refused(page: ServedPage, stranger: httpx.Client) -> None:
    wrong = {"Authorization": f"Bearer {page.token[:-1]}x"}
    assert stranger.get("/api/status", headers=wrong).status_code == 403


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:{port}", "127.0.0.1", "localhost:1", ""]
)
def test_foreign_host_is_refused(page: ServedPage, host: str) -> None:
    """A name of an attacker that resolves to 127.0.0.1 (DNS rebinding) is in the Host header."""
    port = urlsplit(page.origin).port
    headers = {"Host": host.format(port=port)}
    answer = page.client.get("/api/status", headers=headers)
    assert answer.status_code in (400, 403)
    assert page.client.get("/api/status", headers={"Host": f"localhost:{port}"}).status_code == 200


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "http://127.0.0.1:1", "https://127.0.0.1"]
)
def test_foreign_origin_is_refused(page: ServedPage, origin: str) -> None:
    answer = page.client.post("/api/photos", headers={"Origin": origin}, files={"photo": b"x"})
    assert answer.status_code == 403 and "origins" in answer.json()["error"]


def test_cookie_alone_changes_nothing(page: ServedPage) -> None:
    with httpx.Client(base_url=page.origin) as tab:
        tab.get(f"/?token={page.token}")
        assert tab.get("/api/status").status_code == 200
        bare = tab.post("/api/photos", files={"photo": b"x"})
        assert bare.status_code == 403 and "Origin" in bare.json()["error"]
        sent_elsewhere = {"Origin": page.origin, "Sec-Fetch-Site": "cross-site"}
        assert (
            tab.post("/api/photos", files={"photo": b"x"}, headers=sent_elsewhere).status_code
            == 403
        )
        assert tab.get("/api/photos", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
        own = {"Origin": page.origin, "Sec-Fetch-Site": "same-origin"}
        assert tab.post("/api/photos", files={"photo": b"x"}, headers=own).status_code == 400


def test_long_bodies_are_refused(page: ServedPage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cnnlg_tf.ui.guard.MAX_UPLOAD", 1000)
    told = page.client.post("/api/photos", files={"photo": b"x" * 2000})
    assert told.status_code == 413 and "at most 1000 bytes" in told.json()["error"]
    chunks = (b"x" * 100 for _ in range(50))  # of unknown length
    try:
        answer = page.client.post(
            "/api/photos",
            content=chunks,
            headers={"Content-Type": "multipart/form-data; boundary=b"},
        )
        assert answer.status_code >= 400
    except httpx.HTTPError:
        pass  # cut off
    assert page.client.get("/api/photos").json() == []


@pytest.mark.parametrize(
    "path",
    [
        "/static/../app.py",
        "/static/%2e%2e/app.py",
        "/static/..%2fapp.py",
        "/../../etc/passwd",
        "/api/folder/thumbnail?name=../secret.png",
        "/api/folder/thumbnail?name=%2fetc%2fpasswd",
        "/api/photos/../folder/thumbnail",
    ],
)
def test_no_path_leads_out(
    serve_page: Callable[..., ServedPage], tmp_path: Path, path: str
) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    (tmp_path / "secret.png").write_bytes(b"secret")
    page = serve_page(folder)
    place = urlsplit(page.origin)
    connection = http.client.HTTPConnection(
        str(place.hostname), place.port
    )  # sends paths as they are
    connection.request("GET", path, headers={"Authorization": f"Bearer {page.token}"})
    answer = connection.getresponse()
    assert answer.status in (400, 404), answer.read()
    connection.close()


def test_state_folder_must_be_private(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    link = tmp_path / "link"
    link.symlink_to(elsewhere)
    with pytest.raises(ConfigError, match="must be yours, and no link"):
        Store(link)
    open_to_all = tmp_path / "open"
    open_to_all.mkdir(mode=0o777)
    store = Store(open_to_all)
    assert open_to_all.stat().st_mode & 0o777 == 0o700
    assert (open_to_all / "token").stat().st_mode & 0o777 == 0o600
    assert Store(open_to_all).token == store.token
