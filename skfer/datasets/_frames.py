"""Which frames of an image sequence to load."""

from collections.abc import Mapping

import numpy as np

from skfer.exceptions import ArgumentError


def check_frames(frames: int | str, words: Mapping[str, int | None]) -> int | None:
    """Return how many frames are wanted, None for all.

    `words` are the words that may stand for a number.
    """
    if isinstance(frames, str) and frames in words:
        return words[frames]
    if isinstance(frames, bool) or not isinstance(frames, int | np.integer) or frames < 1:
        raise ArgumentError(
            "{frames=} is not known: give {} or a positive int.",
            ", ".join(map(repr, words)),
            frames=frames,
        )
    return int(frames)
