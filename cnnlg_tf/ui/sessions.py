"""A photo that is being repaired on the page, kept in a folder so that no reload or crash loses its mask.

session.json    name, source, size, which repairs count
photo           the file as it came, byte for byte
mask.png        one bit a pixel
edits/0.npz     a repair each, in order
references/0    pictures whose texture may be copied
"""

import json
import threading
import time
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np

from cnnlg_tf.errors import CancelledError, MaskError
from cnnlg_tf.files import atomic_path
from cnnlg_tf.inference.windows import Box
from cnnlg_tf.photos import Photo, decode_photo
from cnnlg_tf.ui.bits import decode_bits, encode_bits
from cnnlg_tf.ui.edits import Edit
from cnnlg_tf.ui.limits import MAX_REFERENCES, RequestError
from cnnlg_tf.ui.saving import form_of, open_photo


def box_json(box: Box) -> list[int]:
    """[left, top, width, height], as the page counts."""
    return [box.left, box.top, box.right - box.left, box.bottom - box.top]


@dataclass
class Record:
    """What session.json holds.

    Attributes:
        form: the format that it is saved in by default.
        source: the photo's path, if it was opened from this machine's files.
        boxes, choices, chosen: of each edit, where it lies, how many repairs it offers and which
            one counts.
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
    head: int = 0
    version: int = 0
    masked: bool = False
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
        self._current: np.ndarray | None = None
        self._mask: np.ndarray | None = None

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
        """Height and width."""
        return self.record.height, self.record.width

    @property
    def is_untouched(self) -> bool:
        """Whether nothing would be lost if the session were removed."""
        return not (self.record.masked or self.record.choices)

    @property
    def decoded_pixels(self) -> int:
        """How many pixels the session holds in memory."""
        height, width = self.shape
        return height * width * ((self._photo is not None) + (self._current is not None))

    def state(self) -> dict[str, object]:
        """Where the history of repairs stands, as the page counts: boxes are left, top, width, height."""
        with self.lock:
            record, head = self.record, self.record.head
            return {
                "version": record.version,
                "repairs": head,
                "undone": len(record.choices) - head,
                "choices": record.choices[head - 1] if head else 0,
                "chosen": record.chosen[head - 1] if head else 0,
                "masked": record.masked,
                "box": box_json(Box(*record.boxes[head - 1])) if head else None,
            }

    def forget_pixels(self) -> None:
        """Give the memory of decoded pixels back; they are decoded again when needed."""
        with self.lock:
            self._photo = self._current = self._mask = None

    def photo(self) -> Photo:
        """The photo as it came."""
        with self.lock:
            if self._photo is None:
                self._photo = decode_photo((self.folder / "photo").read_bytes(), self.record.name)
            return self._photo

    def pixels(self) -> np.ndarray:
        """The photo's pixels with the repairs that count: [height, width, 3]. Do not change them."""
        with self.lock:
            if not self.record.head:
                return self.photo().pixels
            if self._current is None:
                self._current = self.photo().pixels.copy()
                for number in range(self.record.head):
                    self.edit(number).put(self._current, self.record.chosen[number])
            return self._current

    def result(self) -> Photo:
        """The photo with the repairs that count, and with all that its file held besides pixels."""
        with self.lock:
            return self.photo().with_pixels(self.pixels().copy())

    def mask(self) -> np.ndarray:
        """bool [height, width], True = to be repaired. Do not change it."""
        with self.lock:
            if self._mask is None:
                path = self.folder / "mask.png"
                data = path.read_bytes() if path.exists() else b""
                found = decode_bits(data)
                self._mask = np.zeros(self.shape, bool) if found is None else found
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

    def edit(self, number: int) -> Edit:
        """A repair, counted from 0."""
        return Edit.load(self.folder / "edits" / f"{number}.npz")

    def add_edit(self, edit: Edit) -> None:
        """A new repair counts from now on; those that were undone are gone, and the mask is done.

        Raises:
            CancelledError: the photo was closed meanwhile.
        """
        with self.lock:
            if not self.folder.exists():
                raise CancelledError("the photo was closed")
            record = self.record
            # the pixels may have changed while the repair was made
            edit = replace(edit, before=self.pixels()[edit.box.slices][edit.hole])
            edit.save(self.folder / "edits" / f"{record.head}.npz")
            for listed in (record.boxes, record.choices, record.chosen):
                del listed[record.head :]
            edit.put(self._writable(), 0)
            record.boxes.append(list(edit.box))
            record.choices.append(len(edit.choices))
            record.chosen.append(0)
            self._moved(record.head + 1)
            self.set_mask(self.mask() & ~edit.whole_hole(*self.shape))

    def undo(self) -> Box:
        """Take the last repair back; returns the part of the photo that changed."""
        with self.lock:
            if not self.record.head:
                raise RequestError("there must be a repair to undo. Received: none", 409)
            edit = self.edit(self.record.head - 1)
            edit.take_back(self._writable())
            self._moved(self.record.head - 1)
            return edit.box

    def redo(self) -> Box:
        """Bring an undone repair back; returns the part of the photo that changed."""
        with self.lock:
            number = self.record.head
            if number == len(self.record.choices):
                raise RequestError("there must be an undone repair to redo. Received: none", 409)
            edit = self.edit(number)
            edit.put(self._writable(), self.record.chosen[number])
            self._moved(number + 1)
            return edit.box

    def choose(self, choice: int) -> Box:
        """Let another variant of the last repair count; returns the part that changed."""
        with self.lock:
            number = self.record.head - 1
            self._check_choice(choice)
            edit = self.edit(number)
            edit.put(self._writable(), choice)
            self.record.chosen[number] = choice
            self._moved(number + 1)
            return edit.box

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
            spread = np.zeros(self.shape, np.uint8)
            for number in range(self.record.head):
                edit = self.edit(number)
                spread[edit.box.slices][edit.hole] = edit.uncertainty
            return spread

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
        if not head:
            self._current = None  # the photo as it came
        self._save()

    def _save(self) -> None:
        self.record.touched = time.time()
        with atomic_path(self.folder / "session.json") as temporary:
            temporary.write_text(json.dumps(asdict(self.record)), encoding="utf-8")
