"""What a file is that is no picture of a format that is read, by its name or by its first bytes."""

import os

from skfer.pictures._formats import EXTENSIONS, FORMATS

_REMEDY = "convert it to JPEG or PNG"
# Endings of pictures that are not read, and what to call them.
_OTHERS = {
    **dict.fromkeys((".heic", ".heics", ".heif", ".heifs", ".hif"), "a HEIC picture"),
    **dict.fromkeys((".avif", ".avifs"), "an AVIF picture"),
    **dict.fromkeys((".arw", ".cr2", ".cr3", ".dng", ".nef", ".nrw"), "a raw picture of a camera"),
    **dict.fromkeys((".orf", ".pef", ".raf", ".rw2", ".srw"), "a raw picture of a camera"),
    **dict.fromkeys((".j2k", ".jp2", ".jpf", ".jpx"), "a JPEG 2000 picture"),
    **dict.fromkeys((".svg", ".svgz"), "an SVG drawing"),
    ".jxl": "a JPEG XL picture",
    ".psd": "a Photoshop picture",
    ".tga": "a Targa picture",
}
_MAGIC = {
    b"PK\x03\x04": "a zip archive, not a picture: unpack it first",
    b"\x1f\x8b": "a gzip archive, not a picture: unpack it first",
    b"%PDF": "a PDF document, not a picture",
    b"<": "a text (HTML or XML), not a picture: was the download refused?",
    b"version https://git-lfs": "a Git LFS pointer, not a picture: run `git lfs pull`",
    b"8BPS": f"{_OTHERS['.psd']}, which is not read: {_REMEDY}",
    b"\xff\x0a": f"{_OTHERS['.jxl']}, which is not read: {_REMEDY}",
    b"\x00\x00\x00\x0cJXL ": f"{_OTHERS['.jxl']}, which is not read: {_REMEDY}",
    b"\x00\x00\x00\x0cjP  ": f"{_OTHERS['.jp2']}, which is not read: {_REMEDY}",
}
# Brands of the container that HEIC, AVIF, videos and some raw pictures share.
_BRANDS = {b"avif": ".avif", b"avis": ".avif", b"crx ": ".cr3"}
_BRANDS |= dict.fromkeys((b"heic", b"heix", b"heim", b"heis", b"hevc", b"mif1", b"msf1"), ".heic")


def unread_kind(name: str | os.PathLike[str]) -> str:
    """Return what is wrong with a picture that is not read, by its ending; "" if it is none."""
    ending = os.path.splitext(os.fspath(name))[1].lower()
    if ending in EXTENSIONS or ending not in _OTHERS:
        return ""
    return f"{_OTHERS[ending]}, which is not read: {_REMEDY}"


def kind_of(start: bytes) -> str:
    """Return what a file is that Pillow does not know, by its first bytes."""
    if not start:
        return "an empty file"
    for magic, kind in _MAGIC.items():
        if start.startswith(magic):
            return kind
    if start[4:8] == b"ftyp":
        return _kind_of_container(start)
    return f"not a picture in a known format ({', '.join(FORMATS)}), or its header is damaged"


def _kind_of_container(start: bytes) -> str:
    # The main brand of an AVIF file may be one that it shares with HEIC.
    present = [ending for brand, ending in _BRANDS.items() if brand in start[8:]]
    if not present:
        return "a video, not a picture: take pictures from it first"
    if present[0] in EXTENSIONS:
        return f"{_OTHERS[present[0]]} that is damaged"
    return f"{_OTHERS[present[0]]}, which is not read: {_REMEDY}"
