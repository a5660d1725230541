"""Write TIFF files: tifffile writes the picture; a directory with all of the photo's tags goes behind.

tifffile writes no EXIF, GPS or Interoperability directory. So the file gets a second main directory,
which has the tags of the first and those of the EXIF block, and to which the header points.
"""

import io
import struct

import numpy as np

from cnnlg_tf.photos import exif, tiff_layout
from cnnlg_tf.photos.photo import Metadata

_XMP, _PHOTOSHOP = 700, 34377
_RESOLUTION = (282, 283, 296)  # of an EXIF block; Metadata.dpi has the file's
_BYTE = 1


def encode(layers: np.ndarray, metadata: Metadata) -> bytes:
    """A deflated TIFF of [height, width, c], grey (c = 1, 2) or RGB (3, 4), uint8, uint16 or float32.

    It has the byte order of the EXIF block, whose values stay the bytes that they were.

    Raises:
        ValueError: the EXIF block is damaged, or the photo takes more than 4 GB.
    """
    import tifffile

    order, directory = exif.parse(metadata.exif) if metadata.exif else ("<", exif.Directory())
    channels = layers.shape[-1]
    buffer = io.BytesIO()
    tifffile.imwrite(
        buffer,
        layers[..., 0] if channels == 1 else layers,
        bigtiff=False,  # whose header is another
        byteorder="<" if order == "<" else ">",
        photometric="minisblack" if channels <= 2 else "rgb",
        planarconfig="contig" if channels > 1 else None,
        extrasamples=["unassalpha"] if channels in (2, 4) else None,
        compression="zlib",
        compressionargs={"level": 2},
        rowsperstrip=max(1, 2**18 // layers[0].nbytes),
        resolution=metadata.dpi,
        resolutionunit="inch" if metadata.dpi else None,
        iccprofile=metadata.icc_profile,
        software=False,
        metadata=None,
    )
    data = bytearray(buffer.getvalue())
    directory = directory.without(tiff_layout.TAGS)
    picture = exif.parse(data)[1].tags
    for number, value in ((_XMP, metadata.xmp), (_PHOTOSHOP, metadata.photoshop)):
        if value:
            picture[number] = exif.Tag(_BYTE, len(value), value)
    if metadata.dpi:
        directory = directory.without(_RESOLUTION)
    else:  # tifffile writes 1 x 1 without a unit
        picture = {number: tag for number, tag in picture.items() if number not in _RESOLUTION}
    data += bytes(len(data) % 2)
    struct.pack_into(order + "L", data, 4, len(data))
    whole = exif.Directory(directory.tags | picture, directory.below)
    return bytes(data + exif.directory_bytes(order, whole, len(data)))
