"""A photo that is being repaired on the page, kept in a folder so that no reload or crash loses its mask.

session.json    name, source, size, which repairs count
photo           the file as it came, byte for byte
mask.png        one bit a pixel
sketch.png      strokes, if there are any
edits/0.npz     a repair each, in order
references/0    pictures whose texture may be copied
"""

import json
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from cnnlg_tf.errors import CancelledError, ImageError, MaskError
from cnnlg_tf.files import atomic_path
from cnnlg_tf.inference.canvas import Extension, on_canvas
from cnnlg_tf.inference.windows import Box
from cnnlg_tf.photos import Photo, decode_photo
from cnnlg_tf.ui.bits import decode_bits, encode_bits
from cnnlg_tf.ui.edits import Edit, on_larger, on_smaller
from cnnlg_tf.ui.limits import MAX_REFERENCES, RequestError
from cnnlg_tf.ui.saving import form_of, open_photo
from cnnlg_tf.ui.sketches import Sketch, decode_sketch, encode_sketch


class Change(NamedTuple):
    """What a step of the history did: `box` changed, and each side grew by `extension` (shrank where negative)."""

    box: Box
    extension: Extension


def box_json(box: Box) -> list[int]:
    """[left, top, width, height], as the page counts."""
    return [box.left, box.top, box.right - box.left, box.bottom - box.top]


@dataclass
class Record:
    """What session.json holds.

    Attributes:
        form: the format that it is saved in by default.
        source: the photo's path, if it was opened from this machine's files.
        width, height: of the photo as it came.
        boxes, choices, chosen: of each edit, where it lies, how many repairs it offers and which
            one counts.
        extensions: by the number of an edit that extends the photo, what each side grows by.
        head: how many edits count; those after it were undone.
        version: grows with every change of the pixels.
        touched: seconds since 1970 of the last change.
        reference_names: file names of the references, in order.
    """

    id: str
    name: str
    width: int
    height: int
    form: str
    source: str | None = None
    boxes: list[list[int]] = field(default_factory=list)
    choices: list[int] = field(default_factory=list)
    chosen: list[int] = field(default_factory=list)
    extensions: dict[str, list[int]] = field(default_factory=dict)
    head: int = 0
    version: int = 0
    masked: bool = False
    sketched: bool = False
    touched: float = 0.0
    reference_names: dict[str, str] = field(default_factory=dict)


class Session:
    """One photo, its mask and its repairs. Every method may be called from any thread.

    Args:
        folder: of an existing session; `create` makes a new one.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.lock = threading.RLock()
        self.record = Record(**json.loads((folder / "session.json").read_text(encoding="utf-8")))
        self._photo: Photo | None = None
        self._canvas: Photo | None = None
        self._current: np.ndarray | None = None
        self._mask: np.ndarray | None = None
        self._sketch: Sketch | None = None

    @classmethod
    def create(cls, folder: Path, name: str, data: bytes, source: Path | None) -> "Session":
        """A new session of a photo file's bytes.

        Raises:
            ImageError: the bytes are no photo that can be read.
        """
        photo = open_photo(data, name)
        height, width = photo.pixels.shape[:2]
        with atomic_path(folder) as temporary:
            (temporary / "edits").mkdir(parents=True)
            (temporary / "references").mkdir()
            (temporary / "photo").write_bytes(data)
            record = Record(folder.name, name, width, height, form_of(photo))
            record.source, record.touched = None if source is None else str(source), time.time()
            (temporary / "session.json").write_text(json.dumps(asdict(record)), encoding="utf-8")
        session = cls(folder)
        session._photo = photo
        return session

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width as they are now."""
        return self.shape_after(self.record.head)

    def shape_after(self, edits: int) -> tuple[int, int]:
        """Height and width once so many edits count."""
        left, top, right, bottom = self._extension_after(edits)
        return self.record.height + top + bottom, self.record.width + left + right

    def _extension_of(self, edit: int) -> Extension:
        return Extension(*self.record.extensions.get(str(edit), ()))

    def _extension_after(self, edits: int) -> Extension:
        each = [self._extension_of(number) for number in range(edits)]
        return Extension(*map(sum, zip(*each, strict=True)))

    @property
    def is_untouched(self) -> bool:
        """Whether nothing would be lost if the session were removed."""
        return not (self.record.masked or self.record.sketched or self.record.choices)

    @property
    def decoded_pixels(self) -> int:
        """How many pixels the session holds in memory."""
        held = (self._photo, self._canvas, self._current)
        height, width = self.shape
        return height * width * sum(each is not None for each in held)

    def state(self) -> dict[str, object]:
        """Where the history of repairs stands, as the page counts: boxes are left, top, width, height."""
        with self.lock:
            record, head = self.record, self.record.head
            height, width = self.shape
            return {
                "width": width,
                "height": height,
                "version": record.version,
                "repairs": head,
                "undone": len(record.choices) - head,
                "choices": record.choices[head - 1] if head else 0,
                "chosen": record.chosen[head - 1] if head else 0,
                "masked": record.masked,
                "sketched": record.sketched,
                "box": box_json(Box(*record.boxes[head - 1])) if head else None,
            }

    def forget_pixels(self) -> None:
        """Give the memory of decoded pixels back; they are decoded again when needed."""
        with self.lock:
            self._photo = self._canvas = self._current = self._mask = self._sketch = None

    def photo(self) -> Photo:
        """The photo as it came."""
        with self.lock:
            if self._photo is None:
                self._photo = decode_photo((self.folder / "photo").read_bytes(), self.record.name)
            return self._photo

    def canvas(self) -> Photo:
        """The photo as it came, on its canvas of now: black and opaque beyond its frame."""
        with self.lock:
            if self.shape == (self.record.height, self.record.width):
                return self.photo()
            if self._canvas is None:
                self._canvas, _ = on_canvas(self.photo(), self._extension_after(self.record.head))
            return self._canvas

    def original(self) -> Photo:
        """The photo as it came, on its canvas of now: transparent beyond its frame."""
        with self.lock:
            canvas, photo = self.canvas(), self.photo()
            if canvas is photo:
                return photo
            opaque = 1 if photo.pixels.dtype.kind == "f" else np.iinfo(photo.pixels.dtype).max
            alpha = photo.alpha
            if alpha is None:
                alpha = np.full(photo.pixels.shape[:2], opaque, photo.pixels.dtype)
            return replace(canvas, alpha=on_larger(alpha, self._extension_after(self.record.head)))

    def pixels(self) -> np.ndarray:
        """The photo's pixels with the repairs that count: [height, width, 3]. Do not change them."""
        with self.lock:
            if not self.record.head:
                return self.photo().pixels
            if self._current is None:
                pixels = self.photo().pixels.copy()
                for number in range(self.record.head):
                    pixels = on_larger(pixels, self._extension_of(number))
                    self.edit(number).put(pixels, self.record.chosen[number])
                self._current = pixels
            return self._current

    def result(self) -> Photo:
        """The photo with the repairs that count, and with all that its file held besides pixels."""
        with self.lock:
            return self.canvas().with_pixels(self.pixels().copy())

    def mask(self) -> np.ndarray:
        """bool [height, width], True = to be repaired. Do not change it."""
        with self.lock:
            if self._mask is None:
                path = self.folder / "mask.png"
                data = path.read_bytes() if path.exists() else b""
                found = decode_bits(data)
                if found is None or found.shape != self.shape:
                    found = np.zeros(self.shape, bool)
                self._mask = found
            return self._mask

    def set_mask(self, mask: np.ndarray) -> None:
        """Keep a mask; raises MaskError if it has another size than the photo."""
        if mask.shape != self.shape:
            raise MaskError(
                f"mask must be [height, width] like the photo {self.shape}. Received: mask.shape={mask.shape}"
            )
        with self.lock:
            with atomic_path(self.folder / "mask.png") as temporary:
                temporary.write_bytes(encode_bits(mask))
            self._mask = mask
            self.record.masked = bool(mask.any())
            self._save()

    def sketch(self) -> Sketch:
        """The strokes that repairs are to follow. Do not change them."""
        with self.lock:
            if self._sketch is None:
                self._sketch = Sketch(np.zeros(self.shape, np.uint8), np.zeros((0, 3), np.uint8))
                path = self.folder / "sketch.png"
                if path.exists():
                    found = decode_sketch(path.read_bytes(), "sketch")
                    if found.places.shape == self.shape:
                        self._sketch = found
            return self._sketch

    def set_sketch(self, sketch: Sketch) -> None:
        """Keep strokes; raises ImageError if they have another size than the photo."""
        if sketch.places.shape != self.shape:
            raise ImageError(
                f"sketch must be [height, width] like the photo {self.shape}. Received: {sketch.places.shape}"
            )
        path = self.folder / "sketch.png"
        with self.lock:
            self.record.sketched = bool(sketch.places.any())
            if self.record.sketched:
                with atomic_path(path) as temporary:
                    temporary.write_bytes(encode_sketch(sketch))
            else:
                path.unlink(missing_ok=True)
            self._sketch = sketch
            self._save()

    def edit(self, number: int) -> Edit:
        """A repair, counted from 0."""
        return Edit.load(self.folder / "edits" / f"{number}.npz")

    def add_edit(self, edit: Edit) -> None:
        """A new repair counts from now on; those that were undone are gone, the mask and its strokes are done.

        Raises:
            CancelledError: the photo was closed meanwhile. RequestError: it has another size than
                that which was repaired.
        """
        with self.lock:
            if not self.folder.exists():
                raise CancelledError("the photo was closed")
            record, extension = self.record, edit.extension
            pixels = on_larger(self._writable(), extension)
            if not any(extension):
                # the pixels may have changed while the repair was made
                edit = replace(edit, before=pixels[edit.box.slices][edit.hole])
            mask, sketch = self.mask(), self.sketch()
            edit.save(self.folder / "edits" / f"{record.head}.npz")
            for listed in (record.boxes, record.choices, record.chosen):
                del listed[record.head :]
            for number in [n for n in record.extensions if int(n) >= record.head]:
                del record.extensions[number]
            if any(extension):
                record.extensions[str(record.head)] = list(extension)
            edit.put(pixels, 0)
            self._current = pixels
            record.boxes.append(list(edit.box))
            record.choices.append(len(edit.choices))
            record.chosen.append(0)
            self._moved(record.head + 1)
            todo = ~edit.whole_hole(*self.shape)
            self.set_mask(on_larger(mask, extension) & todo)
            if sketch.places.any():
                places = np.where(todo, on_larger(sketch.places, extension), np.uint8(0))
                self.set_sketch(sketch._replace(places=places))
            else:
                self._sketch = None

    def undo(self) -> Change:
        """Take the last repair back; returns what changed."""
        with self.lock:
            if not self.record.head:
                raise RequestError("there must be a repair to undo. Received: none", 409)
            edit = self.edit(self.record.head - 1)
            mask, sketch = self.mask(), self.sketch()
            self._current = edit.taken_back(self._writable())
            self._moved(self.record.head - 1)
            if any(edit.extension):
                self._refit(on_smaller, edit.extension, mask, sketch)
            smaller = Extension(*(-side for side in edit.extension))
            return Change(edit.box.clipped(*self.shape), smaller)

    def redo(self) -> Change:
        """Bring an undone repair back; returns what changed."""
        with self.lock:
            number = self.record.head
            if number == len(self.record.choices):
                raise RequestError("there must be an undone repair to redo. Received: none", 409)
            edit = self.edit(number)
            mask, sketch = self.mask(), self.sketch()
            self._current = on_larger(self._writable(), edit.extension)
            edit.put(self._current, self.record.chosen[number])
            self._moved(number + 1)
            if any(edit.extension):
                self._refit(on_larger, edit.extension, mask, sketch)
            return Change(edit.box, edit.extension)

    def _refit(
        self,
        fit: Callable[[np.ndarray, Extension], np.ndarray],
        extension: Extension,
        mask: np.ndarray,
        sketch: Sketch,
    ) -> None:
        """What is marked and drawn goes along with a canvas that changes."""
        self.set_mask(fit(mask, extension))
        self.set_sketch(sketch._replace(places=fit(sketch.places, extension)))

    def choose(self, choice: int) -> Change:
        """Let another variant of the last repair count; returns what changed."""
        with self.lock:
            number = self.record.head - 1
            self._check_choice(choice)
            edit = self.edit(number)
            edit.put(self._writable(), choice)
            self.record.chosen[number] = choice
            self._moved(number + 1)
            return Change(edit.box, Extension())

    def with_choice(self, choice: int) -> np.ndarray:
        """The photo's pixels as they would be with another variant of the last repair."""
        with self.lock:
            pixels, number = self.pixels(), self.record.head - 1
            self._check_choice(choice)
            if choice == self.record.chosen[number]:
                return pixels
            changed = pixels.copy()
            self.edit(number).put(changed, choice)
            return changed

    def uncertainty(self) -> np.ndarray:
        """uint8 [height, width], 255 = a standard deviation of half the range, 0 = known."""
        with self.lock:
            uncertainty = np.zeros(self.shape_after(0), np.uint8)
            for number in range(self.record.head):
                edit = self.edit(number)
                uncertainty = on_larger(uncertainty, edit.extension)
                uncertainty[edit.box.slices][edit.hole] = edit.uncertainty
            return uncertainty

    def references(self) -> tuple[np.ndarray, ...]:
        """Pixels of each reference, in the order in which they were added."""
        with self.lock:
            return tuple(self.reference(key).pixels for key in self.record.reference_names)

    def reference(self, key: str) -> Photo:
        """One reference."""
        if key not in self.record.reference_names:
            raise RequestError(f"there is no reference {key}", 404)
        data = (self.folder / "references" / key).read_bytes()
        return decode_photo(data, self.record.reference_names[key])

    def add_reference(self, name: str, data: bytes) -> str:
        """Keep a picture whose texture may be copied; returns its key."""
        open_photo(data, name)
        with self.lock:
            names = self.record.reference_names
            if len(names) >= MAX_REFERENCES:
                raise RequestError(f"a photo must have at most {MAX_REFERENCES} references", 409)
            key = str(max((int(key) for key in names), default=-1) + 1)
            (self.folder / "references" / key).write_bytes(data)
            names[key] = name
            self._save()
            return key

    def remove_reference(self, key: str) -> None:
        """Forget a reference."""
        with self.lock:
            if self.record.reference_names.pop(key, None) is None:
                raise RequestError(f"there is no reference {key}", 404)
            (self.folder / "references" / key).unlink(missing_ok=True)
            self._save()

    def _check_choice(self, choice: int) -> None:
        offered = self.record.choices[self.record.head - 1] if self.record.head else 0
        if not 0 <= choice < offered:
            raise RequestError(f"choice must be from 0 to {offered - 1}. Received: {choice}", 409)

    def _writable(self) -> np.ndarray:
        pixels = self.pixels()
        if self._current is None:
            self._current = pixels.copy()
        return self._current

    def _moved(self, head: int) -> None:
        self.record.head = head
        self.record.version += 1
        self._canvas = None
        if not head:
            self._current = None  # the photo as it came
        self._save()

    def _save(self) -> None:
        self.record.touched = time.time()
        with atomic_path(self.folder / "session.json") as temporary:
            temporary.write_text(json.dumps(asdict(self.record)), encoding="utf-8")
