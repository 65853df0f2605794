"""What a detector takes for a face and no face can be is left out of photographs, and told."""

import warnings

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from PIL import Image

from skfer.preprocessing import (
    FaceAligner,
    FaceDetector,
    Faces,
    NoFaceWarning,
    align_face,
    detect_faces,
)

PHOTO = np.random.default_rng(0).integers(1, 256, (100, 200), dtype=np.uint8)
BLACK = np.zeros_like(PHOTO)
GOOD = [(20, 20, 70, 80), (120, 10, 170, 70)]
OBLONG, OUTSIDE = (80, 0, 180, 8), (-50, 10, 5, 60)
ADVICE = "Then give box_order='xywh'."


def finding(*boxes):
    return lambda image: boxes if image.any() else None


class Boxes(FaceDetector):
    """Finds boxes whose order it knows."""

    def __init__(self, box):
        self.box = box

    def find(self, image):
        return Faces([self.box], [1.0])


def detect_and_catch(photos, aligner):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        rows = detect_faces(photos, aligner)
    assert {warning.category for warning in caught} <= {NoFaceWarning}
    assert {warning.filename for warning in caught} <= {__file__}
    return rows, [str(warning.message) for warning in caught]


@pytest.mark.parametrize(
    ("odd", "face", "why"),
    [
        (OBLONG, 1, f"box is 100 x 8 pixels, too oblong for a face: .* {ADVICE}"),
        (OUTSIDE, 0, "lies mostly outside of the image of 200 x 100 pixels"),
        ((5, 5, 6, 6), 0, "too small for a face"),
    ],
)
def test_the_other_faces_stay_with_their_numbers(odd, face, why, tmp_path):
    Image.fromarray(PHOTO).save(tmp_path / "party.png")
    aligner = FaceAligner(detector=finding(GOOD[0], odd, GOOD[1]))
    rows, told = detect_and_catch([PHOTO, tmp_path / "party.png", PHOTO], aligner)
    others = [i for i in range(3) if i != face]
    assert [(row.photo, row.face) for row in rows] == [(p, i) for p in range(3) for i in others]
    for row, box in zip(rows, GOOD * 3, strict=True):
        assert_array_equal(row.crop, align_face(PHOTO, box=box))
    (text,) = told
    first, *lines = text.split("\n")
    assert first == "the detector found what cannot be a face, which is left out:"
    path = tmp_path / "party.png"
    names = [line.strip().partition(": ")[0] for line in lines]
    assert names == [f"face {face} of {name}" for name in ("photograph 0", path, "photograph 2")]
    with pytest.warns(NoFaceWarning, match=why):
        detect_faces(PHOTO, aligner)


def test_a_photograph_of_which_nothing_is_left_has_a_row():
    rows, told = detect_and_catch([BLACK, PHOTO], FaceAligner(detector=finding(OBLONG)))
    assert [(row.photo, row.face, row.crop) for row in rows] == [(0, -1, None), (1, -1, None)]
    assert "face 0 of photograph 1: box is 100 x 8 pixels" in told[0]
    assert told[1] == "no face was found in photograph 0, photograph 1."


def test_many_are_counted():
    rows, told = detect_and_catch([PHOTO] * 7, FaceAligner(detector=finding(GOOD[0], OBLONG)))
    assert len(rows) == 7
    assert told[0].count("\n") == 6  # five and the count
    assert told[0].endswith("\n  ... and 2 more")


@pytest.mark.parametrize(
    ("detector", "order", "is_advised"),
    [
        (finding(OBLONG), "xyxy", True),
        (finding((80, 0, 100, 8)), "xywh", False),
        (Boxes(OBLONG), "xyxy", False),
    ],
)
def test_another_order_is_advised_where_it_could_help(detector, order, is_advised):
    aligner = FaceAligner(detector=detector, box_order=order)
    _, told = detect_and_catch(PHOTO, aligner)
    assert "box is 100 x 8 pixels, too oblong" in told[0]
    assert (ADVICE in told[0]) == is_advised
    with pytest.raises(ValueError, match=r"X\[0\] cannot be aligned: box is 100 x 8") as error:
        aligner.transform([PHOTO])
    assert (ADVICE in str(error.value)) == is_advised


def test_a_wrong_parameter_is_no_fault_of_the_faces():
    with pytest.raises(ValueError, match="'eye_distance' parameter of FaceAligner"):
        detect_faces(PHOTO, FaceAligner(detector=finding(*GOOD), eye_distance=2))
