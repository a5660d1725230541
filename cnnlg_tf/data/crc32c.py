"""The checksum of TFRecord files: CRC-32C, masked."""

import google_crc32c


def masked_crc32c(data: bytes) -> int:
    """CRC-32C of `data` in the form that TFRecord files store, where a checksum may itself be checksummed."""
    crc: int = google_crc32c.value(data)
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF
