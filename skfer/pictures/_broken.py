"""Copies and downloads that broke off, of which the file system has made the rest zeros.

libjpeg takes the zeros for pixels. BMP, TIFF and WebP files cannot be told from good ones: what is
of one color may be thousands of zeros there. The others are told by Pillow.
"""

import os
from typing import BinaryIO

_TAIL = 64  # bytes: more zeros than the pixels of a good file end in, should its end be missing
_BLOCK = 2**20
_START, _SCAN, _END = b"\xff\xd8\xff", 0xDA, b"\xff\xd9"


def breaks_off(content: BinaryIO) -> bool:
    """Return whether the pixels of a JPEG file end in zeros that are none of them."""
    place = content.tell()
    # Good files may end in zeros too, behind the pixels; others are read no further.
    broken = _ends_in_zeros(content) and _is_jpeg(content) and not _has_end(content)
    content.seek(place)
    return broken


def _ends_in_zeros(content: BinaryIO) -> bool:
    content.seek(max(content.seek(0, os.SEEK_END) - _TAIL, 0))
    return not content.read().strip(b"\0")


def _is_jpeg(content: BinaryIO) -> bool:
    content.seek(0)
    return content.read(len(_START)) == _START


def _has_end(content: BinaryIO) -> bool:
    """Return whether an end marker follows the head, which may have a small picture with its own.

    Among pixels it cannot be. Behind it there may be anything, such as a video.
    """
    at = 2
    while True:
        content.seek(at)
        segment = content.read(4)
        if len(segment) < 4 or segment[0] != 0xFF or segment[1] == _SCAN:
            break
        at += 1 if segment[1] == 0xFF else 2 + int.from_bytes(segment[2:], "big")
    content.seek(at)
    last = b""
    while block := content.read(_BLOCK):
        if _END in last + block:
            return True
        last = block[-1:]
    return False
