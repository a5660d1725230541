"""How much the page takes, and what it says when more comes."""

from cnnlg_tf.errors import CnnlgError

MAX_PIXELS = 64_000_000  # of a photo; the page is tested up to 50 megapixels
MAX_UPLOAD = 512 * 2**20  # bytes of one request's body
MAX_SESSIONS = 64  # photos that hold work; untouched ones make room by themselves
MAX_VARIANTS = 8
MAX_REFERENCES = 8
MAX_DECODED_PIXELS = 160_000_000  # of photos that stay decoded in memory between requests


class RequestError(CnnlgError):
    """A request that the page refuses; `status` is the HTTP status of the answer."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


def check_pixels(width: int, height: int, name: str) -> None:
    """Raises RequestError if a photo is too large for the page."""
    if width * height > MAX_PIXELS:
        raise RequestError(
            f"photo {name} must have at most {MAX_PIXELS // 10**6} megapixels on the page. "
            f"Received: {width} x {height} (`cnnlg-tf inpaint` takes more)",
            413,
        )
