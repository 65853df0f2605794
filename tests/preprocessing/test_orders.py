"""The orders that an aligner is given hold for what a plain function finds."""

import pickle

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from PIL import Image

from skfer.datasets import load_image_folder
from skfer.preprocessing import (
    FaceAligner,
    FaceDetector,
    Faces,
    FunctionDetector,
    align_face,
    detect_faces,
)

PHOTO = np.random.default_rng(0).integers(0, 256, (240, 320), dtype=np.uint8)
SIZED = [(100, 80, 100, 90), (10, 20, 60, 50)]  # x, y, width, height
EDGES = [(100, 80, 200, 170), (10, 20, 70, 70)]
DLIB = np.array([(62, 40), (58, 40), (22, 40), (18, 40), (40, 60)], dtype=float)


class Fixed(FaceDetector):
    """Finds edges, whatever orders others have."""

    def find(self, image):
        return Faces(EDGES, [1, 1])


@pytest.mark.parametrize(
    ("detector", "order"),
    [
        (lambda image: SIZED, "xywh"),
        (lambda image: np.column_stack([SIZED, [0.9, 0.8]]), "xywh"),
        (lambda image: EDGES, "xyxy"),
        (lambda image: Faces(EDGES, [1, 1]), "xywh"),
        (Fixed(), "xywh"),
        (FunctionDetector(lambda image: EDGES), "xywh"),
        (FunctionDetector(lambda image: SIZED, box_order="xywh"), "xyxy"),
    ],
)
def test_boxes_are_read_in_the_order_of_the_aligner(detector, order):
    aligner = FaceAligner(detector=detector, box_order=order)
    expected = align_face(PHOTO, box=SIZED[0], box_order="xywh")
    assert_array_equal(aligner.transform(PHOTO[None])[0], expected)
    assert_array_equal(aligner.fit_transform([PHOTO])[0], expected)
    assert_array_equal(aligner.find_faces(PHOTO).boxes, EDGES[::-1])
    rows = detect_faces(PHOTO, aligner)
    assert [row.box.tolist() for row in rows] == [list(box) for box in EDGES[::-1]]
    assert_array_equal(rows[1].crop, expected)


def test_one_box_of_corner_and_size():
    aligner = FaceAligner(detector=lambda image: SIZED[0], box_order="xywh")
    assert detect_faces(PHOTO, aligner)[0].box.tolist() == list(EDGES[0])


def test_landmarks_are_read_in_the_order_of_the_aligner():
    aligner = FaceAligner(detector=lambda image: DLIB, landmark_order="dlib5")
    expected = align_face(PHOTO, landmarks=DLIB, landmark_order="dlib5")
    assert_array_equal(aligner.transform([PHOTO])[0], expected)
    (row,) = detect_faces(PHOTO, aligner)
    assert_array_equal(row.crop, expected)
    assert {name: point.tolist() for name, point in row.landmarks.items()} == {
        "left_eye": [20, 40],
        "right_eye": [60, 40],
        "nose": [40, 60],
    }


def test_landmarks_in_another_order_are_refused():
    """Rather than cut out by a box that is made of them."""
    aligner = FaceAligner(detector=lambda image: DLIB)
    cause = r"landmarks has the nose or the mouth above the eyes: .*landmark_order='dlib5'"
    with pytest.raises(ValueError, match=rf"X\[1\] cannot be aligned: {cause}"):
        aligner.transform([PHOTO, PHOTO], boxes=[EDGES[0], None])
    with pytest.raises(ValueError, match=rf"photos\[0\]: {cause}"):
        detect_faces(PHOTO, aligner)


def test_an_unknown_order_is_refused():
    detector = FunctionDetector(lambda image: None, box_order="yxyx")
    with pytest.raises(ValueError, match=r"box_order must be one of .* got 'yxyx'"):
        detector.detect(PHOTO)


def test_a_pickle_from_before_it_had_an_order_of_boxes():
    old = FunctionDetector(find_edges)
    del old.__dict__["box_order"]
    twin = pickle.loads(pickle.dumps(old))
    assert_array_equal(twin.detect(PHOTO).boxes, EDGES[::-1])


def find_edges(image):
    return EDGES


def test_a_loader_takes_a_function_with_its_order(tmp_path):
    for name, photo in (("fear", PHOTO), ("sad", PHOTO[:, ::-1])):
        (tmp_path / name).mkdir()
        Image.fromarray(photo).save(tmp_path / name / "one.png")
    detector = FunctionDetector(lambda image: SIZED[0], box_order="xywh")
    faces = load_image_folder(tmp_path, detector=detector)
    paths = [tmp_path / name for name in faces.filenames]
    aligner = FaceAligner(detector=lambda image: EDGES[0], color=False)
    assert_array_equal(faces.images, aligner.transform(paths))
