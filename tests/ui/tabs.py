"""The page in a browser, as a user's hands and eyes have it."""

import time
from pathlib import Path
from typing import Any

import numpy as np
from playwright.sync_api import Page

from tests.ui.pages import ServedPage, decoded

Point = tuple[float, float]


class Tab:
    """One browser tab with the page. Places are in the photo's pixels, (x, y)."""

    def __init__(self, page: Page, served: ServedPage) -> None:
        self.page = page
        self.served = served

    def open(self, photo: Path) -> None:
        """Choose a file and wait until it is on the desk."""
        self.page.set_input_files("#file", str(photo))
        self.wait_for_photo(photo.name)

    def wait_for_photo(self, name: str) -> None:
        self.wait_for(
            "name => document.getElementById('photo-name').textContent === name"
            " && document.getElementById('live').textContent === `Opened ${name}`",
            name,
        )
        self.served.opened.append(self.key)

    @property
    def key(self) -> str:
        """The open photo's key."""
        return str(self.page.evaluate("location.hash.slice(1)"))

    def desk(self, expression: str) -> Any:
        """Something of the page's state: desk("mask.marked")."""
        return self.page.evaluate(
            f"import('/static/desk.js').then(({{desk}}) => desk.{expression})"
        )

    def on_screen(self, place: Point) -> Point:
        """A place of the photo in the window."""
        x, y = self.page.evaluate(
            "async ([x, y]) => (await import('/static/surface.js')).toGlass(x, y)", list(place)
        )
        frame = self.page.locator("#glass").bounding_box()
        assert frame is not None
        return frame["x"] + x, frame["y"] + y

    def in_photo(self, x: float, y: float) -> Point:
        """The place of the photo at a place in the window."""
        place = self.page.evaluate(
            "async ([x, y]) => (await import('/static/surface.js')).toPhoto(x, y)", [x, y]
        )
        return place[0], place[1]

    def draw(self, *places: Point, button: Any = "left") -> None:
        """Press at the first place, go over the others, let go at the last."""
        mouse = self.page.mouse
        mouse.move(*self.on_screen(places[0]))
        mouse.down(button=button)
        for place in places[1:]:
            mouse.move(*self.on_screen(place), steps=4)
        mouse.up(button=button)

    def choose_tool(self, tool: str) -> None:
        self.page.click(f"[data-tool={tool}]")

    def set_size(self, pixels: int) -> None:
        self.page.evaluate(f"import('/static/tools.js').then(tools => tools.setSize({pixels}))")

    def wait_for(self, expression: str, argument: Any = None) -> None:
        """Until a function of the page, which may be asynchronous, gives something true."""
        deadline = time.monotonic() + 20
        while not self.page.evaluate(expression, argument):
            assert time.monotonic() < deadline, f"never true: {expression}"
            self.page.wait_for_timeout(20)

    def wait_until_kept(self) -> None:
        """Until the server's mask is the page's."""
        self.wait_for(
            """async () => {
              const { desk } = await import('/static/desk.js');
              const { decodeBits } = await import('/static/bits.js');
              const { api } = await import('/static/api.js');
              const kept = await decodeBits(await api.mask(desk.photo.key));
              const own = await decodeBits(await (await desk.mask.toPng()).arrayBuffer());
              return kept.rows.every((byte, i) => byte === own.rows[i]);
            }"""
        )

    def wait_to_hear(self, text: str) -> None:
        """Until the page has announced something that starts so."""
        self.wait_for("text => document.getElementById('live').textContent.startsWith(text)", text)

    def mask(self) -> np.ndarray:
        """The mask that the server has, once it is the page's: bool [height, width]."""
        self.wait_until_kept()
        return decoded(self.served.client.get(f"/api/photos/{self.key}/mask").content)

    def repair(self) -> None:
        """Press the button and wait for the repair."""
        before = self.desk("photo.version")
        self.page.click("#repair")
        self.wait_for_repairs(before)

    def wait_for_repairs(self, version: int) -> None:
        """Until the pixels are newer than `version` and nothing is running."""
        self.wait_for(
            "async (version) => { const { desk } = await import('/static/desk.js');"
            " return desk.photo.version > version && !desk.busy && desk.mask.marked === 0; }",
            version,
        )

    def pixels(self) -> np.ndarray:
        """The photo as it would be saved in PNG."""
        answer = self.served.client.get(f"/api/photos/{self.key}/file", params={"format": "PNG"})
        return decoded(answer.content)

    def colour_at(self, place: Point) -> tuple[int, int, int]:
        """What the canvas shows there, RGB."""
        x, y = self.page.evaluate(
            "async ([x, y]) => (await import('/static/surface.js')).toGlass(x, y)", list(place)
        )
        self.page.evaluate("new Promise(requestAnimationFrame)")
        shown = self.page.evaluate(
            "([x, y]) => [...document.getElementById('picture').getContext('2d')"
            ".getImageData(Math.round(x * devicePixelRatio), Math.round(y * devicePixelRatio), 1, 1).data]",
            [x, y],
        )
        return tuple(shown[:3])
