"""Two faces in a photograph: boxes, and five points of each; the second is on the left."""

import numpy as np

BOXES = np.array([[60, 10, 100, 60], [5, 20, 35, 60]], dtype=float)
POINTS = np.array(
    [
        [(70, 25), (90, 26), (80, 38), (72, 48), (88, 49)],
        [(12, 33), (28, 33), (20, 42), (14, 50), (26, 50)],
    ],
    dtype=float,
)
NAMES = ("left_eye", "right_eye", "nose", "mouth_left", "mouth_right")
BY_NAME = {name: POINTS[:, i] for i, name in enumerate(NAMES)}


def make_photo(seed=0, shape=(80, 120)):
    return np.random.default_rng(seed).integers(1, 256, shape, dtype=np.uint8)
