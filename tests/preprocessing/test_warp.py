"""Eyes come to their places, boxes to theirs, and nothing of the picture is lost."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image, ImageOps

from skfer.datasets import decode_images
from skfer.preprocessing import align_face, find_eyes

PROPERTY = settings(deadline=None, max_examples=60)
HEXAGON = np.array([(np.cos(a), np.sin(a)) for a in np.arange(6) * np.pi / 3])


def place_landmarks(eyes, n_points=5):
    """Landmarks around two eyes (x, y), the one on the picture's left first."""
    left, right = eyes = np.asarray(eyes, dtype=float)
    across = right - left
    down = np.array([-across[1], across[0]])
    center = (left + right) / 2
    nose, mouth = center + 0.6 * down, center + 1.1 * down
    corners = mouth - 0.4 * across, mouth + 0.4 * across
    if n_points == 5:
        return np.array([*eyes, nose, *corners])
    landmarks = np.full((68, 2), np.nan)
    size = 0.1 * np.hypot(*across)
    landmarks[36:42], landmarks[42:48] = (eye + size * HEXAGON for eye in eyes)
    landmarks[30], landmarks[48], landmarks[54] = nose, *corners
    return landmarks


def draw_eyes(shape, eyes):
    """A dark picture with a soft spot at each eye; the pixel centers are at whole numbers."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    width = 0.08 * np.hypot(*(eyes[1] - eyes[0]))
    spots = [
        light * np.exp(-((x - eye[0]) ** 2 + (y - eye[1]) ** 2) / (2 * width**2))
        for eye, light in zip(eyes, (250, 120), strict=True)
    ]
    return np.rint(sum(spots)).astype(np.uint8)


def centroid(pixels, near, radius):
    y, x = np.mgrid[: pixels.shape[0], : pixels.shape[1]]
    weight = pixels * ((x - near[0]) ** 2 + (y - near[1]) ** 2 <= radius**2)
    return np.array([(weight * x).sum(), (weight * y).sum()]) / weight.sum()


def eye_places(size, eye_distance=0.36, eye_height=0.34):
    return np.array(
        [(size * (1 + side * eye_distance) / 2 - 0.5, size * eye_height - 0.5) for side in (-1, 1)]
    )


@PROPERTY
@given(
    angle=st.floats(-np.pi, np.pi),
    distance=st.floats(24, 110),
    center=st.tuples(st.floats(82, 157), st.floats(82, 117)),
    n_points=st.sampled_from([5, 68]),
    size=st.integers(32, 96),
    eye_distance=st.floats(0.3, 0.5),
    eye_height=st.floats(0.3, 0.5),
    color=st.booleans(),
)
def test_eyes_come_to_their_places(
    angle, distance, center, n_points, size, eye_distance, eye_height, color
):
    half = distance / 2 * np.array([np.cos(angle), np.sin(angle)])
    eyes = np.array([center - half, center + half])
    picture = draw_eyes((200, 240), eyes)
    picture = np.stack([picture] * 3, axis=2) if color else picture
    face = align_face(
        picture,
        landmarks=place_landmarks(eyes, n_points),
        image_size=size,
        eye_distance=eye_distance,
        eye_height=eye_height,
    )
    assert face.shape == ((size, size, 3) if color else (size, size))
    assert face.dtype == np.uint8
    plane = (face[..., 0] if color else face).astype(float)
    places = eye_places(size, eye_distance, eye_height)
    for place, light in zip(places, (250, 120), strict=True):
        assert_allclose(centroid(plane, place, size * 0.13), place, atol=0.35)
        row, column = np.rint(place[::-1]).astype(int)
        assert 0.6 * light < plane[row, column] <= light + 5


def smooth_picture(height, width, seed):
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, size=(height // 8 + 2, width // 8 + 2), dtype=np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC))


@PROPERTY
@given(
    seed=st.integers(0, 2**32 - 1),
    quarter_turns=st.integers(1, 3),
    eyes=st.tuples(*[st.floats(70, 90)] * 4).filter(
        lambda e: np.hypot(e[2] - e[0], e[3] - e[1]) > 4
    ),
)
def test_turning_the_picture_changes_nothing(seed, quarter_turns, eyes):
    picture, eyes = smooth_picture(160, 160, seed), np.reshape(eyes, (2, 2))
    expected = align_face(picture, landmarks=place_landmarks(eyes, 5), image_size=24)
    for _ in range(quarter_turns):
        picture = np.rot90(picture)
        eyes = np.stack([eyes[:, 1], 159 - eyes[:, 0]], axis=1)
    face = align_face(picture, landmarks=place_landmarks(eyes, 5), image_size=24)
    assert np.abs(face.astype(int) - expected).max() <= 3


def test_a_mirrored_picture_gives_the_mirrored_face():
    picture = smooth_picture(60, 90, 0)
    eyes = np.array([(30.0, 25.0), (55.0, 32.0)])
    mirrored = np.array([(89 - x, y) for x, y in eyes[::-1]])
    face = align_face(picture, landmarks=place_landmarks(eyes, 68))
    twin = align_face(picture[:, ::-1], landmarks=place_landmarks(mirrored, 68))
    assert np.abs(face.astype(int) - twin[:, ::-1]).max() <= 1


def test_an_aligned_face_stays_as_it_is():
    picture = smooth_picture(48, 48, 1)
    face = align_face(picture, landmarks=place_landmarks(eye_places(48), 5))
    assert np.abs(face.astype(int) - picture).max() <= 1


def test_whole_picture_of_the_right_size_is_returned_exactly():
    rng = np.random.default_rng(0)
    for shape in [(48, 48), (48, 48, 1), (48, 48, 3)]:
        picture = rng.integers(0, 256, size=shape, dtype=np.uint8)
        assert_array_equal(align_face(picture), picture)
        assert_array_equal(align_face(picture, box=(0, 0, 48, 48)), picture)


def test_a_box_is_cut_exactly_and_what_lies_outside_is_black():
    picture = np.random.default_rng(0).integers(1, 256, size=(30, 40), dtype=np.uint8)
    face = align_face(picture, box=(10, 5, 30, 25), image_size=20)
    assert_array_equal(face, picture[5:25, 10:30])
    face = align_face(picture, box=(10, 5, 30, 25), margin=0.1, image_size=24)
    assert_array_equal(face, picture[3:27, 8:32])
    face = align_face(picture, box=(10, 5, 30, 25), margin=-0.25, image_size=10)
    assert_array_equal(face, picture[10:20, 15:25])
    face = align_face(picture, box=(-10, -10, 20, 20), image_size=30)
    assert_array_equal(face[10:, 10:], picture[:20, :20])
    assert not face[:10].any()
    assert not face[:, :10].any()


def test_an_oblong_box_is_widened_to_a_square_not_stretched():
    picture = np.random.default_rng(0).integers(1, 256, size=(30, 40), dtype=np.uint8)
    face = align_face(picture, box=(0, 0, 40, 30), image_size=40)
    assert_array_equal(face[5:35], picture)
    assert not face[:5].any()
    assert not face[35:].any()
    face = align_face(picture, box=(10, 10, 20, 30), image_size=20)
    assert_array_equal(face, picture[10:30, 5:25])


def test_without_a_place_the_whole_picture_is_resized_as_data_sets_do(tmp_path):
    picture = np.random.default_rng(0).integers(0, 256, size=(60, 80), dtype=np.uint8)
    Image.fromarray(picture).save(tmp_path / "a.png")
    assert_array_equal(align_face(picture), decode_images([tmp_path / "a.png"], image_size=48)[0])


@PROPERTY
@given(height=st.integers(1, 90), width=st.integers(1, 90), size=st.integers(1, 60))
def test_every_pixel_up_to_the_border_is_used(height, width, size):
    assume(max(height, width) <= 3 * min(height, width) and min(height, width) > 1)
    whole = (0, 0, width, height)
    face = align_face(np.full((height, width), 200, np.uint8), box=whole, image_size=size)
    side = max(height, width)
    centers = (np.arange(size) + 0.5) * side / size
    rows = np.abs(centers - side / 2) < height / 2 - 1e-9
    columns = np.abs(centers - side / 2) < width / 2 - 1e-9
    assert (face[np.ix_(rows, columns)] == 200).all()


@PROPERTY
@given(
    eyes=st.tuples(*[st.floats(-5, 65)] * 4).filter(
        lambda e: np.hypot(e[2] - e[0], e[3] - e[1]) > 8
    ),
    size=st.integers(8, 60),
)
def test_a_turned_picture_is_shown_up_to_its_border_and_black_beyond(eyes, size):
    left, right = eyes = np.reshape(eyes, (2, 2))
    face = align_face(
        np.full((60, 60), 200, np.uint8), landmarks=place_landmarks(eyes, 5), image_size=size
    )
    # Place of each pixel in the picture, in units of the vector from eye to eye.
    y, x = np.mgrid[:size, :size]
    goal = eye_places(size)
    along, across = (x - goal[0, 0]) / (size * 0.36), (y - goal[0, 1]) / (size * 0.36)
    step = right - left
    places_x = left[0] + along * step[0] - across * step[1]
    places_y = left[1] + along * step[1] + across * step[0]
    depth = np.minimum.reduce([places_x, 59 - places_x, places_y, 59 - places_y]) + 0.5
    assert (face[depth > 1e-6] == 200).all()
    assert (face[depth < -1e-6] == 0).all()


def test_spots_in_the_corners_survive_a_strong_shrink():
    picture = np.zeros((400, 400), np.uint8)
    for y in (0, 380):
        for x in (0, 380):
            picture[y : y + 20, x : x + 20] = 240
    face = align_face(picture, box=(0, 0, 400, 400), image_size=20)
    for corner in (face[0, 0], face[0, -1], face[-1, 0], face[-1, -1]):
        assert 190 < corner <= 240


@pytest.mark.parametrize("shrink", [2, 3.4, 8, 10.7])
def test_fine_texture_becomes_grey_not_noise(shrink):
    checks = (np.indices((400, 400)).sum(axis=0) % 2 * 255).astype(np.uint8)
    size = round(400 / shrink)
    face = align_face(checks, box=(0, 0, 400, 400), image_size=size)[2:-2, 2:-2]
    assert abs(face.mean() - 127.5) < 2
    assert face.std() < 25


def test_enlarging_is_smooth():
    picture = smooth_picture(40, 40, 3)
    face = align_face(picture, box=(0, 0, 40, 40), image_size=200)
    assert np.abs(face[2::5, 2::5].astype(int) - picture).max() <= 1


def test_equalize_spreads_the_greys():
    rng = np.random.default_rng(0)
    dull = rng.integers(100, 120, size=(48, 48, 3), dtype=np.uint8)
    gray = align_face(dull[..., 0], equalize=True)
    assert gray.shape == (48, 48)
    assert gray.min() == 0
    assert gray.max() == 255
    color = align_face(dull, equalize=True)
    assert color.shape == (48, 48, 3)
    assert np.ptp(color.mean(axis=2)) > 3 * np.ptp(dull.mean(axis=2))
    # Color differences stay: only luma is spread.
    chroma = np.asarray(Image.fromarray(color).convert("YCbCr"))[..., 1:]
    assert np.abs(chroma.astype(int) - 128).max() < 30


def test_equalized_gray_is_the_plain_face_equalized():
    picture, place = smooth_picture(40, 40, 0), {"box": (5, 5, 35, 35), "image_size": 24}
    plain = Image.fromarray(align_face(picture, **place))
    equalized = align_face(picture, equalize=True, **place)
    assert_array_equal(equalized, np.asarray(ImageOps.equalize(plain)))


@pytest.mark.parametrize(
    ("center", "inwards"),
    [
        ((-16.5, 9.5), (1, 0)),  # left of the picture,
        ((14.5, -16.5), (0, 1)),  # above,
        ((45.5, 9.5), (-1, 0)),  # right of
        ((14.5, 35.5), (0, -1)),  # and below it
    ],
)
def test_a_face_of_which_nothing_is_in_the_picture_is_refused(center, inwards):
    """It is 32 pixels wide, and touches the picture of 30 x 20 from outside."""

    def align(center):
        eyes = np.add(center, [(-8, 0), (8, 0)])
        return align_face(
            np.full((20, 30), 200, np.uint8),
            landmarks=place_landmarks(eyes),
            image_size=32,
            eye_distance=0.5,
            eye_height=0.5,
        )

    for outside in (center, np.subtract(center, np.multiply(50, inwards))):
        with pytest.raises(ValueError, match="lies outside of the image of 30 x 20 pixels"):
            align(outside)
    assert align(np.add(center, inwards)).any()


def test_pil_images_arrays_and_views_are_alike():
    pixels = np.random.default_rng(0).integers(0, 256, size=(60, 50, 3), dtype=np.uint8)
    landmarks = place_landmarks([(15, 20), (34, 22)])
    face = align_face(pixels, landmarks=landmarks)
    assert_array_equal(align_face(Image.fromarray(pixels), landmarks=landmarks), face)
    padded = np.zeros((60, 100, 3), np.uint8)
    padded[:, ::2] = pixels
    view = padded[:, ::2]
    view.setflags(write=False)
    assert_array_equal(align_face(view, landmarks=landmarks), face)
    gray = Image.fromarray(pixels).convert("L")
    assert align_face(gray).shape == (48, 48)


def test_landmarks_go_before_the_box():
    picture = smooth_picture(60, 60, 0)
    landmarks = place_landmarks(np.array([(20.0, 20.0), (40.0, 25.0)]), 5)
    face = align_face(picture, landmarks=landmarks)
    assert_array_equal(align_face(picture, landmarks=landmarks, box=(0, 0, 9, 9)), face)


def test_eyes_of_68_and_5_points():
    eyes = [(77.0, 78.0), (107.0, 90.0)]
    assert_allclose(find_eyes(place_landmarks(eyes, 68)), eyes)  # whose other points are unknown
    assert_allclose(find_eyes(place_landmarks(eyes, 5)), eyes)
    points = np.full((5, 2), np.nan)
    points[:2] = eyes
    assert_allclose(find_eyes(points), eyes)


PICTURE = np.zeros((20, 30), np.uint8)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"image": PICTURE.astype(float)}, "image must be uint8, got float64"),
        ({"image": "face.png"}, r"got text: read a file by PIL\.Image\.open"),
        ({"image": np.zeros((20, 30, 4), np.uint8)}, "image must have shape"),
        ({"image": np.zeros((0, 30), np.uint8)}, "image must have shape"),
        ({"image": np.zeros(30, np.uint8)}, "image must have shape"),
        ({"image": Image.new("F", (3, 3))}, "floating-point pixels"),
        (
            {"landmarks": np.ones((4, 2))},
            r"landmarks must have shape .*, got \(4, 2\)",
        ),
        ({"landmarks": np.ones((68, 3))}, "landmarks must have shape"),
        ({"landmarks": ["a", "b"]}, "landmarks must be an array of numbers"),
        ({"landmarks": np.ones((5, 2))}, r"landmarks has both eyes at \[1.0, 1.0\]"),
        ({"landmarks": np.full((5, 2), np.nan)}, "landmarks must be finite"),
        ({"landmarks": place_landmarks([(500, 5), (520, 5)])}, "outside of the image of 30 x 20"),
        ({"box": (0, 0, 5)}, "box must be four finite numbers"),
        ({"box": (0, 0, 5, np.inf)}, "box must be four finite numbers"),
        ({"box": (5, 0, 5, 8)}, "box must have x0 < x1 and y0 < y1"),
        ({"box": (0, -9, 5, -1)}, "outside of the image"),
        ({"image_size": 0}, "image_size must be a whole number of at least 1"),
        ({"image_size": 4.0}, "image_size must be a whole number of at least 1"),
        ({"eye_distance": 1.2}, "eye_distance must be a finite number above 0 and below 1"),
        ({"eye_height": 0}, "eye_height must be a finite number above 0 and below 1"),
        ({"margin": -0.5}, "margin must be a finite number above -0.5"),
        ({"margin": np.nan}, "margin must be a finite number above -0.5"),
    ],
)
def test_errors_name_the_argument(arguments, message):
    with pytest.raises(ValueError, match=message):
        align_face(**{"image": PICTURE, **arguments})
