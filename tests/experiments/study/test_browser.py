"""The study's page in a real browser: keyboard, phone, zoom, going on later, the file, the post."""

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cnnlg_tf.experiments.study.answers import Key, load_answers, parse_answers
from cnnlg_tf.experiments.study.make import StudyOptions, make_study
from cnnlg_tf.experiments.study.serve import StudyServer

playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright (extra `dev`)")

pytestmark = pytest.mark.browser

PAUSE = 300  # ms; a little over the page's own, in which no answer counts


@pytest.fixture
def study(tmp_path: Path, photo_folder: Callable[..., Path]) -> tuple[Path, Key]:
    options = StudyOptions(size=40, questions=4, catches=2)
    methods = ("original", "telea", "ns")
    key = make_study(photo_folder(count=2), tmp_path / "study", methods=methods, options=options)
    return tmp_path / "study", key


@pytest.fixture
def open_page(chromium: playwright.Browser) -> Iterator[Callable[..., playwright.Page]]:
    """open_page(address, **context options) -> a page whose script errors fail the test."""
    contexts = []
    errors: list[str] = []

    def open_(address: str, **options: object) -> playwright.Page:
        contexts.append(chromium.new_context(**options))
        page = contexts[-1].new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(address)
        return page

    yield open_
    for context in contexts:
        context.close()
    assert errors == []


def _answer(page: playwright.Page, key: str) -> None:
    page.wait_for_timeout(PAUSE)
    page.keyboard.press(key)


def _saved(page: playwright.Page, tmp_path: Path) -> bytes:
    with page.expect_download() as download:
        page.click("#save")
    assert download.value.suggested_filename.startswith("answers-")
    download.value.save_as(tmp_path / "saved.json")
    return (tmp_path / "saved.json").read_bytes()


def test_keyboard_from_a_file(
    study: tuple[Path, Key], open_page: Callable[..., playwright.Page], tmp_path: Path
) -> None:
    folder, key = study
    page = open_page(f"{(folder / 'study.html').as_uri()}?sheet=1")
    assert page.locator("#total").inner_text() == "5"
    page.keyboard.press("ArrowLeft")  # not asked yet
    page.click("#start")
    for choice in ("ArrowLeft", "ArrowRight", "ArrowRight", "Backspace", "ArrowLeft"):
        _answer(page, choice)
    page.keyboard.press("ArrowRight")  # too soon after the last: a key pressed twice
    assert page.locator("#count").inner_text() == "4 of 5"
    _answer(page, "ArrowRight")
    _answer(page, "ArrowRight")
    assert page.locator("#end").is_visible() and not page.locator("#pair").is_visible()
    found = parse_answers(_saved(page, tmp_path), key, "saved")
    assert found.sheet == 1 and [answer.question for answer in found.answers] == [0, 1, 2, 3, 4]
    assert [answer.choice for answer in found.answers] == [
        "left",
        "right",
        "left",
        "right",
        "right",
    ]
    assert all(0.25 < answer.seconds < 5 for answer in found.answers)


def test_both_pictures_of_a_question_are_shown(
    study: tuple[Path, Key], open_page: Callable[..., playwright.Page]
) -> None:
    page = open_page(f"{(study[0] / 'study.html').as_uri()}?sheet=0")
    data = json.loads(page.locator("#data").text_content() or "")
    page.click("#start")
    for left, right in data["sheets"][0]:
        for side, number in (("left", left), ("right", right)):
            image = page.locator(f"#{side}")
            assert image.get_attribute("src") == data["pictures"][number]
            page.wait_for_function("id => document.getElementById(id).complete", arg=side)
            assert image.evaluate("image => image.naturalWidth") == 40
        _answer(page, "ArrowLeft")


def test_zoom_is_at_the_same_place_in_both(
    study: tuple[Path, Key], open_page: Callable[..., playwright.Page]
) -> None:
    page = open_page((study[0] / "study.html").as_uri())
    page.click("#start")
    frame = page.locator(".frame").first
    box = frame.bounding_box()
    assert box is not None

    def origins() -> list[list[float]]:
        style = "image => getComputedStyle(image).transformOrigin.split(' ').map(parseFloat)"
        return [page.locator(f"#{side}").evaluate(style) for side in ("left", "right")]

    def scale() -> float:
        script = "image => new DOMMatrix(getComputedStyle(image).transform).a"
        return page.locator("#right").evaluate(script)

    assert scale() == 1
    page.mouse.click(box["x"] + box["width"] / 4, box["y"] + box["height"] / 2)
    assert scale() == 3
    left, right = origins()
    assert left == pytest.approx(right)
    assert left == pytest.approx([box["width"] / 4, box["height"] / 2], abs=1.5)
    page.mouse.move(box["x"] + box["width"] * 0.9, box["y"] + box["height"] * 0.1)
    assert origins()[1] == pytest.approx([box["width"] * 0.9, box["height"] * 0.1], abs=1.5)
    page.keyboard.press("Escape")
    assert scale() == 1
    page.keyboard.press("z")
    assert scale() == 3 and page.locator("#zoom").get_attribute("aria-pressed") == "true"
    _answer(page, "ArrowLeft")
    assert scale() == 1  # the next question is shown whole


def test_going_on_later(
    study: tuple[Path, Key], open_page: Callable[..., playwright.Page], tmp_path: Path
) -> None:
    page = open_page(f"{(study[0] / 'study.html').as_uri()}?sheet=1")
    page.click("#start")
    _answer(page, "ArrowLeft")
    _answer(page, "ArrowRight")
    page.goto((study[0] / "study.html").as_uri())  # another visit, without the sheet
    assert page.locator("#start").inner_text() == "Go on"
    page.click("#start")
    assert page.locator("#count").inner_text() == "3 of 5"
    for _ in range(3):
        _answer(page, "ArrowRight")
    found = parse_answers(_saved(page, tmp_path), study[1], "saved")
    assert found.sheet == 1
    assert [answer.choice for answer in found.answers] == ["left", *["right"] * 4]


@pytest.mark.parametrize("size", [(390, 844), (844, 390), (320, 568)])
def test_a_phone(
    study: tuple[Path, Key], open_page: Callable[..., playwright.Page], size: tuple[int, int]
) -> None:
    """All that is needed is on the screen, large enough to be touched, nothing sticks out."""
    width, height = size
    page = open_page(
        (study[0] / "study.html").as_uri(),
        viewport={"width": width, "height": height},
        has_touch=True,
        is_mobile=True,
    )
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.tap("#start")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    boxes = [
        page.locator(place).bounding_box()
        for place in ("#left", "#right", "[data-choice=left]", "[data-choice=right]", "#back")
    ]
    for box in boxes:
        assert box is not None
        assert box["x"] >= 0 and box["x"] + box["width"] <= width
        assert box["y"] >= 0 and box["y"] + box["height"] <= height
    assert min(box["height"] for box in boxes[2:] if box) >= 44
    assert min(box["width"] for box in boxes[:2] if box) >= 0.3 * min(width, height)
    page.wait_for_timeout(PAUSE)
    page.tap("[data-choice=right]")
    assert page.locator("#count").inner_text() == "2 of 5"
    page.tap(".frame >> nth=1")
    assert page.locator("#zoom").inner_text() == "Whole picture"


def test_accessibility(study: tuple[Path, Key], open_page: Callable[..., playwright.Page]) -> None:
    """axe-core finds nothing on any of the page's three screens."""
    axe = pytest.importorskip(
        "axe_playwright_python.sync_playwright", reason="needs axe-playwright-python (extra `dev`)"
    ).Axe()
    page = open_page((study[0] / "study.html").as_uri())
    for step in range(3):
        found = axe.run(page).response["violations"]
        assert [(each["id"], each["nodes"][0]["html"]) for each in found] == [], step
        if step == 0:
            page.click("#start")
        else:
            for _ in range(5):
                _answer(page, "ArrowLeft")
    assert page.locator("#end").is_visible()


def test_answers_are_posted_to_the_server(
    study: tuple[Path, Key], open_page: Callable[..., playwright.Page], tmp_path: Path
) -> None:
    folder, key = study
    with StudyServer(folder) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            page = open_page(server.address)
            page.click("#start")
            for _ in range(4):
                _answer(page, "ArrowRight")
            server.page = b""
            key_, server.key = server.key, made_up(key)  # what is sent first is refused
            _answer(page, "ArrowLeft")
            page.wait_for_selector("#again:not([hidden])")
            assert (
                "could not be sent (the answers must be of study"
                in page.locator("#sent").inner_text()
            )
            server.key = key_
            page.click("#again")
            page.get_by_text("Your answers have arrived").wait_for()
        finally:
            server.shutdown()
            thread.join()
    (found,) = load_answers(folder, key)
    assert found.sheet == 0 and len(found.answers) == 5
    assert [answer.choice for answer in found.answers] == [*["right"] * 4, "left"]


def made_up(key: Key) -> Key:
    """The same study under another name."""
    return Key("another", key.methods, key.sheets, key.settings)
