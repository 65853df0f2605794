"""Detectors: one interface; every face of a photograph is a row, and none is a row that says so."""

import pickle

import numpy as np
import pandas as pd
import pytest
from helpers.two_faces import BOXES, BY_NAME, POINTS, make_photo
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image
from sklearn.base import clone

from skfer.preprocessing import (
    FaceAligner,
    FaceDetector,
    Faces,
    FunctionDetector,
    NoFaceWarning,
    SlimeFaceDetector,
    align_face,
    detect_faces,
)


class TwoFaces(FaceDetector):
    """Finds the same two faces in any picture that is not black."""

    def __init__(self, *, max_side=None, landmarks=False):
        self.max_side = max_side
        self.landmarks = landmarks

    def find(self, image):
        assert image.dtype == np.uint8
        assert image.shape[2] == 3
        if not image.any():
            return Faces([], [])
        scale = image.shape[1] / 120
        return Faces(BOXES * scale, [0.9, 0.8], BY_NAME if self.landmarks else None)


def test_a_row_for_each_face_from_left_to_right(tmp_path):
    photos = [make_photo(0), make_photo(1, (80, 120, 3))]
    paths = [tmp_path / f"{i}.png" for i in range(2)]
    for path, photo in zip(paths, photos, strict=True):
        Image.fromarray(photo).save(path)
    aligner = FaceAligner(detector=TwoFaces(), color=False)
    rows = detect_faces(paths, aligner)
    assert [(row.photo, row.name, row.face) for row in rows] == [
        (photo, str(paths[photo]), face) for photo in range(2) for face in range(2)
    ]
    assert [row.score for row in rows] == [0.8, 0.9] * 2
    assert all(row.found and row.landmarks is None for row in rows)
    for row in rows:
        assert_array_equal(row.box, BOXES[1 - row.face])
        gray = Image.open(paths[row.photo]).convert("L")
        assert_array_equal(row.crop, align_face(gray, box=row.box))
    again = detect_faces([photos[0], Image.fromarray(photos[1])], aligner)
    for row, other in zip(rows, again, strict=True):
        assert_array_equal(row.crop, other.crop)
        assert other.name == ""
    assert len(detect_faces(str(paths[0]), aligner)) == len(detect_faces(photos[0], aligner)) == 2
    assert pd.DataFrame(rows)["face"].tolist() == [0, 1, 0, 1]


def test_a_photograph_without_a_face_is_told_and_has_a_row(tmp_path):
    black = np.zeros((80, 120), np.uint8)
    Image.fromarray(black).save(tmp_path / "night.png")
    photos = [make_photo(), tmp_path / "night.png", black]
    with pytest.warns(
        NoFaceWarning, match=r"no face was found in .*night\.png, photograph 2\.$"
    ) as w:
        rows = detect_faces(photos, FaceAligner(detector=TwoFaces()))
    assert w[0].filename == __file__
    assert [(row.photo, row.face, row.found) for row in rows[2:]] == [
        (1, -1, False),
        (2, -1, False),
    ]
    assert rows[2].crop is None
    assert rows[2].box is None
    assert np.isnan(rows[2].score)
    with pytest.raises(ValueError, match=r"X\[1\] .*the detector found no face in .*night\.png"):
        FaceAligner(detector=TwoFaces()).transform(photos)


def test_a_photograph_that_cannot_be_read_is_named(tmp_path):
    (tmp_path / "a.png").write_bytes(b"PK\x03\x04")
    with pytest.raises(ValueError, match=r"photos\[0\], .*a\.png: a zip archive"):
        detect_faces(tmp_path / "a.png", FaceAligner(detector=TwoFaces()))


def test_photographs_may_be_one_array():
    photos = np.stack([make_photo(seed, (80, 120, 3)) for seed in range(2)])
    rows = detect_faces(photos, FaceAligner(detector=TwoFaces()))
    assert [(row.photo, row.face) for row in rows] == [(0, 0), (0, 1), (1, 0), (1, 1)]
    others = detect_faces(list(photos), FaceAligner(detector=TwoFaces()))
    assert_array_equal([row.crop for row in rows], [row.crop for row in others])
    with pytest.raises(ValueError, match=r"photos\[0\]: image must have .* Move the channels last"):
        detect_faces(np.zeros((2, 3, 9, 9), np.uint8), FaceAligner(detector=TwoFaces()))


def test_the_aligner_takes_the_largest_face_and_turns_it_by_its_landmarks():
    photo = make_photo()
    by_box = FaceAligner(detector=TwoFaces()).transform([photo])[0]
    assert_array_equal(by_box, align_face(photo, box=BOXES[0]))
    by_eyes = FaceAligner(detector=TwoFaces(landmarks=True)).transform([photo])[0]
    assert_array_equal(by_eyes, align_face(photo, landmarks=POINTS[0]))
    rows = detect_faces(photo, FaceAligner(detector=TwoFaces(landmarks=True)))
    assert_array_equal(rows[1].crop, by_eyes)
    assert_allclose(rows[1].landmarks["nose"], POINTS[0, 2])


def test_a_face_with_landmarks_of_no_face_is_cut_out_by_its_box():
    photo = make_photo()
    upside_down = dict(BY_NAME, nose=BY_NAME["nose"] - 40)
    detector = FunctionDetector(
        lambda image: Faces(
            BOXES[:1], [1.0], {name: points[:1] for name, points in upside_down.items()}
        )
    )
    face = FaceAligner(detector=detector).transform([photo])[0]
    assert_array_equal(face, align_face(photo, box=BOXES[0]))


def test_a_large_picture_is_shrunk_for_the_detector_only():
    photo = make_photo(shape=(160, 240))
    small, large = TwoFaces(max_side=120).detect(photo), TwoFaces().detect(photo)
    assert_allclose(small.boxes, large.boxes)
    assert_allclose(small.boxes[1], 2 * BOXES[0])
    assert_array_equal(
        FaceAligner(detector=TwoFaces(max_side=120)).transform([photo]),
        FaceAligner(detector=TwoFaces()).transform([photo]),
    )


def test_points_of_a_shrunk_picture_are_centers_of_pixels():
    """Edges lie between pixels: those of the first are at 0, and its center is a point's 0."""
    faces = Faces([[2, 4, 12, 24]], [1.0], {"left_eye": [[1.5, 0]], "right_eye": [[7, -0.5]]})
    large = faces.scaled(4)
    assert_array_equal(large.boxes, [[8, 16, 48, 96]])
    assert_array_equal(large.landmarks["left_eye"], [[7.5, 1.5]])
    assert_array_equal(large.landmarks["right_eye"], [[29.5, -0.5]])
    assert faces.scaled(2).scaled(0.5).landmarks["left_eye"].tolist() == [[1.5, 0]]


@pytest.mark.parametrize(
    ("eyes", "box"),
    [
        ([(40, 40), (60, 40)], [28.5, 28.5, 72.5, 72.5]),
        ([(40, 40), (52, 56)], [16.5, 32.5, 60.5, 76.5]),  # turned
    ],
)
def test_a_face_that_is_known_by_its_landmarks_has_a_box_around_them(eyes, box):
    left, right = np.array(eyes, dtype=float)
    across = right - left
    down = np.array([-across[1], across[0]])
    nose = (left + right) / 2 + 0.6 * down
    points = [left, right, nose, left + down, right + down]
    faces = FunctionDetector(lambda image: np.array(points)).detect(make_photo())
    assert_allclose(faces.boxes, [box])
    assert_array_equal(faces.landmarks["mouth_left"], [left + down])


@pytest.mark.parametrize("detector", [TwoFaces(max_side=99), SlimeFaceDetector(min_score=0.7)])
def test_detectors_are_estimators(detector):
    for twin in (clone(detector), pickle.loads(pickle.dumps(detector))):
        assert twin.get_params() == detector.get_params()
    aligner = clone(FaceAligner(detector=detector))
    assert aligner.get_params()["detector__max_side"] == detector.max_side


@pytest.mark.parametrize(
    ("found", "boxes", "scores"),
    [
        (None, [], []),
        ((), [], []),
        ([], [], []),
        (BOXES[0], BOXES[:1], [1]),
        (BOXES.tolist(), BOXES[::-1], [1, 1]),
        (np.column_stack([BOXES, [0.2, 0.3]]), BOXES[::-1], [0.3, 0.2]),
        (Faces(BOXES, [4, 5]), BOXES[::-1], [5, 4]),
    ],
)
def test_what_a_function_may_return(found, boxes, scores):
    faces = FunctionDetector(lambda image: found).detect(make_photo())
    assert_array_equal(faces.boxes, np.reshape(boxes, (-1, 4)))
    assert_array_equal(faces.scores, scores)
    assert len(faces) == len(boxes)


@pytest.mark.parametrize("found", ["face", 3.0, np.ones((2, 2)), np.ones((2, 3, 4)), {"a": 1}])
def test_what_a_function_may_not_return(found):
    with pytest.raises(ValueError, match=r"the detector returned .*: it must return boxes"):
        FunctionDetector(lambda image: found).detect(make_photo())


def test_faces_need_a_row_for_each():
    with pytest.raises(ValueError, match="a row for each face"):
        Faces(BOXES, [1.0])
