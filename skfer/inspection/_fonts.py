"""The fonts that matplotlib is set to, and names that they lack characters of."""

import contextlib
import warnings
from collections.abc import Iterable, Iterator
from typing import Any

from skfer.exceptions import ignored, warn_caller
from skfer.inspection._style import as_text, pyplot

_KINDS = ("family", "serif", "sans-serif", "cursive", "fantasy", "monospace")
_TOLD = 20  # characters


class _GlyphWarning(UserWarning):
    """A category that nobody warns by."""


def font_settings() -> dict[str, Any]:
    """Return the settings of matplotlib that say which font it takes."""
    return {f"font.{kind}": pyplot().rcParams[f"font.{kind}"] for kind in _KINDS}


def font_files() -> list[str]:
    """Return the files of the fonts that matplotlib looks for characters in, in its order."""
    from matplotlib import rcParams
    from matplotlib.font_manager import FontProperties, findfont

    files: list[str] = []
    for family in rcParams["font.family"]:
        with contextlib.suppress(ValueError):  # it is not installed
            files.append(findfont(FontProperties(family=[family]), fallback_to_default=False))
    return files or [findfont(FontProperties())]


@contextlib.contextmanager
def one_font_warning(names: Iterable[str]) -> Iterator[None]:
    """Tell once which characters of names the fonts of pictures lack.

    matplotlib itself tells of each character in each picture.

    Parameters
    ----------
    names : iterable of str
        What is written into pictures.
    """
    lacking = _lacking("".join(map(as_text, names)))
    if not lacking:
        yield
        return
    warn_caller(
        f"the font of the pictures lacks characters of names, {lacking[:_TOLD]}: set font.family "
        "of matplotlib (in its file matplotlibrc) to one that has them."
    )
    with ignored(_GlyphWarning):  # whose filters are of one thread at a time
        warnings.filterwarnings("ignore", r"Glyph \d+ .*missing from")
        yield


def _lacking(text: str) -> str:
    """Return the characters of a text that are in no font."""
    from matplotlib.font_manager import get_font

    known: set[int] = set()
    for file in font_files():
        known |= get_font(file).get_charmap().keys()
    return "".join(c for c in dict.fromkeys(text) if ord(c) not in known)
