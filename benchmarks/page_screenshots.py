"""Screenshots of the page: at two sizes, in two themes, at each step of the work, with the shipped model.

    python benchmarks/page_screenshots.py -o out/page      all of them, to be looked at
    python benchmarks/page_screenshots.py --docs           those that the docs show, into docs/

Needs a Chromium (`make test-browser` installs it) and the extras `ui` and `dev`.
"""

import io
import shutil
import tempfile
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import click
import uvicorn
from PIL import Image, ImageDraw
from playwright.sync_api import Browser, Page, sync_playwright

from cnnlg_tf.cli.reporting import Command
from cnnlg_tf.open import open_network
from cnnlg_tf.ui.app import create_app
from cnnlg_tf.ui.command import listen

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "cnnlg_tf" / "examples"
SIZES = {"wide": (1280, 800, 1), "phone": (390, 844, 2)}
THEMES = ("dark", "light")
DOCS = {
    "wide-dark-compare": "page.jpg",
    "wide-light-variants": "page-variants.jpg",
    "phone-dark-marked": "page-phone.jpg",
    "wide-dark-extend": "page-extend.jpg",
    "wide-dark-sketch": "page-sketch.jpg",
}
PHOTOS = ("lake", "otters", "wren")
# two cracks, of the photo's width and height
CRACKS = (
    ((0.16, 0.20), (0.29, 0.34), (0.37, 0.45), (0.47, 0.52), (0.60, 0.68), (0.66, 0.82)),
    ((0.47, 0.52), (0.58, 0.47), (0.73, 0.50), (0.86, 0.42)),
)
STROKES = (  # of a sketch: the ink, and its places
    ("#7a4f2e", ((0.20, 0.78), (0.33, 0.66), (0.47, 0.60), (0.62, 0.63), (0.78, 0.76))),
    ("#2c5a8c", ((0.34, 0.86), (0.50, 0.83), (0.66, 0.86))),
)


SET_SIDE = """([side, value]) => {
  const field = document.getElementById(`extend-${side}`);
  field.value = value;
  for (const name of ['input', 'change']) field.dispatchEvent(new Event(name));
}"""


@click.command(cls=Command)
@click.option("-o", "--out", "folder", type=click.Path(path_type=Path), help="For all screenshots.")
@click.option("--docs", is_flag=True, help="Write those that the docs show, there.")
@click.option("--chromium", default="/usr/bin/chromium", show_default=True)
def main(folder: Path | None, docs: bool, chromium: str) -> None:
    """Work through the examples in a browser, and keep a picture of each step."""
    if (folder is None) != docs:
        raise click.UsageError("give one of --out and --docs")
    out = folder or ROOT / "docs"
    out.mkdir(parents=True, exist_ok=True)

    def keep(name: str, picture: bytes) -> None:
        if docs and name not in DOCS:
            return
        path = out / (DOCS[name] if docs else f"{name}.png")
        image = Image.open(io.BytesIO(picture)).convert("RGB")
        image.save(path, **({"quality": 88} if docs else {}))
        print(f"wrote {path}")

    network = open_network()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium,
            args=["--no-sandbox", "--headless=new", "--disable-gpu", "--no-first-run"],
        )
        for size in SIZES:
            for theme in THEMES:
                wanted = any(name.startswith(f"{size}-{theme}") for name in DOCS)
                if wanted or not docs:
                    photograph(browser, network, size, theme, keep)
        browser.close()


def photograph(
    browser: Browser, network: object, size: str, theme: str, keep: Callable[[str, bytes], None]
) -> None:
    """Work through a folder of examples as a user does, and keep a picture of each step."""
    width, height, density = SIZES[size]
    with tempfile.TemporaryDirectory() as name:
        folder, empty = Path(name) / "photos", Path(name) / "empty"
        folder.mkdir()
        for stem in PHOTOS:
            shutil.copy(EXAMPLES / f"{stem}.jpg", folder)
        _scratch(folder / f"{PHOTOS[0]}.jpg")
        context = browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme=theme,  # type: ignore[arg-type]
            device_scale_factor=density,
            is_mobile=size == "phone",
            has_touch=size == "phone",
        )
        context.set_default_timeout(600_000)
        tab = context.new_page()

        def shoot(step: str) -> None:
            tab.wait_for_timeout(400)
            keep(f"{size}-{theme}-{step}", tab.screenshot())

        server, address = _serve(network, empty, None)
        tab.goto(address)
        tab.wait_for_selector("body[data-ready]")
        shoot("start")
        server.should_exit = True

        server, address = _serve(network, Path(name) / "state", folder)
        tab.goto(address)
        tab.wait_for_selector("body[data-ready]")
        tab.wait_for_selector("#variants-row:not([hidden])", state="attached")
        tab.click("[data-tool=extend]")
        for side, growth in (("left", 90), ("right", 140), ("bottom", 60)):
            tab.evaluate(SET_SIDE, [side, growth])
        shoot("extend")
        tab.click("#repair")
        tab.wait_for_selector("#live:text-matches('^Extended')", state="attached")
        shoot("extended")
        tab.click("#undo")
        tab.wait_for_timeout(1000)
        _sketch(tab)
        shoot("sketch")
        if size == "phone":
            tab.click("#panel-toggle")
            shoot("inks")
            tab.click("#panel-toggle")
        for _ in range(1 + len(STROKES)):
            tab.keyboard.press("Control+z")
        tab.click("[data-tool=brush]")
        _draw(tab)
        shoot("marked")
        if size == "phone":
            tab.click("#panel-toggle")
            shoot("settings")
        tab.check("#four")
        if size == "phone":
            tab.click("#panel-toggle")
        tab.click("#repair")
        tab.wait_for_timeout(600)
        shoot("progress")
        tab.wait_for_selector("#variants img", state="attached")
        shoot("variants")
        tab.check("#uncertainty")
        shoot("uncertainty")
        tab.uncheck("#uncertainty")
        if size == "phone":
            tab.click("#panel-toggle")
        tab.click("#compare")
        shoot("compare")
        tab.keyboard.press("Escape")
        tab.click("#save")
        shoot("save")
        tab.keyboard.press("Escape")
        tab.click("#run-all")
        shoot("run")
        tab.keyboard.press("Escape")
        tab.keyboard.press("Shift+?")
        shoot("keys")
        context.close()
        server.should_exit = True


def _serve(network: object, state: Path, target: Path | None) -> tuple[uvicorn.Server, str]:
    listener = listen(0)
    port = listener.getsockname()[1]
    app, token = create_app(lambda: network, state, target, port)  # type: ignore[arg-type, return-value]
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=1))
    threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True).start()
    return server, f"http://127.0.0.1:{port}/?token={token}"


def _scratch(path: Path) -> None:
    """Cracks over a photo, as an old print has them."""
    image = Image.open(path)
    draw = ImageDraw.Draw(image)
    for crack in CRACKS:
        places = [(x * image.width, y * image.height) for x, y in crack]
        draw.line([(x + 1.5, y + 1.5) for x, y in places], (52, 48, 44), 5, joint="curve")
        draw.line(places, (236, 230, 214), 4, joint="curve")
    image.save(path, quality=95)


def _draw(tab: Page) -> None:
    """Strokes along the cracks with the mouse."""
    tab.evaluate("import('/static/tools.js').then(tools => tools.setSize(14))")
    for crack in CRACKS:
        _stroke(tab, crack)


def _sketch(tab: Page) -> None:
    """A marked box, and strokes in it."""
    tab.click("[data-tool=rectangle]")
    _stroke(tab, ((0.12, 0.52), (0.88, 0.94)))
    tab.click("[data-tool=sketch]")
    tab.evaluate("import('/static/tools.js').then(tools => tools.setSize(8))")
    for ink, places in STROKES:
        tab.evaluate("ink => document.querySelector(`[data-ink='${ink}']`).click()", ink)
        _stroke(tab, places)


def _stroke(tab: Page, stroke: Sequence[tuple[float, float]]) -> None:
    places = tab.evaluate(
        """async (stroke) => {
          const { desk } = await import('/static/desk.js');
          const { toGlass } = await import('/static/surface.js');
          const frame = document.getElementById('glass').getBoundingClientRect();
          return stroke.map(([x, y]) => {
            const [left, top] = toGlass(x * desk.photo.width, y * desk.photo.height);
            return [frame.left + left, frame.top + top];
          });
        }""",
        stroke,
    )
    tab.mouse.move(*places[0])
    tab.mouse.down()
    for place in places[1:]:
        tab.mouse.move(*place, steps=12)
    tab.mouse.up()


if __name__ == "__main__":
    main()
