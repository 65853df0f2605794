"""Figures compared with kept pictures, whatever matplotlib's version does to single pixels."""

import os
from pathlib import Path

import matplotlib as mpl
import numpy as np
from PIL import Image

KEPT = Path(__file__).parents[1] / "inspection" / "pictures"
UPDATE = "SKFER_UPDATE_PICTURES"
MOST, MEAN = 65.0, 7.0  # matplotlib 3.8 is up to 60 and 6.6 away from 3.11
_DPI, _BLOCK = 48, 6


def coarse(path):
    """A picture in blocks of some pixels: text that is hinted otherwise looks the same."""
    with Image.open(path) as picture:
        pixels = np.asarray(picture.convert("RGB"), dtype=np.float64)
    height, width = (side // _BLOCK * _BLOCK for side in pixels.shape[:2])
    blocks = pixels[:height, :width].reshape(height // _BLOCK, _BLOCK, width // _BLOCK, _BLOCK, 3)
    return blocks.mean(axis=(1, 3))


def difference(one, other):
    """Largest and mean difference of two pictures of one size, in blocks, of 255.

    A block may have moved by one: versions of matplotlib differ in the width of text.
    """
    one, other = coarse(one), coarse(other)
    apart = np.stack([_apart(one, other), _apart(other, one)])
    return apart.max(), apart.mean()


def _apart(one, other):
    """How far each block is from the nearest of those around its place in the other picture."""
    rows, columns = one.shape[:2]
    wide = np.pad(other, ((1, 1), (1, 1), (0, 0)), mode="edge")
    around = [wide[i : i + rows, j : j + columns] for i in range(3) for j in range(3)]
    return np.min([np.abs(one - moved).max(axis=2) for moved in around], axis=0)


def _kept_path(name):
    """The kept picture; where text sets the places of faces, one of its own before 3.11."""
    older = KEPT / f"{name}.older.png"
    is_older = mpl.__version_info__[:2] < (3, 11)
    wanted = older.is_file() or os.environ.get(UPDATE) == "older"
    return older if is_older and wanted else KEPT / f"{name}.png"


def assert_as_kept(figure, name, folder):
    """Compare a figure with the kept picture; set SKFER_UPDATE_PICTURES=1 to keep it anew.

    With "older" a version of matplotlib before 3.11, which sets text otherwise, keeps its own.
    """
    path = _kept_path(name)
    made = Path(folder) / f"{name}.png"
    # The layout is made once before the figure has its last size.
    figure.savefig(made, dpi=_DPI, metadata={"Software": None})
    if os.environ.get(UPDATE):
        path.parent.mkdir(exist_ok=True)
        with Image.open(made) as picture:
            picture.convert("RGB").quantize(128).save(path, optimize=True)
    assert path.is_file(), f"no kept picture {path.name}: look at {made}, and set {UPDATE}=1"
    with Image.open(made) as new, Image.open(path) as old:
        assert np.abs(np.subtract(new.size, old.size)).max() <= _BLOCK, (new.size, old.size)
    assert coarse(made).shape == coarse(path).shape
    most, mean = difference(made, path)
    assert most < MOST, (name, most, mean)
    assert mean < MEAN, (name, most, mean)
