"""What reads the values of options, and says what is wrong with one."""

import argparse
import contextlib
import difflib
import math
import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path

_QUOTA = Path("/sys/fs/cgroup/cpu.max")  # of a container


def one_of(names: Sequence[str]) -> Callable[[str], str]:
    """Return what reads a name in any case and spelling (RAF_DB, BU-3DFE), or tells a near one."""
    known = {_plain(name): name for name in names}

    def read(text: str) -> str:
        if _plain(text) in known:
            return known[_plain(text)]
        near = difflib.get_close_matches(_plain(text), known, 1)
        hint = f"did you mean {known[near[0]]}? Give" if near else "give"
        raise argparse.ArgumentTypeError(f"{text!r} is unknown: {hint} {', '.join(names)}.")

    return read


def names(text: str) -> list[str]:
    """Read names with commas between them."""
    words = [word.strip() for word in text.split(",")]
    if not all(words):
        raise argparse.ArgumentTypeError(f"give names with commas between them, not {text!r}")
    return words


def some_of(names: Sequence[str]) -> Callable[[str], list[str]]:
    """Return what reads names with commas between them, each once."""
    read_one = one_of(names)

    def read(text: str) -> list[str]:
        words = [word for word in text.split(",") if word.strip()]
        if not words:
            raise argparse.ArgumentTypeError(f"nothing is named: give some of {', '.join(names)}.")
        return list(dict.fromkeys(map(read_one, words)))

    return read


def usual_jobs() -> int:
    """Return how many processors this process may use, but four at most."""
    if hasattr(os, "sched_getaffinity"):
        count = len(os.sched_getaffinity(0))
    else:
        count = os.cpu_count() or 1
    with contextlib.suppress(OSError, ValueError):  # there is no such file, or it says "max"
        quota, period = map(int, _QUOTA.read_text().split())
        count = min(count, math.ceil(quota / period))
    return min(count, 4)


def _plain(text: str) -> str:
    return re.sub(r"[-_ ]", "", text.lower()).replace("plus", "+")


def frames(text: str) -> int | str:
    """Read a number of frames, or which."""
    return text if text in ("peak", "all") else _whole(text, "'peak', 'all' or a whole number")


def new_name(text: str) -> tuple[str, str]:
    """Read a class and the name it is to have."""
    old, equals, new = text.partition("=")
    if not (old.strip() and equals and new.strip()):
        raise argparse.ArgumentTypeError(f"give OLD=NEW, such as 1=surprise, not {text!r}")
    return old.strip(), new.strip()


def share_of_labels(text: str) -> float | str:
    """Read a share of wrong labels, or that it is to be found."""
    with contextlib.suppress(ValueError):
        if text == "auto" or 0 <= float(text) < 0.5:
            return text if text == "auto" else float(text)
    raise argparse.ArgumentTypeError(
        f"{text!r} is neither 'auto' nor a number from 0 to below 0.5."
    )


def positive(text: str) -> int:
    """Read a whole number of at least 1."""
    return _whole(text, "a whole number")


def several(text: str) -> int:
    """Read a number of images: a single one of a class is never in training and test alike."""
    return _whole(text, "a whole number", 2)


def image_size(text: str) -> int:
    """Read a number of pixels that an embedder can take."""
    return _whole(text, "a whole number", 16)


def seed(text: str) -> int:
    """Read a seed as numpy takes it."""
    return _whole(text, "a whole number", 0, 2**32 - 1)


def _whole(text: str, wanted: str, low: int = 1, high: int | None = None) -> int:
    bounds = f"of at least {low}" if high is None else f"from {low} to {high}"
    if not text.isdecimal() or int(text) < low or (high is not None and int(text) > high):
        raise argparse.ArgumentTypeError(f"give {wanted} {bounds}, not {text!r}")
    return int(text)
