"""Pictures with what was found in them: boxes and expressions."""

import os
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFont

from skfer.cli._pictures import NO_FACE
from skfer.pictures import read_picture

_COLOR, _INK = (255, 200, 0), (0, 0, 0)
_LEAST_SIDE = 256  # smaller pictures are enlarged, so that words can be read
_LINES = 28  # words of this size stand below each other in a picture
_QUALITY = 90


def draw_faces(rows: Sequence[dict[str, Any]], folder: Path) -> int:
    """Write each picture that could be read, with a box and a word for each face.

    Parameters
    ----------
    rows : sequence of dict
        Those of ``skfer predict``; the faces of one picture follow each other.
    folder : Path
        Created if it does not exist. A picture "x.png" becomes "x.jpg", and a second one of this
        name "x-2.jpg", or the first if "x.jpg" is itself among the pictures.

    Returns
    -------
    int
        How many pictures were written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    taken = {os.path.realpath(row["file"]) for row in rows}
    n_drawn = 0
    for name, faces in groupby(rows, key=lambda row: row["file"]):
        known = list(faces)
        if known[0]["face"] < 0 and known[0]["error"] != NO_FACE:
            continue
        found = [face for face in known if face["error"] is None]
        picture = _drawn(Image.fromarray(read_picture(name, None, True)), found)
        places = (os.path.realpath(folder / f"{word}.jpg") for word in _names(Path(name).stem))
        target = next(place for place in places if place not in taken)
        taken.add(target)
        picture.save(target, quality=_QUALITY)
        n_drawn += 1
    return n_drawn


def _names(stem: str) -> Iterator[str]:
    yield stem
    number = 2
    while True:
        yield f"{stem}-{number}"
        number += 1


def _drawn(picture: Image.Image, faces: Sequence[dict[str, Any]]) -> Image.Image:
    factor = max(1, -(-_LEAST_SIDE // min(picture.size)))
    picture = picture.resize((picture.width * factor, picture.height * factor))
    draw = ImageDraw.Draw(picture)
    height = max(12, min(picture.size) // _LINES)
    font = ImageFont.load_default(height)
    for face in faces:
        box = [edge * factor for edge in face["box"] or ()]
        if box:
            draw.rectangle(box, outline=_COLOR, width=max(2, height // 6))
        sure = "" if face["probability"] is None else f" {face['probability']:.2f}"
        place = _beside(box, picture, height)
        bounds = draw.textbbox(place, face["label"] + sure, font)
        draw.rectangle((bounds[0] - 2, bounds[1] - 2, bounds[2] + 2, bounds[3] + 2), _COLOR)
        draw.text(place, face["label"] + sure, _INK, font)
    return picture


def _beside(box: Sequence[float], picture: Image.Image, height: int) -> tuple[float, float]:
    """Return where a word stands: over the box, below where there is no room, else at the foot."""
    if not box:
        return 4, picture.height - 1.5 * height
    over = box[1] - 1.5 * height
    return max(box[0], 2), over if over > 0 else min(box[3] + 4, picture.height - 1.5 * height)
