"""Any picture of Pillow to 8-bit gray or RGB as a person sees it: depth, transparency, upright."""

import numpy as np
from PIL import Image, ImageFile

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
_TIFF_BITS, _TIFF_PHOTOMETRIC = 258, 262
_PNG_BITS = {"L;2": 2, "L;4": 4, "I;16B": 16, "RGB;16B": 16}  # by what Pillow calls them


class PictureError(ValueError):
    """A file that cannot be used as a picture; the message says why in a few words.

    `may_pass` is true where the environment is at fault, not the file: no permission, say.
    """

    may_pass = False


def plain_picture(picture: Image.Image, color: bool | None) -> Image.Image:
    """Bring any mode to 8-bit gray or RGB, upright; what is transparent becomes black.

    `color` None keeps gray gray and makes everything else RGB.
    """
    bits, inverted = _stored(picture)
    picture.load()
    # Not before it is loaded: a TIFF file is turned by Pillow then, which also takes the mark off.
    picture = _upright(picture)
    if picture.mode.startswith("I"):
        picture = _from_deep_gray(picture, bits, inverted)
    elif picture.mode == "F":
        raise PictureError("floating-point pixels of unknown range: save it with 8 or 16 bits")
    elif picture.mode == "LAB":
        picture = picture.convert("RGB")  # Pillow has no direct way to gray
    if color is None:
        color = picture.mode not in _GRAY
    if "transparency" in picture.info or picture.getbands()[-1] in ("A", "a"):
        picture = _on_black(picture, bits)
    mode = _MODES[color]
    return picture if picture.mode == mode else picture.convert(mode)


def _stored(picture: Image.Image) -> tuple[int | None, bool]:
    """Return the bits of a sample in the file, if they are known, and whether 0 means white.

    Pillow gives 12 and 16 bits as they are stored, and the transparent gray of a PNG file too.
    """
    if isinstance(picture, ImageFile.ImageFile):
        if picture.format == "TIFF":
            tags = getattr(picture, "tag_v2", {})
            return max(tags.get(_TIFF_BITS, (1,))), tags.get(_TIFF_PHOTOMETRIC) == 0
        if picture.format == "PNG" and picture.tile:
            return _PNG_BITS.get(str(picture.tile[0][3])), False
    return (16 if picture.mode.startswith("I;16") else None), False


def _upright(picture: Image.Image) -> Image.Image:
    """Turn the picture as its EXIF orientation says."""
    method = _UPRIGHT.get(picture.getexif().get(_ORIENTATION, 1))
    return picture if method is None else picture.transpose(method)


def _from_deep_gray(picture: Image.Image, bits: int | None, inverted: bool) -> Image.Image:
    """Keep the upper 8 bits of gray with more of them.

    32 bits say nothing about the range that is used: one up to 255 is taken for 8 bits.
    """
    values = np.asarray(picture)
    highest = int(values.max())
    if values.min() < 0 or highest > 0xFFFF:
        raise PictureError("pixels of more than 16 bits: save it with 8 or 16 bits")
    if picture.format == "PPM":  # spread over 16 bits by Pillow
        bits = 16
    elif bits is None or bits > 16:
        bits = 8 if highest <= 0xFF else 16
    gray = (values >> (bits - 8)).astype(np.uint8)
    if inverted:
        gray = 255 - gray
    key = picture.info.get("transparency")
    if key is not None:
        gray = np.where(values == key, np.uint8(0), gray)
    return Image.fromarray(gray)


def _on_black(picture: Image.Image, bits: int | None) -> Image.Image:
    key = picture.info.get("transparency")
    if picture.mode == "1":  # of which some versions of Pillow give the key as 1, some as 255
        picture = picture.copy()
        picture.info["transparency"] = 255 if key else 0
    elif picture.mode == "L" and bits in (2, 4):  # Pillow spreads the pixels over 0..255 only
        picture = picture.copy()
        picture.info["transparency"] = key * (255 // (2**bits - 1))
    elif picture.mode == "RGB" and isinstance(key, tuple) and max(key) > 0xFF:
        picture = picture.copy()  # of 16 bits, of which Pillow keeps the upper 8 of the pixels only
        picture.info["transparency"] = tuple(value >> 8 for value in key)
    if picture.mode == "La":  # Pillow has no direct way
        picture = picture.convert("LA")
    seen = picture.convert("RGBA")
    black = Image.new("RGBA", seen.size, (0, 0, 0, 255))
    return Image.alpha_composite(black, seen)
