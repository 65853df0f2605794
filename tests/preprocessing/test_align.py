"""The aligner as a scikit-learn transformer."""

import pickle
import re
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from PIL import Image
from sklearn import config_context
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import estimator_checks, get_tags

from skfer import CrossEntropyEmbedder
from skfer.datasets import decode_images
from skfer.preprocessing import FaceAligner, NoFaceWarning, align_face

LANDMARKS = np.array([(12, 15), (28, 17), (20, 25), (14, 32), (26, 33)], dtype=float)


def make_pictures(n=4, shape=(40, 44)):
    return np.random.default_rng(0).integers(0, 256, size=(n, *shape), dtype=np.uint8)


def find_box(image):
    """A detector: a box that depends on the picture."""
    return (image[0, 0] % 8, 3, 30, 33)


@pytest.mark.parametrize(
    "name",
    [
        "check_do_not_raise_errors_in_init_or_set_params",
        "check_estimator_cloneable",
        "check_estimator_repr",
        "check_estimator_tags_renamed",
        "check_get_params_invariance",
        "check_no_attributes_set_in_init",
        "check_param_validation",
        "check_parameters_default_constructible",
        "check_set_params",
        "check_valid_tag_types",
    ],
)
def test_passes_the_checks_that_apply_to_images(name):
    # check_estimator itself makes rows only, and leaves out estimators that refuse rows.
    getattr(estimator_checks, name)("FaceAligner", FaceAligner())


def test_tags_say_what_it_takes():
    tags = get_tags(FaceAligner())
    assert tags.input_tags.three_d_array
    assert not tags.input_tags.two_d_array
    assert not tags.requires_fit
    assert tags.no_validation


def test_aligns_each_picture_as_the_function_does():
    pictures = make_pictures(shape=(40, 44, 3))
    options = {"image_size": 24, "eye_distance": 0.4, "eye_height": 0.4, "equalize": True}
    landmarks = LANDMARKS + np.arange(4)[:, None, None]
    faces = FaceAligner(**options).fit_transform(pictures, landmarks=landmarks)
    assert faces.shape == (4, 24, 24, 3)
    assert faces.dtype == np.uint8
    for face, picture, points in zip(faces, pictures, landmarks, strict=True):
        assert_array_equal(face, align_face(picture, landmarks=points, **options))
    boxes = [(0, 0, 20, 20)] * 4
    faces = FaceAligner(margin=0.2).fit_transform(pictures[..., 0], boxes=boxes)
    assert_array_equal(faces[2], align_face(pictures[2, ..., 0], box=boxes[2], margin=0.2))
    assert_array_equal(FaceAligner(margin=0.2).transform(pictures[..., 0], boxes=boxes), faces)


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64, np.int64, np.uint16])
@pytest.mark.parametrize("detector", [None, lambda image: (image[0, 0, 0] % 8, 3, 30, 33)])
def test_numbers_of_any_kind_are_pixels(kind, detector):
    """As embedders take them."""
    pictures, aligner = make_pictures(shape=(40, 44, 3)), FaceAligner(detector=detector)
    expected = aligner.transform(pictures)
    assert_array_equal(aligner.transform(pictures.astype(kind)), expected)
    assert_array_equal(aligner.transform(list(pictures.astype(kind))), expected)
    if np.dtype(kind).kind == "f":
        assert_array_equal(aligner.transform((pictures / 255).astype(kind)), expected)
    boxes = [(1, 2, 30, 33)] * 4
    expected = aligner.transform(pictures, boxes=boxes)
    assert_array_equal(aligner.transform(pictures.astype(kind), boxes=boxes), expected)


def test_whole_pictures_without_any_place():
    pictures = make_pictures(shape=(48, 48, 1))
    assert_array_equal(FaceAligner().transform(pictures), pictures)


def test_landmarks_then_boxes_then_detector():
    pictures = make_pictures(5)
    landmarks = [LANDMARKS, None, np.full((68, 2), np.nan), None, LANDMARKS]
    boxes = np.array([[1, 1, 9, 9], [2, 2, 30, 30], [3, 3, 31, 31], [np.nan] * 4, [np.nan] * 4])
    asked = []

    def detector(image):
        asked.append(image)
        return find_box(image)

    faces = FaceAligner(detector=detector).transform(pictures, landmarks=landmarks, boxes=boxes)
    assert_array_equal(faces[0], align_face(pictures[0], landmarks=LANDMARKS))
    assert_array_equal(faces[1], align_face(pictures[1], box=boxes[1]))
    assert_array_equal(faces[2], align_face(pictures[2], box=boxes[2]))
    assert_array_equal(faces[3], align_face(pictures[3], box=find_box(pictures[3])))
    assert_array_equal(faces[4], align_face(pictures[4], landmarks=LANDMARKS))
    (image,) = asked
    assert_array_equal(image, pictures[3])


def make_68(landmarks):
    """68 points whose eyes, nose and mouth are the five given ones."""
    points = np.zeros((68, 2))
    points[36:42], points[42:48] = landmarks[:2, None].repeat(6, axis=1)
    points[30], points[48], points[54] = landmarks[2:]
    return points


@pytest.mark.parametrize("found", [LANDMARKS, LANDMARKS.tolist(), make_68(LANDMARKS)])
def test_a_detector_may_return_landmarks(found):
    found = np.asarray(found)
    picture = make_pictures(1)
    faces = FaceAligner(detector=lambda image: found).transform(picture)
    assert_array_equal(faces[0], align_face(picture[0], landmarks=found))


@pytest.mark.parametrize("nothing", [None, (), [], np.empty((0, 4))], ids=repr)
def test_a_detector_may_find_nothing(nothing):
    pictures = make_pictures(3)

    def detector(image):
        return nothing if np.array_equal(image, pictures[1]) else find_box(image)

    with pytest.raises(ValueError, match=r"X\[1\] cannot be aligned: the detector found no face"):
        FaceAligner(detector=detector).transform(pictures)
    faces = FaceAligner(detector=detector, no_face="whole").transform(pictures)
    assert_array_equal(faces[1], align_face(pictures[1]))
    assert_array_equal(faces[0], align_face(pictures[0], box=find_box(pictures[0])))


def test_sequences_of_any_sizes_and_kinds(tmp_path):
    pictures = [make_pictures(1, shape)[0] for shape in [(30, 40), (50, 20), (64, 64)]]
    paths = []
    for row, picture in enumerate(pictures):
        paths.append(tmp_path / f"{row}.png")
        Image.fromarray(picture).save(paths[-1])
    expected = np.stack([align_face(picture) for picture in pictures])
    objects = np.empty(3, dtype=object)
    objects[:] = pictures
    for X in (
        pictures,
        objects,
        [Image.fromarray(picture) for picture in pictures],
        paths,
        [str(path) for path in paths],
        np.array([str(path) for path in paths]),
        [pictures[0], paths[1], Image.fromarray(pictures[2])],
    ):
        assert_array_equal(FaceAligner().transform(X), expected)


def test_memmaps(tmp_path):
    pictures = make_pictures()
    np.save(tmp_path / "pictures.npy", pictures)
    mapped = np.load(tmp_path / "pictures.npy", mmap_mode="r")
    assert_array_equal(FaceAligner().transform(mapped), FaceAligner().transform(pictures))


def test_grey_and_color(tmp_path):
    gray, rgb = make_pictures(1)[0], make_pictures(1, (40, 44, 3))[0]
    palette = Image.fromarray(gray).convert("P")
    palette.save(tmp_path / "palette.png")
    X = [gray, gray[..., None], rgb, tmp_path / "palette.png"]
    faces = FaceAligner(color=True).transform(X)
    assert faces.shape == (4, 48, 48, 3)
    for row in (0, 1, 3):
        assert_array_equal(faces[row], np.repeat(align_face(gray)[..., None], 3, axis=2))
    assert_array_equal(faces[2], align_face(rgb))
    faces = FaceAligner(color=False).transform(X)
    assert faces.shape == (4, 48, 48)
    assert_array_equal(faces[2], align_face(Image.fromarray(rgb).convert("L")))
    assert_array_equal(faces[1], align_face(gray))
    with pytest.raises(ValueError, match=r"X\[2\] has other channels .* color=True or color=False"):
        FaceAligner().transform([gray, gray, rgb])


def test_files_are_turned_upright(tmp_path):
    picture = Image.fromarray(make_pictures(1)[0])
    exif = Image.Exif()
    exif[0x0112] = 6  # Turn by a quarter to the right when showing.
    picture.save(tmp_path / "phone.png", exif=exif)
    face = FaceAligner().transform([tmp_path / "phone.png"])[0]
    assert_array_equal(face, align_face(picture.transpose(Image.Transpose.ROTATE_270)))


def test_in_a_pipeline_with_routing():
    pictures = make_pictures(40)
    y = np.arange(40) % 2
    landmarks = np.repeat(LANDMARKS[None], 40, axis=0) + np.arange(40)[:, None, None] % 5
    with config_context(enable_metadata_routing=True):
        aligner = FaceAligner(image_size=8).set_transform_request(landmarks=True)
        flatten = FunctionTransformer(lambda faces: faces.reshape(len(faces), -1) / 255)
        model = make_pipeline(aligner, flatten, LogisticRegression())
        model.fit(pictures, y, landmarks=landmarks)
        probability = model.predict_proba(pictures, landmarks=landmarks)
        assert model.score(pictures, y, landmarks=landmarks) > 0.5
    faces = FaceAligner(image_size=8).transform(pictures, landmarks=landmarks)
    plain = LogisticRegression().fit(faces.reshape(40, -1) / 255, y)
    assert_array_equal(probability, plain.predict_proba(faces.reshape(40, -1) / 255))


def test_in_cross_validation_with_a_detector():
    pictures, y = make_pictures(30), np.arange(30) % 2
    flatten = FunctionTransformer(lambda faces: faces.reshape(len(faces), -1) / 255)
    aligner = FaceAligner(detector=find_box, image_size=6)
    model = make_pipeline(aligner, flatten, LogisticRegression())
    assert cross_val_score(model, pictures, y, cv=3, error_score="raise").shape == (3,)


def test_copies_pickles_and_repeats_are_alike():
    pictures = make_pictures()
    aligner = FaceAligner(detector=find_box, image_size=20, equalize=True)
    expected = aligner.transform(pictures)
    before = dict(vars(aligner))
    aligner.fit(pictures)
    assert vars(aligner) == before
    for twin in (aligner, clone(aligner), pickle.loads(pickle.dumps(aligner))):
        assert_array_equal(twin.transform(pictures), expected)
    halves = [aligner.transform(pictures[:1]), aligner.transform(pictures[1:])]
    assert_array_equal(np.concatenate(halves), expected)


def test_data_frame_output_is_left_alone():
    pictures = make_pictures(shape=(48, 48))
    with config_context(transform_output="pandas"):
        assert_array_equal(FaceAligner().transform(pictures), pictures)
    model = make_pipeline(FaceAligner()).set_output(transform="pandas")
    assert_array_equal(model.fit_transform(pictures), pictures)


def test_names_go_on_behind_it(tmp_path):
    pictures = make_pictures(6, (24, 24))
    for row, picture in enumerate(pictures):
        Image.fromarray(picture).save(tmp_path / f"{row}.png")
    table = pd.DataFrame({"path": [f"{tmp_path}/{row}.png" for row in range(6)], "age": range(6)})
    embedder = CrossEntropyEmbedder(2, max_epochs=1, random_state=0)
    faces = make_pipeline(FaceAligner(image_size=20), embedder)
    columns = ColumnTransformer([("face", faces, ["path"]), ("rest", "passthrough", ["age"])])
    found = columns.set_output(transform="pandas").fit_transform(table, [0, 1, 0, 1, 0, 1])
    names = ["face__crossentropyembedder0", "face__crossentropyembedder1", "rest__age"]
    assert found.columns.tolist() == columns.get_feature_names_out().tolist() == names
    assert FaceAligner().get_feature_names_out().tolist() == ["facealigner"]


@pytest.mark.parametrize(
    ("X", "arguments", "message"),
    [
        (make_pictures() + 1.0, {}, r"X\[0\] .*: image must be uint8, or .* to 256: scale to"),
        (make_pictures() - 128.0, {}, r"X\[0\] cannot be aligned: image must be uint8"),
        (make_pictures() * np.nan, {}, r"X\[0\] cannot be aligned: image must be uint8"),
        (make_pictures().astype(np.uint16) * 257, {}, r"got uint16 from 0 to 65535"),
        (make_pictures() * 1j, {}, r"X\[0\] .* image must be uint8, got complex128"),
        (make_pictures().reshape(4, -1), {}, r"X must be images of shape .* got an array of shape"),
        (
            np.zeros((2, 3, 9, 9), np.uint8),
            {},
            r"got \(3, 9, 9\). Move the channels last: np\.move",
        ),
        (np.zeros((2, 2, 9, 9), np.uint8), {}, r"got \(2, 9, 9\)\.$"),
        ("face.png", {}, "X must be images of shape .* got 'face.png'"),
        (Path("face.png"), {}, "X must be images of shape"),
        ([], {}, "X must hold at least one image"),
        (3, {}, "X must hold at least one image"),
        (make_pictures(), {"landmarks": [LANDMARKS]}, "landmarks has 1 entries but X has 4 images"),
        (make_pictures(), {"boxes": np.ones((5, 4))}, "boxes has 5 entries but X has 4 images"),
        (make_pictures(2), {"boxes": [None, (0, 0, 9)]}, r"X\[1\] .*: box must be four finite"),
        (make_pictures(1), {"boxes": ["abcd"]}, "landmarks and boxes must be numbers"),
        ([make_pictures(1)[0], object()], {}, r"X\[1\] cannot be aligned: image must be uint8"),
        ([Image.new("F", (9, 9))], {}, r"X\[0\] .* floating-point pixels"),
    ],
)
def test_errors_name_the_argument(X, arguments, message):
    with pytest.raises(ValueError, match=message):
        FaceAligner().transform(X, **arguments)


def test_bad_detectors():
    with pytest.raises(ValueError, match=r"the detector returned an array of shape \(2, 2\)"):
        FaceAligner(detector=lambda image: np.ones((2, 2))).transform(make_pictures())
    with pytest.raises(ValueError, match="no_face"):
        FaceAligner(no_face="skip").transform(make_pictures())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no such file"),
        (b"", "an empty file"),
        (b"not a picture", "not a picture in a known format"),
        (b"PK\x03\x04", "a zip archive"),
        (b"<html>", r"a text \(HTML"),
        ("cut", "a truncated picture"),
    ],
)
def test_faulty_files_are_told_by_row_and_name(tmp_path, content, message):
    good, bad = tmp_path / "good.png", tmp_path / "bad.png"
    Image.fromarray(make_pictures(1, (60, 60))[0]).save(good)
    if content == "cut":
        content = good.read_bytes()[:2000]
    if content is not None:
        bad.write_bytes(content)
    with pytest.raises(ValueError, match=rf"X\[1\] cannot be aligned: '.*bad\.png': {message}"):
        FaceAligner().transform([good, bad])


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_what_is_transparent_is_black(tmp_path, mode):
    picture = Image.fromarray(make_pictures(1, (48, 48))[0]).convert(mode)
    alpha = np.full((48, 48), 255, dtype=np.uint8)
    alpha[:, 20:] = 0
    expected = np.array(picture)
    expected[:, 20:] = 0
    picture.putalpha(Image.fromarray(alpha))
    picture.save(tmp_path / "alpha.png")
    faces = FaceAligner().transform([tmp_path / "alpha.png", picture])
    for face in faces:
        assert_array_equal(face, expected)
    decoded = decode_images([tmp_path / "alpha.png"], color=mode == "RGB")
    assert_array_equal(faces[:1], decoded)


@pytest.mark.parametrize(
    ("shape", "is_told"),
    [
        ((900, 1280), True),
        ((1280, 900, 3), True),
        ((490, 490), True),
        ((480, 480), False),
        ((130, 160), False),
        ((140, 180), True),
        ((100, 180), False),  # small as a crop, of whatever shape
    ],
)
def test_a_photograph_is_not_taken_for_a_face_without_a_word(shape, is_told, tmp_path):
    photo = np.zeros(shape, np.uint8)
    Image.fromarray(photo).save(tmp_path / "photo.png")
    for pictures in ([photo], photo[None], [Image.fromarray(photo)], [tmp_path / "photo.png"]):
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            FaceAligner().transform(pictures)
        assert [warning.category for warning in told] == [NoFaceWarning] * is_told
    if is_told:
        sides = f"{max(shape[:2])} x {min(shape[:2])} pixels"
        assert re.search(rf"photo\.png \({sides}\): .*no_face='whole'", str(told[0].message))
    box = [(0, 0, 40, 40)]  # nothing is told where it is known what is a face
    FaceAligner().transform([photo], boxes=box)
    FaceAligner().transform([photo], landmarks=[None], boxes=box)
    FaceAligner(no_face="whole").transform([photo])
    FaceAligner(detector=lambda picture: box).transform([photo])


def test_files_of_many_kinds_are_read_as_data_sets_read_them(tmp_path):
    gray = Image.fromarray(make_pictures(1, (48, 48))[0])
    made = {
        "deep.png": Image.fromarray(np.asarray(gray).astype(np.uint16) * 257),
        "palette.gif": gray.convert("P"),
        "gray.jpg": gray,
        "ink.jpg": gray.convert("CMYK"),
        "bits.png": gray.convert("1"),
    }
    for name, picture in made.items():
        picture.save(tmp_path / name)
    paths = [tmp_path / name for name in made]
    faces = FaceAligner(color=False).transform(paths)
    for name, face in zip(made, faces, strict=True):
        color = name in ("palette.gif", "ink.jpg")
        decoded = decode_images([tmp_path / name], color=color)
        assert_array_equal(face, FaceAligner(color=False).transform(decoded)[0], err_msg=name)


@pytest.mark.parametrize("name", ["boxes", "landmarks"])
def test_pandas_objects_are_taken_by_position(name):
    pictures = make_pictures(6)
    steps = np.arange(6)[:, None]
    boxes = np.array([1, 2, 20, 21]) + steps
    values = boxes if name == "boxes" else LANDMARKS + steps[:, None]
    expected = FaceAligner().transform(pictures, **{name: values})
    shuffled = pd.Series(list(values), index=[3, 0, 5, 1, 4, 2])
    filtered = pd.Series([None, *values], index=range(7)).iloc[1:]
    objects = [shuffled, filtered]
    if name == "boxes":
        objects.append(pd.DataFrame(boxes, index=[3, 0, 5, 1, 4, 2]))
    for given in objects:
        assert_array_equal(FaceAligner().transform(pictures, **{name: given}), expected)


def test_pandas_paths(tmp_path):
    pictures = make_pictures(3)
    for row, picture in enumerate(pictures):
        Image.fromarray(picture).save(tmp_path / f"{row}.png")
    table = pd.DataFrame({"path": [str(tmp_path / f"{row}.png") for row in range(3)]})
    table.index = [2, 0, 1]
    faces = FaceAligner().transform(table["path"])
    assert_array_equal(faces, FaceAligner().transform(pictures))
    for column in (table, table.to_numpy(), table.to_numpy().astype(str)):
        assert_array_equal(FaceAligner().transform(column), faces)
    with pytest.raises(ValueError, match=r"got a DataFrame: give the column with the paths"):
        FaceAligner().transform(table.assign(age=3))
    with pytest.raises(ValueError, match="boxes must be a list of entries, one for each image"):
        FaceAligner().transform(table["path"], boxes=3)


@pytest.mark.parametrize("color", [False, True])
@pytest.mark.parametrize(
    ("mode", "kind"), [("P", "png"), ("RGBA", "png"), ("RGB", "jpg"), ("CMYK", "jpg"), ("L", "jpg")]
)
@pytest.mark.parametrize("shape", [(64, 64), (90, 60), (400, 400), (20, 30)])
def test_every_door_gives_the_same_pixels(tmp_path, mode, kind, color, shape):
    """Files read by a data set or by the aligner, and pictures of Pillow, whole."""
    picture = Image.fromarray(make_pictures(1, (*shape, 3))[0]).convert(mode)
    paths = [tmp_path / f"{i}.{kind}" for i in range(2)]
    for path in paths:
        picture.save(path)
    expected = decode_images(paths, image_size=48, color=color)
    aligner = FaceAligner(color=color)
    assert_array_equal(aligner.transform(paths), expected)
    with Image.open(paths[0]) as one, Image.open(paths[1]) as other:
        assert_array_equal(aligner.transform([one, other]), expected)
    if kind == "png":
        assert_array_equal(aligner.transform([picture, picture]), expected)
