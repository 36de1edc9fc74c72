"""Pictures, by Pillow."""

import io
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from deepself.dataset.readers.decoded import Decoded, ReadError
from deepself.dataset.readers.decoding import decoding
from deepself.study.dataset import ImageModality

if TYPE_CHECKING:
    from PIL import Image


def read_image(modality: ImageModality, path: Path, content: bytes) -> Decoded:
    """Decode a picture: values in [0, 1], shape (channels, height, width).

    PNG, JPEG, BMP, TIFF, WebP and whatever else Pillow knows, turned upright by its EXIF
    orientation. Colours become grey by ITU-R BT.601's weights. Transparency is left out: a pixel
    has the colour that is stored for it, however transparent. Of several pictures in one file,
    the first counts. 16 bits a channel are read as 8.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError

    with decoding("a picture"):
        try:
            with Image.open(io.BytesIO(content)) as opened:
                upright = ImageOps.exif_transpose(opened)
                mode = "L" if modality.channels == "grey" else "RGB"
                picture = np.asarray(_eight_bit(upright).convert(mode))
        except UnidentifiedImageError:
            raise ReadError("is no picture of a known format") from None
    axes = picture[None] if picture.ndim == 2 else picture.transpose(2, 0, 1)
    return Decoded(np.ascontiguousarray(axes, dtype=np.float32) / 255)


def _eight_bit(picture: "Image.Image") -> "Image.Image":
    """Scale what Pillow would clip: 16-bit grey to 8 bits. Wider values have no known white."""
    from PIL import Image

    if picture.mode.startswith("I;16"):
        wide = np.asarray(picture).astype(np.uint16)
        return Image.fromarray((wide / 257).round().astype(np.uint8))
    if picture.mode in ("I", "F"):
        raise ReadError(f"has values of mode {picture.mode}, whose range is unknown; use 16 bit")
    return picture
