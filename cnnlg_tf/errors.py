"""Every error that cnnlg-tf raises on purpose; `except CnnlgError` catches them all.

A message says what was expected, then what came, and names the thing: the CLI prints it as it is.
"""


class CnnlgError(Exception):
    """Base class of every error raised on purpose by this package."""


class ConfigError(CnnlgError):
    """A configuration has an unknown key or a value out of range."""


class ImageError(CnnlgError):
    """A photo cannot be read, has an unusable size, or cannot be written."""


class MaskError(CnnlgError):
    """A mask cannot be read or does not belong to its photo."""


class CancelledError(CnnlgError):
    """Whoever asked for a repair said that it is no longer wanted."""


class DataError(CnnlgError):
    """A data set is empty or none of its images can be read."""


class CheckpointError(CnnlgError):
    """A checkpoint is missing, damaged, or of another version or architecture."""


class TrainingError(CnnlgError):
    """Training stopped because it cannot go on (a loss that is not finite, say)."""


class ExportError(CnnlgError):
    """A model cannot be exported, or its export fails the parity check."""


class ArtefactError(CnnlgError):
    """An exported artefact is missing, truncated or altered."""


class MissingExtraError(CnnlgError):
    """An optional dependency is needed; the message holds the pip line that installs it."""


class ServingError(CnnlgError):
    """A server cannot start, or a request failed.

    `code` is the gRPC status name (`"NOT_FOUND"`, `"UNAVAILABLE"`, ...) or "" when there is none.
    """

    def __init__(self, message: str, code: str = "") -> None:
        super().__init__(message)
        self.code = code
