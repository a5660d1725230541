"""In a real browser: large photos, phones, a server that dies, other sites, people who cannot see or use a mouse."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import Browser

from cnnlg_tf.errors import CheckpointError
from cnnlg_tf.inference.network import Filled
from tests.conftest import make_photo
from tests.ui.pages import REPAIRED, FakeNetwork, ServedPage, encoded
from tests.ui.tabs import Tab

pytestmark = pytest.mark.browser
EXAMPLES = Path(__file__).parents[2] / "cnnlg_tf" / "examples"


class BrokenNetwork(FakeNetwork):
    """Fails at its first window, as one whose files are gone would."""

    def fill(self, *_: object) -> Filled:
        raise CheckpointError("its weights are gone")


@pytest.fixture
def photo_file(tmp_path: Path) -> Path:
    path = tmp_path / "coast.png"
    path.write_bytes(encoded(make_photo(200, 300)))
    return path


def test_24_megapixels(page: ServedPage, open_tab: Callable[..., Tab], tmp_path: Path) -> None:
    """The photo stays at full size: a stroke of one pixel is one, and a small one is repaired quickly."""
    original = np.tile(
        np.random.default_rng(0).integers(0, 256, (200, 300, 3), np.uint8), (20, 20, 1)
    )
    path = tmp_path / "large.bmp"
    Image.fromarray(original).save(path)
    tab = open_tab(page, path)
    place = (4321, 1234)
    tab.set_size(40)
    tab.draw(place, (4400, 1234))
    began = time.monotonic()
    tab.repair()
    assert time.monotonic() - began < 10  # 2 s on an idle machine; the figure is in docs/page.md
    tab.page.mouse.move(*tab.on_screen(place))
    for _ in range(8):
        tab.page.mouse.wheel(0, -300)
    tab.wait_for("async () => (await import('/static/surface.js')).view.scale > 8")
    tab.page.wait_for_load_state("networkidle")
    tab.wait_for(
        """async ([x, y, colour]) => {
          const { toGlass } = await import('/static/surface.js');
          const at = toGlass(x, y).map(Math.round);
          const seen = document.getElementById('picture').getContext('2d').getImageData(...at, 1, 1).data;
          return colour.every((value, i) => value === seen[i]);
        }""",
        [place[0] - 24.5, place[1] + 0.5, original[1234, 4321 - 25].tolist()],
    )
    tab.set_size(1)
    tab.draw((4321.5, 1225.5), (4321.5, 1225.5))
    mask = tab.mask()
    assert mask.sum() == 1 and mask[1225, 4321]
    tab.page.click("#mask-clear")
    result = tab.pixels()
    changed = (result != original).any(axis=-1)
    assert changed.sum() > 3000 and changed[1234, 4321:4400].all()
    assert not changed[:1200].any() and not changed[1270:].any()


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", [(1280, 800), (390, 844)])
def test_no_serious_fault_of_accessibility(
    serve_page: Callable[..., ServedPage],
    open_tab: Callable[..., Tab],
    photo_folder: Callable[..., Path],
    theme: str,
    size: tuple[int, int],
) -> None:
    """axe-core finds nothing serious on the start screen, at work, in the sheet and in the dialogs."""
    viewport = {"width": size[0], "height": size[1]}

    def check(tab: Tab, where: str) -> None:
        found = Axe().run(tab.page).response["violations"]
        bad = [
            (fault["id"], [node["html"][:120] for node in fault["nodes"]])
            for fault in found
            if fault["impact"] in ("serious", "critical")
        ]
        assert not bad, f"{where}: {bad}"

    check(open_tab(serve_page(state="empty"), viewport=viewport, color_scheme=theme), "start")
    folder = photo_folder(2, height=100, width=150)
    tab = open_tab(serve_page(folder), viewport=viewport, color_scheme=theme)
    tab.wait_for_photo("000.png")
    if size[0] < 500:
        tab.page.click("#panel-toggle")
    tab.page.check("#four")
    if size[0] < 500:
        tab.page.click("#panel-toggle")
    tab.draw((50, 50), (90, 50))
    check(tab, "marked")
    for tool in ("sketch", "extend"):
        tab.choose_tool(tool)
        if size[0] < 500:
            tab.page.click("#panel-toggle")
        check(tab, tool)
        if size[0] < 500:
            tab.page.click("#panel-toggle")
    tab.choose_tool("brush")
    tab.repair()
    tab.page.wait_for_selector("#variants img")
    check(tab, "repaired")
    tab.page.click("#save")
    check(tab, "save")
    tab.page.keyboard.press("Escape")
    tab.page.click("#run-all")
    check(tab, "run")
    tab.page.keyboard.press("Escape")
    tab.page.keyboard.press("Shift+?")
    check(tab, "keys")


def test_phone(page: ServedPage, open_tab: Callable[..., Tab], photo_file: Path) -> None:
    """390 pixels wide: nothing sticks out, all is within a thumb's reach, a finger draws."""
    tab = open_tab(
        page, photo_file, viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True
    )
    assert tab.page.evaluate("document.documentElement.scrollWidth") == 390
    for selector in ("#repair", "#save", "#undo", "#panel-toggle", "[data-tool=lasso]"):
        box = tab.page.locator(selector).bounding_box()
        assert box is not None and box["x"] >= 0 and box["x"] + box["width"] <= 390, selector
        assert box["y"] + box["height"] <= 844 and box["height"] >= 34, selector
    tab.page.touchscreen.tap(*tab.on_screen((150, 100)))
    tab.wait_for("async () => (await import('/static/desk.js')).desk.mask.marked > 0")
    tab.page.tap("#panel-toggle")
    assert tab.page.is_visible("#mask-invert") and tab.page.is_visible("#auto")
    tab.page.tap("#panel-toggle")
    assert not tab.page.is_visible("#mask-invert")
    tab.repair()
    assert tuple(tab.pixels()[100, 150]) == REPAIRED


def test_progress_and_cancel(
    serve_page: Callable[..., ServedPage], open_tab: Callable[..., Tab], photo_file: Path
) -> None:
    page = serve_page()
    tab = open_tab(page, photo_file)
    tab.draw((50, 50), (90, 50))
    drawn = tab.mask()
    page.network.gate.clear()
    tab.page.click("#repair")
    tab.page.wait_for_selector("#progress:not([hidden])")
    assert "Repairing" in (tab.page.text_content("#progress-text") or "")
    assert not tab.page.is_visible("#repair")
    tab.page.click("#cancel")
    page.network.gate.set()
    tab.page.wait_for_selector("#repair:not([hidden])")
    assert tab.desk("photo.repairs") in (0, 1)  # a last window cannot be stopped
    if tab.desk("photo.repairs") == 0:
        assert (tab.mask() == drawn).all()


def test_reload_loses_nothing(
    page: ServedPage, open_tab: Callable[..., Tab], photo_file: Path
) -> None:
    tab = open_tab(page, photo_file)
    tab.draw((50, 50), (90, 50))
    first = tab.mask()
    tab.repair()
    repaired = tab.pixels()
    tab.draw((200, 100), (220, 120))
    drawn = tab.mask()
    tab.page.reload()
    tab.wait_for_photo("coast.png")
    assert (tab.mask() == drawn).all()
    tab.page.click("#undo")
    tab.wait_to_hear("Undone: repair")
    assert (tab.mask() == (drawn | first)).all(), "undo reaches back over the reload"
    tab.page.click("#redo")
    tab.wait_to_hear("Redone: repair")
    assert (tab.pixels() == repaired).all() and (tab.mask() == drawn).all()
    tab.page.goto(page.origin)
    tab.page.wait_for_selector("body[data-ready]")
    tab.page.click("#recent-list .go")
    tab.wait_for_photo("coast.png")
    assert (tab.mask() == drawn).all()


@contextmanager
def command(state: Path, port: int) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """`cnnlg-tf ui` as users start it, and the address that it prints."""
    process = subprocess.Popen(
        [sys.executable, "-m", "cnnlg_tf.cli", "ui", "--no-browser", "--port", str(port)],
        env=os.environ | {"TMPDIR": str(state)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        found = re.search(r"http://\S+", line)
        assert found, line
        yield process, found[0]
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(20)
        process.stdout.close()


def test_server_is_killed_and_started_again(
    chromium: Browser, photo_file: Path, tmp_path: Path
) -> None:
    from cnnlg_tf.ui.command import listen

    with listen(0) as probe:
        port = probe.getsockname()[1]
    context = chromium.new_context()
    context.set_default_timeout(20000)
    with command(tmp_path, port) as (process, address):
        tab = Tab(context.new_page(), ServedPage(address, "", tmp_path, None, None))  # type: ignore[arg-type]
        tab.page.goto(address)
        tab.page.wait_for_selector("body[data-ready]")
        tab.open(photo_file)
        tab.draw((50, 50), (90, 50))
        tab.wait_until_kept()
        process.kill()
        process.wait()
        tab.draw((200, 100), (220, 120))
        tab.page.wait_for_selector("#banner:not([hidden])")
        assert "does not answer" in (tab.page.text_content("#banner") or "")
    marked = tab.desk("mask.marked")
    with command(tmp_path, port):
        tab.page.wait_for_selector("#banner", state="hidden")
        tab.wait_until_kept()
        assert tab.desk("mask.marked") == marked > 0
        tab.page.reload()
        tab.page.wait_for_selector("body[data-ready]")
        assert tab.desk("mask.marked") == marked
    context.close()


ATTACK = """<!doctype html><img id=i src="{origin}/api/photos"><script>
const tries = [
  fetch("{origin}/api/photos", {{ method: "POST", mode: "no-cors", credentials: "include", body: new FormData() }}),
  fetch("{origin}/api/photos", {{ credentials: "include" }}).then((a) => a.json()),
  fetch("{origin}/api/photos/{key}", {{ method: "DELETE", credentials: "include" }}),
  import("{origin}/static/api.js"),
];
Promise.allSettled(tries).then((all) => {{
  const form = document.createElement("form");
  document.title = all.map((each) => each.status).join();
}});
</script>"""


def test_other_site_reaches_nothing(
    page: ServedPage, open_tab: Callable[..., Tab], photo_file: Path
) -> None:
    """A site on another origin of the same machine, visited in the same browser."""
    tab = open_tab(page, photo_file)
    document = ATTACK.format(origin=page.origin, key=tab.key).encode()

    class Site(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(document)

        def log_message(self, *_: object) -> None:
            pass

    site = ThreadingHTTPServer(("127.0.0.1", 0), Site)
    threading.Thread(target=site.serve_forever, daemon=True).start()
    visit = tab.page.context.new_page()
    statuses: list[int] = []
    visit.on(
        "response", lambda r: statuses.append(r.status) if r.url.startswith(page.origin) else None
    )
    visit.goto(f"http://localhost:{site.server_port}/")
    visit.wait_for_function("document.title !== ''")
    read = visit.title().split(",")
    assert read[1] == "rejected" and read[2] == "rejected" and read[3] == "rejected"
    assert set(statuses) <= {400, 403}, statuses
    assert page.client.get(f"/api/photos/{tab.key}").status_code == 200, "nothing was closed"
    framed = tab.page.context.new_page()
    framed.set_content(f"<iframe src='{page.origin}/'></iframe>")
    framed.wait_for_timeout(300)
    assert all("cnnlg-tf" not in (frame.title() or "") for frame in framed.frames[1:])
    site.shutdown()
    site.server_close()


def test_page_is_light() -> None:
    static = Path(__file__).parents[2] / "cnnlg_tf" / "ui" / "static"
    assert sum(path.stat().st_size for path in static.iterdir()) < 300_000


def test_shipped_model_repairs_a_stroke(
    chromium: Browser, open_tab: Callable[..., Tab], tmp_path: Path
) -> None:
    """The real thing once: a crack over the example photo goes, and nothing else changes."""
    from cnnlg_tf.open import open_network
    from tests.ui.conftest import served

    clean = np.asarray(Image.open(EXAMPLES / "lake.jpg").convert("RGB"))
    cracked = clean.copy()
    cracked[60:66, 100:300] = 255
    Image.fromarray(cracked).save(tmp_path / "lake.png")
    with served(tmp_path / "state", None, open_network()) as page:
        tab = open_tab(page, tmp_path / "lake.png")
        tab.set_size(12)
        tab.draw((98, 63), (302, 63))
        mask = tab.mask()
        tab.page.check("#four")
        tab.page.click("#repair")
        tab.page.wait_for_selector("#variants img", timeout=300_000)
        result = tab.pixels()
        crack = np.zeros(mask.shape, bool)
        crack[60:66, 100:300] = True
        assert mask[crack].all() and (result[~mask] == cracked[~mask]).all()
        errors = [
            np.square(image[crack].astype(float) - clean[crack]).mean()
            for image in (cracked, result)
        ]
        assert errors[1] < errors[0] / 4


def test_model_that_cannot_be_opened_is_told(
    serve_page: Callable[..., ServedPage], open_tab: Callable[..., Tab], photo_file: Path
) -> None:
    """The page still opens photos and masks, and says on it why it cannot repair."""
    page = serve_page(network=BrokenNetwork())
    tab = open_tab(page, photo_file)
    tab.draw((50, 50), (90, 50))
    tab.page.wait_for_selector(
        "#model-state:text('The model cannot be opened: its weights are gone')"
    )
    assert tab.page.is_disabled("#repair") and tab.mask().any()
    files = {
        "photo": ("a.png", photo_file.read_bytes()),
        "mask": ("m.png", photo_file.read_bytes()),
    }
    refused = page.client.post("/api/repair", files=files)
    assert refused.status_code == 400 and "its weights are gone" in refused.json()["error"]
