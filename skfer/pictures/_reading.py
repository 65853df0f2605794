"""One picture to one array, the same whether it comes as a file, from Pillow or as an array."""

import contextlib
import io
import os
import struct
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageFile, JpegImagePlugin, UnidentifiedImageError

from skfer.pictures._broken import breaks_off
from skfer.pictures._files import fault_of, may_pass, open_regular
from skfer.pictures._foreign import kind_of
from skfer.pictures._formats import FORMATS
from skfer.pictures._upright import PictureError, plain_picture

PATH = (str, bytes, os.PathLike)
PICTURE = (*PATH, Image.Image)  # what is decoded; arrays are pictures already
_MAX_PIXELS = 89_478_485  # Pillow's own limit, which a program may have switched off
_MOST_IN_MEMORY = 2**24
# A JPEG file that shrinks by less is decoded whole: shrinking it meanwhile would change pixels
# by more than one or two levels, and smaller ones decode quickly anyway.
_LEAST_SHRINK = 4
Picture = str | bytes | os.PathLike[str] | Image.Image | np.ndarray


def read_picture(
    source: Picture, size: tuple[int, int] | None = None, color: bool | None = False
) -> np.ndarray:
    """Return a picture as (h, w) or (h, w, 3) uint8; raise `PictureError` whatever its fault.

    `source` is a path, a picture of Pillow in any mode, or a uint8 array; `size` is (h, w).
    `color` None keeps gray gray and makes everything else RGB.
    """
    try:
        if isinstance(source, np.ndarray):
            return _finish(from_array(source), size, color)
        if isinstance(source, Image.Image):
            return _finish(_anew(source, size, color), size, color)
        with _opened(source) as picture:
            stored = picture.size
            _shrink(picture, size, color)
            _refuse_bomb(picture, stored)
            return _finish(picture, size, color)
    except (MemoryError, PictureError):
        raise
    except Exception as error:  # a damaged file may raise anything from within Pillow
        fault = PictureError(_why_unreadable(source, error))
        fault.may_pass = may_pass(error)
        raise fault from error


def sides_of(source: Picture) -> tuple[int, int] | None:
    """Return the shorter and the longer side in pixels; None of what cannot be read."""
    if isinstance(source, np.ndarray):
        sides = source.shape[:2]
    elif isinstance(source, Image.Image):
        sides = source.size
    else:
        try:
            with (
                io.BufferedReader(open_regular(os.fsdecode(source))) as file,
                _open(file) as picture,
            ):
                sides = picture.size
        except Exception:  # of a damaged head anything; what is wrong is told when it is read
            return None
    return min(sides), max(sides)


def from_array(pixels: np.ndarray) -> Image.Image:
    """Return a uint8 array of shape (h, w), (h, w, 1) or (h, w, 3) as a picture of Pillow."""
    if pixels.dtype.kind in "US":
        raise PictureError(
            "image must be an array of pixels or a picture of Pillow, got text: read a file by "
            "PIL.Image.open."
        )
    if pixels.dtype != np.uint8:
        raise PictureError(
            f"image must be uint8, got {pixels.dtype}: scale to 0..255 and use astype('uint8')."
        )
    if pixels.ndim not in (2, 3) or pixels.shape[2:] not in ((), (1,), (3,)) or not pixels.size:
        channels_first = pixels.ndim == 3 and pixels.shape[0] in (1, 3, 4)
        remedy = " Move the channels last: np.moveaxis(image, 0, -1)." if channels_first else ""
        raise PictureError(
            "image must have shape (height, width) or (height, width, 1 or 3) and be non-empty, "
            f"got {pixels.shape}.{remedy}"
        )
    plane = pixels[..., 0] if pixels.shape[2:] == (1,) else pixels
    return Image.fromarray(np.ascontiguousarray(plane))


def resize(picture: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Bring a picture to (h, w) pixels; the only way in which whole pictures are resized."""
    width_height = (size[1], size[0])
    if picture.size == width_height:
        return picture
    return picture.resize(width_height, Image.Resampling.BILINEAR)


def _finish(picture: Image.Image, size: tuple[int, int] | None, color: bool | None) -> np.ndarray:
    plain = plain_picture(picture, color)
    return np.asarray(plain if size is None else resize(plain, size))


def _shrink(picture: Image.Image, size: tuple[int, int] | None, color: bool | None) -> None:
    """Let libjpeg shrink by 2, 4 or 8 while it decodes, at a fraction of the time."""
    if size is not None and min(picture.size) >= _LEAST_SHRINK * max(size):
        # The side is the longer one: whether to swap them (EXIF) is not known yet.
        side = _LEAST_SHRINK // 2 * max(size)
        picture.draft("L" if color is False else None, (side, side))


@contextlib.contextmanager
def _opened(path: str | bytes | os.PathLike[str]) -> Iterator[Image.Image]:
    """Yield the picture in a file, of which Pillow reads the content faster than the file."""
    with open_regular(os.fsdecode(path)) as file:
        is_large = os.fstat(file.fileno()).st_size > _MOST_IN_MEMORY
        content = io.BufferedReader(file) if is_large else io.BytesIO(file.readall())
        with _open(content) as picture:
            if breaks_off(content):
                raise PictureError(
                    "a picture that breaks off: its end is zeros. Copy or download it again"
                )
            yield picture


def _open(content: BinaryIO) -> Image.Image:
    """Open what may be a picture; a JPEG file of any size, as it may be shrunk meanwhile."""
    is_jpeg = content.read(3) == b"\xff\xd8\xff"
    content.seek(0)
    if is_jpeg:
        # Image.open would warn of many pixels, or refuse them, and else do this alone.
        with contextlib.suppress(SyntaxError, IndexError, TypeError, struct.error):
            return JpegImagePlugin.jpeg_factory(content, "")
        content.seek(0)
    return Image.open(content, formats=FORMATS)


def _anew(picture: Image.Image, size: tuple[int, int] | None, color: bool | None) -> Image.Image:
    """Open a JPEG or TIFF file again that was opened but not yet read.

    A JPEG file is shrunk as files are, and the caller's own would stay small. A TIFF file opened
    by its name is mapped by Pillow, and turned ones come out scrambled then.
    """
    if picture.format not in ("JPEG", "TIFF") or not isinstance(picture, ImageFile.ImageFile):
        return picture
    if not picture.tile or picture.fp is None or picture.tell() > 0:  # read, closed, a later frame
        return picture
    fresh = Image.open(picture.fp, formats=(picture.format,))
    _shrink(fresh, size, color)
    return fresh


def _why_unreadable(source: Picture, error: Exception) -> str:
    """Say in a few words why a picture could not be read."""
    if isinstance(error, Image.DecompressionBombError | Image.DecompressionBombWarning):
        return (
            f"a decompression bomb: more than {_pixel_limit()} pixels. If it is a good picture, "
            "make it smaller, or set PIL.Image.MAX_IMAGE_PIXELS to more"
        )
    if isinstance(error, UnidentifiedImageError) and isinstance(source, PATH):
        return _kind(source)
    if isinstance(error, OSError) and error.errno is not None:
        return fault_of(error)
    if isinstance(error, OSError) and "truncated" in str(error).lower():
        return f"a truncated picture ({error})"
    return f"unreadable ({error!r:.200})"


def _kind(path: str | bytes | os.PathLike[str]) -> str:
    with open_regular(os.fsdecode(path)) as file:
        start = file.read(32)
    return kind_of(start)


def _refuse_bomb(picture: Image.Image, stored: tuple[int, int]) -> None:
    """Refuse to decode too many pixels, however many the file stores."""
    # libjpeg keeps a progressive file in memory before it shrinks it.
    width, height = stored if picture.info.get("progressive") else picture.size
    if width * height > _pixel_limit():
        raise Image.DecompressionBombError(f"{width} x {height} pixels")


def _pixel_limit() -> int:
    return Image.MAX_IMAGE_PIXELS or _MAX_PIXELS
