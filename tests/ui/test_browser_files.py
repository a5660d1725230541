"""In a real browser: photos come by drop, paste, button and folder, and leave with all that they held."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms

from cnnlg_tf.ui.bits import encode_bits
from tests.conftest import make_photo
from tests.ui.pages import REPAIRED, ServedPage, box_mask, encoded
from tests.ui.tabs import Tab

pytestmark = pytest.mark.browser
BOX = box_mask(100, 150, 30, 40, 60, 90)

# gives files to the page as the system would: DROP on the window, PASTE from the clipboard
GIVE = """([kind, target, files]) => {
  const transfer = new DataTransfer();
  for (const { name, bytes } of files) {
    transfer.items.add(new File([new Uint8Array(bytes)], name, { type: 'image/png' }));
  }
  const event = kind === 'drop'
    ? new DragEvent('drop', { dataTransfer: transfer, bubbles: true, cancelable: true })
    : new ClipboardEvent('paste', { clipboardData: transfer, bubbles: true });
  document.querySelector(target).dispatchEvent(event);
}"""


def give(tab: Tab, kind: str, files: dict[str, bytes], target: str = "#stage") -> None:
    tab.page.evaluate(
        GIVE, [kind, target, [{"name": name, "bytes": list(data)} for name, data in files.items()]]
    )


def mark_box(tab: Tab) -> np.ndarray:
    """Draw a rectangle; returns the mask."""
    tab.choose_tool("rectangle")
    tab.draw((40, 30), (90, 60))
    return tab.mask()


def save(tab: Tab, form: str | None = None) -> tuple[str, bytes]:
    """Save through the dialog; the file's name and bytes."""
    tab.page.click("#save")
    if form is not None:
        tab.page.select_option("#save-format", form)
    with tab.page.expect_download() as saving:
        tab.page.click("#save-download")
    tab.page.wait_for_selector("#save-dialog", state="hidden")
    return saving.value.suggested_filename, Path(saving.value.path()).read_bytes()


def test_photo_with_its_mask_is_dropped(page: ServedPage, open_tab: Callable[..., Tab]) -> None:
    tab = open_tab(page)
    files = {"pier.png": encoded(make_photo(100, 150)), "pier_mask.png": encode_bits(BOX)}
    give(tab, "drop", files)
    tab.wait_for("document.getElementById('mask-share').textContent === '10 %'")
    page.opened.append(tab.key)
    assert (tab.mask() == BOX).all()


def test_photo_is_pasted(page: ServedPage, open_tab: Callable[..., Tab]) -> None:
    tab = open_tab(page)
    give(tab, "paste", {"image.png": encoded(make_photo(100, 150))}, "body")
    tab.wait_for_photo("image.png")
    assert tab.desk("photo.width") == 150


def test_no_picture_is_told(page: ServedPage, open_tab: Callable[..., Tab]) -> None:
    tab = open_tab(page)
    give(tab, "drop", {"letter.png": b"no picture"})
    told = tab.page.wait_for_selector(".toast.bad")
    assert told is not None and "letter.png is no image that can be read" in (
        told.text_content() or ""
    )
    assert tab.page.is_visible("#choose")


def test_saved_png_keeps_known_pixels_exif_and_profile(
    page: ServedPage, open_tab: Callable[..., Tab], tmp_path: Path
) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    exif = Image.Exif()
    exif[0x010F] = "A camera"
    original = make_photo(100, 150)
    path = tmp_path / "pier.png"
    path.write_bytes(encoded(original, icc_profile=profile, exif=exif))
    tab = open_tab(page, path)
    mask = mark_box(tab)
    tab.repair()
    name, data = save(tab)
    image = Image.open(io.BytesIO(data))
    result = np.asarray(image)
    assert name == "pier_repaired.png" and image.format == "PNG"
    assert (result[~mask] == original[~mask]).all() and (result[mask] == REPAIRED).all()
    assert image.info["icc_profile"] == profile and image.getexif()[0x010F] == "A camera"
    name, data = save(tab, "JPEG")
    image = Image.open(io.BytesIO(data))
    assert (
        name == "pier_repaired.jpg"
        and image.format == "JPEG"
        and image.info["icc_profile"] == profile
    )


def test_saved_tiff_keeps_16_bits(
    page: ServedPage, open_tab: Callable[..., Tab], tmp_path: Path
) -> None:
    deep = (make_photo(100, 150).astype(np.uint16) << 8) + 99
    path = tmp_path / "deep.tif"
    tifffile.imwrite(path, deep, photometric="rgb")
    tab = open_tab(page, path)
    assert "16 bit" in (tab.page.text_content("#photo-facts") or "")
    mask = mark_box(tab)
    tab.repair()
    _, data = save(tab)
    result = tifffile.imread(io.BytesIO(data))
    assert result.dtype == np.uint16 and (result[~mask] == deep[~mask]).all()
    assert np.abs(result[mask].astype(int) - np.array(REPAIRED) * 257).max() <= 1


def test_transparency_stays(page: ServedPage, open_tab: Callable[..., Tab], tmp_path: Path) -> None:
    layers = np.dstack([make_photo(100, 150), np.full((100, 150), 255, np.uint8)])
    layers[:50, :, 3] = 90
    path = tmp_path / "glass.png"
    path.write_bytes(encoded(layers))
    tab = open_tab(page, path)
    mask = mark_box(tab)
    tab.repair()
    result = np.asarray(Image.open(io.BytesIO(save(tab)[1])))
    assert (result[~mask] == layers[~mask]).all() and (result[..., 3] == layers[..., 3]).all()


def test_photo_is_copied_to_the_clipboard(
    page: ServedPage, open_tab: Callable[..., Tab], tmp_path: Path
) -> None:
    path = tmp_path / "pier.png"
    path.write_bytes(encoded(make_photo(100, 150)))
    tab = open_tab(page, path, permissions=["clipboard-read", "clipboard-write"])
    mask = mark_box(tab)
    tab.repair()
    tab.page.click("#save")
    tab.page.click("#save-copy")
    tab.page.wait_for_selector("#save-dialog", state="hidden")
    copied = tab.page.evaluate(
        """async () => {
          const [item] = await navigator.clipboard.read();
          return [...new Uint8Array(await (await item.getType('image/png')).arrayBuffer())];
        }"""
    )
    result = np.asarray(Image.open(io.BytesIO(bytes(copied))).convert("RGB"))
    assert (result[mask] == REPAIRED).all()


def test_references_are_added_and_removed(
    page: ServedPage, open_tab: Callable[..., Tab], tmp_path: Path
) -> None:
    path = tmp_path / "pier.png"
    path.write_bytes(encoded(make_photo(100, 150)))
    tab = open_tab(page, path)
    give(tab, "drop", {"other.png": encoded(make_photo(40, 40, seed=2))}, "#reference-section")
    tab.page.wait_for_selector("#references img[alt='other.png']")
    assert tab.page.text_content("#photo-name") == "pier.png", (
        "a reference is not opened as a photo"
    )
    mark_box(tab)
    tab.repair()
    assert [r.shape for r in page.network.asked[-1].reference] == [(40, 40, 3)]
    tab.page.click("[aria-label='Remove other.png']")
    tab.page.wait_for_selector("#references img", state="detached")
    assert page.client.get(f"/api/photos/{tab.key}").json()["references"] == []


@pytest.fixture
def folder_tab(
    serve_page: Callable[..., ServedPage],
    open_tab: Callable[..., Tab],
    photo_folder: Callable[..., Path],
) -> tuple[Tab, Path]:
    """The page on a folder of three photos of 150 x 100, the second with a mask."""
    folder = photo_folder(3, height=100, width=150)
    (folder / "001_mask.png").write_bytes(encode_bits(BOX))
    return open_tab(serve_page(folder)), folder


def test_folder_is_paged_through(folder_tab: tuple[Tab, Path]) -> None:
    tab, folder = folder_tab
    tab.wait_for_photo("000.png")
    assert tab.page.locator("#film-list li").count() == 3
    tab.draw((100, 50), (120, 50))
    drawn = tab.mask()
    tab.page.keyboard.press("PageDown")
    tab.wait_for_photo("001.png")
    assert (tab.mask() == BOX).all(), "the mask file beside the photo is taken"
    assert tab.page.text_content("#film-place") == "2 of 3"
    tab.page.click("#previous")
    tab.wait_for_photo("000.png")
    assert (tab.mask() == drawn).all(), "each photo keeps its own mask"
    tab.repair()
    tab.page.wait_for_selector("#film-list li:first-child .mark:text('repaired')")
    tab.page.click("#save")
    tab.page.click("#save-beside")
    tab.page.wait_for_selector(".toast:text('000_repaired.png')")
    result = np.asarray(Image.open(folder / "000_repaired.png"))
    assert (result[drawn] == REPAIRED).all()
    assert (result[~drawn] == np.asarray(Image.open(folder / "000.png"))[~drawn]).all()


def test_one_mask_is_applied_to_all(folder_tab: tuple[Tab, Path]) -> None:
    tab, folder = folder_tab
    tab.wait_for_photo("000.png")
    mask = mark_box(tab)
    tab.page.click("#run-all")
    tab.page.check("#run-shared")
    tab.page.click("#run-start")
    tab.page.wait_for_selector("#run-text:text('3 repaired, 0 had nothing to repair, 0 failed')")
    assert tab.page.locator("#run-log li").count() == 3
    for name in ("000.png", "001.png", "002.png"):
        result = np.asarray(Image.open(folder / "repaired" / name))
        assert (result[mask] == REPAIRED).all()
