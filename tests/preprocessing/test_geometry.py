"""What no face can look like is refused with its likely cause; named orders are understood."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image

from skfer.preprocessing import FaceAligner, align_face, find_eyes
from skfer.preprocessing._geometry import (
    POINT_NAMES,
    check_box,
    check_inside,
    is_face,
    name_points,
)

PICTURE = np.random.default_rng(0).integers(0, 256, (100, 120), dtype=np.uint8)
# A face in the orders that people have; left is the picture's.
LEFT, RIGHT, NOSE, MOUTH = (40.0, 40.0), (70.0, 42.0), (54.0, 58.0), [(44.0, 75.0), (64.0, 76.0)]
MTCNN = [LEFT, RIGHT, NOSE, *MOUTH]
DLIB = [(76, 42), (64, 42), (34, 40), (46, 40), NOSE]
MEDIAPIPE = [LEFT, RIGHT, NOSE, (54, 75), (20, 45), (90, 46)]
NAMED = {"left_eye": LEFT, "right_eye": RIGHT, "nose": NOSE}


def ibug():
    points = np.zeros((68, 2))
    points[36:42], points[42:48], points[30] = LEFT, RIGHT, NOSE
    points[48], points[54] = MOUTH
    return points


@pytest.mark.parametrize(
    ("landmarks", "order"),
    [
        (MTCNN, None),
        (MTCNN, "mtcnn5"),
        (DLIB, "dlib5"),
        (MEDIAPIPE, None),
        (MEDIAPIPE, "mediapipe6"),
        (ibug(), None),
        (ibug(), "ibug68"),
        (NAMED, None),
    ],
)
def test_each_order_finds_the_same_eyes(landmarks, order):
    assert_allclose(find_eyes(landmarks, landmark_order=order), [LEFT, RIGHT])
    expected = align_face(PICTURE, landmarks=MTCNN)
    assert_array_equal(align_face(PICTURE, landmarks=landmarks, landmark_order=order), expected)
    aligner = FaceAligner(landmark_order=order)
    assert_array_equal(aligner.transform(PICTURE[None], landmarks=[landmarks])[0], expected)


@pytest.mark.parametrize("eye", ["left_eye", "right_eye"])
@pytest.mark.parametrize("place", [(np.nan, np.nan), (40, np.inf)])
def test_an_eye_that_is_not_known_is_told(eye, place):
    with pytest.raises(ValueError, match="landmarks must be finite at the eyes"):
        find_eyes(NAMED | {eye: place})
    assert_allclose(find_eyes(NAMED | {"nose": place}), [LEFT, RIGHT])


@pytest.mark.parametrize(
    ("landmarks", "cause"),
    [
        ([RIGHT, LEFT, NOSE, *MOUTH], "the eye on the picture's left comes first"),
        (DLIB, "in dlib's order\\? Then give landmark_order='dlib5'"),
        (ibug()[np.r_[:36, 42:48, 36:42, 48:68]], "the eye on the picture's left comes first"),
        ({**NAMED, "left_eye": RIGHT, "right_eye": LEFT}, "left_eye is the eye on the picture's"),
        ([(y, x) for x, y in MTCNN], "x goes to the right and y down"),
        ([(x, -y) for x, y in MTCNN], "x goes to the right and y down"),
    ],
)
def test_a_face_upside_down_is_refused_with_the_likely_cause(landmarks, cause):
    for align in (align_face, lambda image, **how: FaceAligner().transform([image], [landmarks])):
        with pytest.raises(ValueError, match=f"nose or the mouth above the eyes: .*{cause}"):
            align(PICTURE, landmarks=landmarks)


@settings(deadline=None, max_examples=50)
@given(
    angle=st.floats(-np.pi, np.pi),
    scale=st.floats(0.2, 20),
    narrow=st.floats(0.3, 1.3),
    mirrored=st.booleans(),
)
def test_any_turned_face_is_told_from_one_with_swapped_eyes(angle, scale, narrow, mirrored):
    """A head may be turned to the side and the camera in any way."""
    assume(narrow * scale * 30 > 2)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    face = (np.array(MTCNN) - MTCNN[2]) * (narrow, 1) * scale
    if mirrored:
        face = (face * (-1, 1))[[1, 0, 2, 4, 3]]
    points = face @ turn.T + 500
    assert_allclose(find_eyes(points), points[:2])
    with pytest.raises(ValueError, match="above the eyes"):
        find_eyes(points[[1, 0, 2, 3, 4]])


def test_what_can_be_a_face():
    swapped = {"left_eye": RIGHT, "right_eye": LEFT, "nose": NOSE}
    assert [is_face(points) for points in (NAMED, swapped, None)] == [True, False, False]


def test_shares_in_place_of_pixels():
    with pytest.raises(ValueError, match=r"eyes 0\.25 pixels apart: give points in pixels"):
        find_eyes(np.array(MTCNN) / 120)
    with pytest.raises(ValueError, match=r"too small for a face.* not shares"):
        align_face(PICTURE, box=(0.2, 0.3, 0.6, 0.8))


def test_boxes_of_corner_and_size():
    expected = align_face(PICTURE, box=(20, 30, 80, 70))
    assert_array_equal(align_face(PICTURE, box=(20, 30, 60, 40), box_order="xywh"), expected)
    aligner = FaceAligner(box_order="xywh")
    assert_array_equal(aligner.transform([PICTURE], boxes=[(20, 30, 60, 40)])[0], expected)


@pytest.mark.parametrize(
    ("box", "message"),
    [
        ((80, 30, 30, 40), r"x0 < x1 and y0 < y1, got \[80.*\(x, y, width, height\)\? Then give "),
        ((30, 10, 40, 60), "box is 10 x 50 pixels, too oblong for a face: .*box_order='xywh'"),
        (
            (90, 20, 220, 150),
            r"box \[90.* lies mostly outside of the image of 120 x 100 .* resized",
        ),
        ((200, 20, 300, 120), r"box \[200.* lies outside of the image of 120 x 100"),
        ((-90, 20, 10, 120), "lies mostly outside"),
    ],
)
def test_a_box_that_is_no_face(box, message):
    with pytest.raises(ValueError, match=message):
        align_face(PICTURE, box=box)
    with pytest.raises(ValueError, match=r"X\[0\] cannot be aligned: box "):
        FaceAligner().transform([PICTURE], boxes=[box])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"landmarks": MTCNN, "landmark_order": "ibug"},
            "landmark_order must be one of .* got 'ibug'",
        ),
        ({"landmarks": MTCNN, "landmark_order": "ibug68"}, r"shape \(68, 2\), got \(5, 2\)"),
        ({"landmarks": {"left_eye": LEFT}}, "must have left_eye and right_eye"),
        ({"landmarks": {**NAMED, "nose": 3}}, "must have left_eye and right_eye, each a point"),
        ({"box": (0, 0, 50, 50), "box_order": "yxyx"}, "box_order must be one of .* got 'yxyx'"),
        ({"box": (0, 0, 50)}, "box must be four finite numbers"),
        ({"box": (0, 0, 50, np.nan)}, "box must be four finite numbers"),
        (
            {"landmarks": np.zeros((68, 2)), "landmark_order": "mediapipe6"},
            r"shape \(6, 2\), got \(68, 2\)",
        ),
    ],
)
def test_unknown_orders(arguments, message):
    with pytest.raises(ValueError, match=message):
        align_face(PICTURE, **arguments)


def test_pictures_of_pillow_are_taken_in_any_mode():
    turned = Image.fromarray(PICTURE).convert("P")
    assert_allclose(
        align_face(turned, landmarks=MTCNN)[..., 0], align_face(PICTURE, landmarks=MTCNN)
    )


@pytest.mark.parametrize("known", [["nose"], ["mouth_left", "mouth_right"]])
def test_a_tenth_of_the_distance_of_the_eyes_above_them_is_too_high(known):
    """A head that looks far up is no cause to refuse a face."""

    def found(y):
        eyes = {"left_eye": (100, 50), "right_eye": (200, 50)}
        return find_eyes(eyes | dict.fromkeys(known, (150, y)))

    assert_allclose(found(40.1), [(100, 50), (200, 50)])
    with pytest.raises(ValueError, match="above the eyes"):
        found(39.9)


def test_one_fault_is_enough():
    """A mouth in its place does not outweigh a nose above the eyes."""
    with pytest.raises(ValueError, match="above the eyes"):
        find_eyes([LEFT, RIGHT, (54, 20), *MOUTH])


def test_every_point_of_an_order_has_its_name():
    expected = dict(zip(POINT_NAMES, MTCNN, strict=True))
    for points, order in ((MTCNN, "mtcnn5"), (ibug(), "ibug68")):
        named = name_points(points, order)
        assert {name: tuple(point) for name, point in named.items()} == expected
    named = name_points(np.arange(136.0).reshape(68, 2), "ibug68")
    assert {name: point[0] / 2 for name, point in named.items()} == {
        "left_eye": 38.5,
        "right_eye": 44.5,
        "nose": 30,
        "mouth_left": 48,
        "mouth_right": 54,
    }
    mouth = name_points(MEDIAPIPE, "mediapipe6")
    assert_array_equal([mouth["mouth_left"], mouth["mouth_right"]], [(54, 75)] * 2)


@pytest.mark.parametrize(
    ("box", "fault"),
    [
        ((0, 0, 30, 90), None),
        ((0, 0, 30, 90.5), r"box is 30 x 90\.5 pixels, too oblong"),
        ((0, 0, 91, 30), "box is 91 x 30 pixels, too oblong"),
        ((5, 5, 7, 7), None),
        ((5, 5, 6.9, 7), r"box is 1\.9 x 2 pixels, too small"),
        ((5, 5, 5, 9), "must have x0 < x1"),
    ],
)
def test_bounds_of_a_box(box, fault):
    if fault is None:
        assert_array_equal(check_box(box), box)
        return
    with pytest.raises(ValueError, match=fault):
        check_box(box)


@pytest.mark.parametrize(
    ("box", "is_seen"),
    [
        ((-80, 0, 20, 100), True),
        ((-81, 0, 19, 100), False),
        ((100, 0, 200, 100), True),
        ((101, 0, 201, 100), False),
        ((20, 80, 120, 180), True),
        ((20, 81, 120, 181), False),
        ((-300, -300, -200, -200), False),  # on both sides outside
    ],
)
def test_a_fifth_of_a_box_must_be_seen(box, is_seen):
    edges = np.array(box, dtype=float)
    if is_seen:
        check_inside(edges, 120, 100)
        return
    with pytest.raises(ValueError, match="outside of the image of 120 x 100 pixels"):
        check_inside(edges, 120, 100)
