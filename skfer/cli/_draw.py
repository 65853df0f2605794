"""Pictures with what was found in them: boxes and expressions."""

import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from importlib.util import find_spec
from itertools import groupby
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFont

from skfer._replacing import replaced
from skfer.cli._pictures import NO_FACE
from skfer.exceptions import warn_caller
from skfer.pictures import read_picture

_COLOR, _INK = (255, 200, 0), (0, 0, 0)
_LEAST_SIDE = 256  # smaller pictures are enlarged, so that words can be read
_LEAST_HEIGHT = 12  # pixels of a word
_LINES = 28  # words of the largest size stand below each other in a picture
_SHARE = 6  # letters as high as this part of a face's width make words about as wide as the face
_MARGIN = 2  # pixels around a word
_QUALITY = 90
_MARK = b"drawn by skfer"  # a comment in each drawing: no other picture is replaced by one
_HEAD = 4096  # bytes of a file: the comment is among the first
_TOLD = 20  # characters that no font has

_Box = Sequence[float]  # left, upper, right, lower


def drawing_places(rows: Sequence[dict[str, Any]], folder: Path) -> dict[str, Path]:
    """Return where each picture that could be read is to be drawn, by its name.

    Parameters
    ----------
    rows : sequence of dict
        Those of ``skfer predict``.
    folder : Path
        A picture "x.png" becomes "x.jpg" there, and a second one of this name "x-2.jpg". So does
        the first where "x.jpg" is there already and was not drawn by skfer.
    """
    taken = {os.path.realpath(row["file"]) for row in rows}
    places: dict[str, Path] = {}
    for row in rows:
        name, is_unread = row["file"], row["face"] < 0 and row["error"] != NO_FACE
        if is_unread or name in places:
            continue
        wanted = (folder / f"{word}.jpg" for word in _names(Path(name).stem))
        places[name] = next(path for path in wanted if _is_free(path, taken))
        taken.add(os.path.realpath(places[name]))
    return places


def _is_free(path: Path, taken: Collection[str]) -> bool:
    if os.path.realpath(path) in taken:
        return False
    return not path.exists() or (path.is_file() and _is_drawing(path))


def _is_drawing(path: Path) -> bool:
    try:
        with open(path, "rb") as file:
            return _MARK in file.read(_HEAD)
    except OSError:
        return False


def draw_faces(rows: Sequence[dict[str, Any]], places: Mapping[str, Path]) -> None:
    """Write each picture that has a place, with a box and a word for each face.

    Parameters
    ----------
    rows : sequence of dict
        Those of ``skfer predict``; the faces of one picture follow each other.
    places : mapping of str to Path
        From :func:`drawing_places`.
    """
    own_font = _font_of("".join(row["label"] or "" for row in rows))
    for name, faces in groupby(rows, key=lambda row: row["file"]):
        if name not in places:
            continue
        found = [face for face in faces if face["error"] is None]
        picture = _drawn(Image.fromarray(read_picture(name, None, True)), found, own_font)
        with replaced(places[name]) as temporary:
            picture.save(temporary, "JPEG", quality=_QUALITY, comment=_MARK)


def _names(stem: str) -> Iterator[str]:
    yield stem
    number = 2
    while True:
        yield f"{stem}-{number}"
        number += 1


def _drawn(
    picture: Image.Image, faces: Sequence[dict[str, Any]], font: str | None = None
) -> Image.Image:
    factor = max(1, -(-_LEAST_SIDE // min(picture.size)))
    picture = picture.resize((picture.width * factor, picture.height * factor))
    draw = ImageDraw.Draw(picture)
    boxes = [[edge * factor for edge in face["box"] or ()] for face in faces]
    for box in filter(None, boxes):
        draw.rectangle(box, outline=_COLOR, width=max(2, _height(box, picture) // 6))
    words: list[_Box] = []
    for face, box in zip(faces, boxes, strict=True):  # over all boxes, whose lines cut no word
        letters = _letters(font, _height(box, picture))
        word = _fitting(face, letters, picture.width - 4 * _MARGIN)
        size = _size(word, letters)
        places = list(_places(box, size, picture))
        plate = min(places, key=lambda place: (_covered(place, words), _covered(place, boxes)))
        words.append(plate)
        draw.rectangle(plate, _COLOR)
        left = letters.getbbox(word)[0]
        draw.text((plate[0] + _MARGIN - left, plate[1] + _MARGIN), word, _INK, letters)
    return picture


def _height(box: _Box, picture: Image.Image) -> int:
    """Return the size of a word in pixels: that of its face, since there may be many of them."""
    most = max(_LEAST_HEIGHT, min(picture.size) // _LINES)
    if not box:
        return most
    return int(min(most, max(_LEAST_HEIGHT, (box[2] - box[0]) / _SHARE)))


def _fitting(face: dict[str, Any], letters: Any, room: float) -> str:
    """Return what is said of a face, with a label that is cut where the picture is too narrow."""
    label = " ".join(face["label"].split())
    sure = "" if face["probability"] is None else f" {face['probability']:.2f}"
    if letters.getlength(label + sure) <= room:
        return label + sure
    n = len(label) - 1
    while n > 1 and letters.getlength(f"{label[:n]}...{sure}") > room:
        n -= 1
    return f"{label[:n]}...{sure}"


def _size(word: str, letters: Any) -> tuple[float, float]:
    """Return width and height of a word with the space around it, one height for all words."""
    left, _, right, _ = letters.getbbox(word)
    return right - left + 2 * _MARGIN, sum(letters.getmetrics()) + 2 * _MARGIN


def _places(box: _Box, size: tuple[float, float], picture: Image.Image) -> Iterator[_Box]:
    """Yield where a word may stand in the picture, the best first: over its face, below, inside."""
    width, height = size
    last = max(picture.height - 1 - height, 0)
    if not box:  # the picture is a face: at its foot
        yield (0, last, width, last + height)
        return
    left, upper, right, lower = box
    tops = [top for top in (upper - height - 1, lower + 1) if 0 <= top <= last]
    for top in (*tops, upper + 1, lower - 1 - height):
        for start in (left, right - width):
            x = min(max(start, 0), max(picture.width - 1 - width, 0))
            y = min(max(top, 0), last)
            yield (x, y, x + width, y + height)


def _covered(place: _Box, others: Iterable[_Box]) -> float:
    """Return how many pixels of others lie below a place."""
    return sum(
        max(0, min(place[2], other[2]) - max(place[0], other[0]))
        * max(0, min(place[3], other[3]) - max(place[1], other[1]))
        for other in others
        if other
    )


def _letters(font: str | None, height: int) -> Any:
    return ImageFont.load_default(height) if font is None else ImageFont.truetype(font, height)


def _font_of(text: str) -> str | None:
    """Return the file of a font that has all characters of a text, None for Pillow's own.

    Pillow's own has those of English; others are looked for in the fonts that matplotlib is set
    to, if it is installed. A warning tells those that are in none.
    """
    lacking = {font: _lacking(text, font) for font in (None, *_set_fonts(text))}
    best = min(lacking, key=lambda font: len(lacking[font]))
    if lacking[best]:
        warn_caller(
            f"no font at hand has the characters {lacking[best][:_TOLD]}: set font.family of "
            "matplotlib (in its file matplotlibrc) to one that has them."
        )
    return best


def _set_fonts(text: str) -> list[str]:
    """Return the files of the fonts that matplotlib is set to, if there may be need of them."""
    if not _lacking(text, None) or find_spec("matplotlib") is None:
        return []
    from skfer.inspection._fonts import font_files

    return font_files()


def _lacking(text: str, font: str | None) -> str:
    """Return the characters of a text that a font draws as the sign of those that it lacks."""
    letters = _letters(font, _LEAST_HEIGHT)
    sign = bytes(letters.getmask("\U0010ffff"))
    drawn = (c for c in dict.fromkeys(text) if not c.isspace())
    return "".join(c for c in drawn if bytes(letters.getmask(c)) == sign)
