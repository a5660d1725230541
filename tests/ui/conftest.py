"""A page served on a free port of this machine, and a browser to open it."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from playwright.sync_api import Browser, BrowserContext

from cnnlg_tf.inference.network import Network
from cnnlg_tf.ui.app import create_app
from cnnlg_tf.ui.command import listen
from tests.ui.pages import FakeNetwork, ServedPage
from tests.ui.tabs import Tab


@contextmanager
def served(folder: Path, target: Path | None, network: Network) -> Iterator[ServedPage]:
    """A page on a free port with its state in `folder`, ready when the block starts."""
    listener = listen(0)
    port = listener.getsockname()[1]
    app, token = create_app(lambda: network, folder, target, port)
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    origin = f"http://127.0.0.1:{port}"
    try:
        with httpx.Client(
            base_url=origin, headers={"Authorization": f"Bearer {token}"}, timeout=30
        ) as client:
            deadline = time.monotonic() + 300
            while client.get("/api/status").json()["state"] == "opening":
                assert time.monotonic() < deadline
                time.sleep(0.01)
            if isinstance(network, FakeNetwork):
                network.asked.clear()
            yield ServedPage(origin, token, folder, network, client)
    finally:
        if isinstance(network, FakeNetwork):
            network.gate.set()
        server.should_exit = True
        thread.join(timeout=10)


@pytest.fixture
def serve_page(tmp_path: Path) -> Iterator[Callable[..., ServedPage]]:
    """serve_page(target=None, network=None, state="state") starts a page of its own for a test."""
    with ExitStack() as stack:

        def start(
            target: Path | None = None, network: FakeNetwork | None = None, state: str = "state"
        ) -> ServedPage:
            return stack.enter_context(served(tmp_path / state, target, network or FakeNetwork()))

        yield start


@pytest.fixture(scope="session")
def shared_page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedPage]:
    """A page that was started without a photo, for all tests that leave it as it is."""
    with served(tmp_path_factory.mktemp("page") / "state", None, FakeNetwork()) as page:
        yield page


@pytest.fixture
def page(shared_page: ServedPage) -> Iterator[ServedPage]:
    """The shared page; the photos that a test opens are closed after it."""
    shared_page.network.asked.clear()
    shared_page.opened.clear()
    yield shared_page
    for key in shared_page.opened:
        shared_page.client.delete(f"/api/photos/{key}")


@pytest.fixture
def open_tab(chromium: Browser) -> Iterator[Callable[..., Tab]]:
    """open_tab(page, photo=None) opens the page in a fresh profile; script faults fail the test."""
    contexts: list[BrowserContext] = []
    faults: list[str] = []

    def start(page: ServedPage, photo: Path | None = None, **options: Any) -> Tab:
        context = chromium.new_context(**{"viewport": {"width": 1280, "height": 800}} | options)
        context.set_default_timeout(15000)
        contexts.append(context)
        tab = Tab(context.new_page(), page)
        tab.page.on("pageerror", lambda error: faults.append(str(error)))
        tab.page.goto(page.address)
        tab.page.wait_for_selector("body[data-ready]")
        if photo is not None:
            tab.open(photo)
        return tab

    yield start
    for context in contexts:
        context.close()
    assert not faults
