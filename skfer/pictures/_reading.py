"""One picture file to one array: whatever its mode, depth, transparency or orientation."""

import io
import os

import numpy as np
from PIL import Image, UnidentifiedImageError, features

# Naming the formats keeps Pillow from handing a stranger's file to its rarer readers
# (one of which starts an external program).
FORMATS: tuple[str, ...] = ("JPEG", "PNG", "BMP", "GIF", "PPM", "TIFF")
if features.check("webp"):  # a build option of Pillow
    FORMATS += ("WEBP",)
# fmt: off
EXTENSIONS = (
    ".bmp", ".gif", ".jfif", ".jpe", ".jpeg", ".jpg", ".mpo", ".pbm", ".pgm", ".png", ".pnm",
    ".ppm", ".tif", ".tiff", ".webp",
)
# fmt: on

_MODES = {True: "RGB", False: "L"}
_GRAY = ("1", "L", "LA", "La", "F")
_ORIENTATION = 0x0112
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_MAX_PIXELS = 89_478_485  # Pillow's own limit, which a program may have switched off
_MOST_IN_MEMORY = 2**24
_MAGIC = {
    b"PK\x03\x04": "a zip archive, not a picture: unpack it first",
    b"\x1f\x8b": "a gzip archive, not a picture: unpack it first",
    b"%PDF": "a PDF document, not a picture",
    b"<": "a text (HTML or XML), not a picture: was the download refused?",
    b"version https://git-lfs": "a Git LFS pointer, not a picture: run `git lfs pull`",
}


class PictureError(ValueError):
    """A file that cannot be used as a picture; the message says why in a few words."""


def read_file(
    path: str | os.PathLike[str], size: tuple[int, int] | None = None, color: bool | None = False
) -> np.ndarray:
    """Return `read_picture(...)`; raise `PictureError` whatever the file's fault."""
    try:
        return read_picture(path, size, color)
    except MemoryError:
        raise
    except Exception as error:  # a damaged file may raise anything from within Pillow
        raise PictureError(_why_unreadable(path, error)) from error


def read_picture(
    path: str | os.PathLike[str], size: tuple[int, int] | None = None, color: bool | None = False
) -> np.ndarray:
    """Return the picture in a file as (h, w) or (h, w, 3) uint8; `size` is (h, w).

    `color` None keeps what the file has.
    """
    with Image.open(_source(path), formats=FORMATS) as picture:
        _refuse_bomb(picture)
        if picture.format == "JPEG":
            # libjpeg shrinks by 2, 4 or 8 while it decodes, at a fraction of the time. The
            # side is the longer one: whether to swap them (EXIF) is not known yet.
            side = (max(size), max(size)) if size else None
            picture.draft(None if color is None else _MODES[color], side)
        upright = _upright(picture)
        upright.load()
        plain = plain_picture(upright, color)
        if size is not None and plain.size != (size[1], size[0]):
            plain = plain.resize((size[1], size[0]), Image.Resampling.BILINEAR)
        return np.asarray(plain)


def _why_unreadable(path: str | os.PathLike[str], error: Exception) -> str:
    """Say in a few words why `read_picture` raised `error`."""
    if isinstance(error, FileNotFoundError):
        return "no such file"
    if isinstance(error, IsADirectoryError):
        return "a folder, not a file"
    if isinstance(error, Image.DecompressionBombError | Image.DecompressionBombWarning):
        return f"a decompression bomb: more than {_MAX_PIXELS} pixels"
    if isinstance(error, UnidentifiedImageError):
        return _kind(path)
    if isinstance(error, OSError) and "truncated" in str(error).lower():
        return f"a truncated picture ({error})"
    return f"{error}" if isinstance(error, PictureError) else f"unreadable ({error!r})"


def _source(path: str | os.PathLike[str]) -> str | os.PathLike[str] | io.BytesIO:
    """Return the content of a file, which Pillow reads faster than the file, unless it is large."""
    with open(path, "rb", buffering=0) as file:
        if os.fstat(file.fileno()).st_size > _MOST_IN_MEMORY:
            return path
        return io.BytesIO(file.readall())


def _kind(path: str | os.PathLike[str]) -> str:
    with open(path, "rb") as file:
        start = file.read(32)
    if not start:
        return "an empty file"
    for magic, kind in _MAGIC.items():
        if start.startswith(magic):
            return kind
    return f"not a picture in a known format ({', '.join(FORMATS)}), or its header is damaged"


def _refuse_bomb(picture: Image.Image) -> None:
    limit = Image.MAX_IMAGE_PIXELS or _MAX_PIXELS
    if picture.width * picture.height > limit:
        raise Image.DecompressionBombError(f"{picture.width} x {picture.height} pixels")


def _upright(picture: Image.Image) -> Image.Image:
    """Turn the picture as its EXIF orientation says."""
    method = _UPRIGHT.get(picture.getexif().get(_ORIENTATION, 1))
    return picture if method is None else picture.transpose(method)


def plain_picture(picture: Image.Image, color: bool | None) -> Image.Image:
    """Bring any mode to 8-bit gray or RGB; what is transparent becomes black.

    `color` None keeps gray gray and makes everything else RGB.
    """
    if color is None:
        color = not (picture.mode in _GRAY or picture.mode.startswith("I"))
    if picture.mode.startswith("I"):
        picture = _from_sixteen_bits(picture)
    elif picture.mode == "F":
        raise PictureError("floating-point pixels of unknown range: save it with 8 or 16 bits")
    if "transparency" in picture.info or picture.getbands()[-1] in ("A", "a"):
        seen = picture.convert("RGBA")
        black = Image.new("RGBA", seen.size, (0, 0, 0, 255))
        picture = Image.alpha_composite(black, seen)
    mode = _MODES[color]
    return picture if picture.mode == mode else picture.convert(mode)


def _from_sixteen_bits(picture: Image.Image) -> Image.Image:
    """Keep the upper 8 of 16 bits (older Pillow opens 16-bit gray as 32-bit integers)."""
    values = np.asarray(picture)
    if values.min() < 0 or values.max() > 0xFFFF:
        raise PictureError("pixels of more than 16 bits: save it with 8 or 16 bits")
    return Image.fromarray((values >> 8).astype(np.uint8))
