"""Pictures of where a network looks."""

import copy

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import VotingClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline, make_union
from torch import nn

import skfer
from skfer.embedders import WithLabels
from skfer.exceptions import ArgumentError
from skfer.inspection import AttentionDisplay
from skfer.inspection._attention import _class_means
from skfer.inspection._gradients import similarity_maps

MAPS = np.zeros((4, 6, 6))
MAPS[:2, :2] = 0.5
MAPS[2:, 4:] = 0.8
IMAGES = np.arange(4 * 6 * 6, dtype=np.uint8).reshape(4, 6, 6)
Y = np.array(["joy", "joy", "rage", "rage"])


def test_mean_map_of_each_class():
    display = AttentionDisplay.from_maps(MAPS, IMAGES, Y, random_state=0)
    assert display.class_names_ == ["joy", "rage"]
    np.testing.assert_array_equal(display.class_maps_, MAPS[[0, 2]])
    assert len(display.maps_) == 2  # one face of each class
    assert len(display.images_) == 4  # alone, and under its map
    np.testing.assert_array_equal(display.maps_[0].get_array(), MAPS[0])
    assert [text.get_text() for text in display.ax_.texts] == ["joy", "rage"]
    display.plot(kind="classes")
    np.testing.assert_array_equal(display.images_[0].get_array(), IMAGES[:2].mean(axis=0).round())
    limits = {(one.norm.vmin, one.norm.vmax) for one in display.maps_}
    assert limits == {(0.0, 0.8)}


@pytest.mark.parametrize("n_classes", [1, 2, 3])
def test_few_classes_have_room(n_classes, tmp_path):
    names = np.array(["happiness", "contempt", "surprise", "anger"])[np.arange(4) % n_classes]
    display = AttentionDisplay.from_maps(MAPS, IMAGES, names, kind="classes")
    display.figure_.savefig(tmp_path / "maps.png", bbox_inches="tight")  # warns if there is none
    assert display.ax_.get_position().width > 0.2


def test_shares_of_the_parts():
    parts = np.zeros((4, 6, 6), dtype=np.uint8)
    parts[:, :3] = 1
    display = AttentionDisplay.from_maps(
        MAPS, IMAGES, Y, parts=parts, part_names=["chin", "eyes", "none"], kind="parts"
    )
    total = 2 * 12 * 0.5 + 2 * 12 * 0.8
    expected = {"chin": (2 * 12 * 0.8 / total, 0.5), "eyes": (12 / total, 0.5), "none": (0, 0)}
    assert display.part_shares_.keys() == expected.keys()
    for name, shares in expected.items():
        assert display.part_shares_[name] == pytest.approx(shares)
    widths = [bar.get_width() for bar in display.bars_]
    assert widths == pytest.approx(sorted(share for share, _ in expected.values()))


def test_maps_stay_in_single_precision_and_look_as_in_double():
    rng = np.random.RandomState(0)
    maps, images = rng.rand(6, 8, 8).astype(np.float32), np.zeros((6, 8, 8))
    single, double = (
        AttentionDisplay.from_maps(given, images, [0, 0, 0, 1, 1, 1], random_state=0)
        for given in (maps, maps.astype(np.float64))
    )
    assert single.maps.dtype == np.float32
    assert double.maps.dtype == np.float64
    np.testing.assert_array_equal(single.class_maps_, double.class_maps_)
    for one, other in zip(single.maps_, double.maps_, strict=True):
        np.testing.assert_array_equal(one.get_array(), other.get_array())


def test_given_rows_and_unlabeled_faces():
    display = AttentionDisplay.from_maps(
        MAPS, IMAGES, [0, -1, 1, 2], rows=[1, 3], names=["a", "b", "c"]
    )
    assert [text.get_text() for text in display.ax_.texts] == ["unlabeled", "c"]
    blind = AttentionDisplay.from_maps(MAPS, IMAGES)
    assert len(blind.maps_) == 4
    with pytest.raises(ArgumentError, match="no class to show"):
        blind.plot(kind="classes")


def test_attention_of_an_embedder(faces, triplet_center):
    X, y = faces.images, faces.target
    display = AttentionDisplay.from_estimator(
        triplet_center, X, y, names=faces, parts=faces.parts, part_names=faces.part_names
    )
    np.testing.assert_allclose(display.maps, triplet_center.attention_maps(X)[0], rtol=1e-6)
    assert display.class_names_ == ["anger", "happiness", "neutral", "surprise"]
    assert sum(share for share, _ in display.part_shares_.values()) == pytest.approx(1)
    model = make_pipeline(triplet_center, KNeighborsClassifier(3)).fit(X, y)
    blind = AttentionDisplay.from_estimator(model, X)
    assert len(blind.class_names_) >= 2


@pytest.mark.parametrize("kind", ["multi_threshold", "gaussian", "triplet_center"])
def test_gradients_of_any_embedder(kind, faces, request, tmp_path):
    model = request.getfixturevalue(kind)
    X, y = faces.images[:12], faces.target[:12]
    before = copy.deepcopy(model.net_.module_.state_dict())
    display = AttentionDisplay.from_estimator(model, X, y, method="gradient", names=faces)
    assert display.maps.shape == (12, 24, 24)
    assert display.maps.min() >= 0
    # Each map has a cell of 1, which enlarging may smooth.
    assert 0.8 < display.maps.max() <= 1 + 1e-6
    assert "own class" in display.told
    for name, value in model.net_.module_.state_dict().items():
        torch.testing.assert_close(value, before[name], rtol=0, atol=0)
    # By any door the same, and with unlabeled faces.
    paths = [tmp_path / f"{i}.png" for i in range(12)]
    for path, face in zip(paths, X, strict=True):
        Image.fromarray(face).save(path)
    column = pd.Series(map(str, paths), index=[f"face {i}" for i in range(12)])
    pictures = [Image.fromarray(face) for face in X]
    for door in (paths, pictures, list(X), column, column.to_frame(), column.array):
        other = AttentionDisplay.from_estimator(model, door, y, method="gradient")
        np.testing.assert_allclose(other.maps, display.maps, atol=1e-5)
    some = np.where(np.arange(12) % 4 == 0, -1, y)
    assert AttentionDisplay.from_estimator(model, X, some, method="gradient").maps.shape[0] == 12


def test_rows_that_are_pictures(faces):
    model = skfer.CrossEntropyEmbedder(8, image_size=24, max_epochs=1, random_state=0)
    model.fit(faces.data, faces.target)
    from_rows = AttentionDisplay.from_estimator(model, faces.data, faces.target, rows=[3])
    from_images = AttentionDisplay.from_estimator(model, faces.images, faces.target, rows=[3])
    np.testing.assert_array_equal(from_rows.maps, from_images.maps)
    np.testing.assert_array_equal(from_rows.images_[0].get_array(), faces.images[3])


CONTAINERS = {
    "a tensor": torch.from_numpy,
    "a list of tensors": lambda images: list(torch.from_numpy(images)),
    "nested lists": np.ndarray.tolist,
    "pictures": lambda images: [Image.fromarray(image) for image in images],
}


@pytest.mark.parametrize("given_as", CONTAINERS.values(), ids=CONTAINERS)
def test_gradients_of_whatever_an_embedder_takes(given_as, triplet_center, faces):
    model, images, y = triplet_center, faces.images[:6], faces.target[:6]
    expected = AttentionDisplay.from_estimator(model, images, y, method="gradient")
    display = AttentionDisplay.from_estimator(model, given_as(images), y, method="gradient")
    np.testing.assert_allclose(display.maps, expected.maps, atol=1e-5)
    assert not np.array_equal(expected.maps[0], expected.maps[1])


def test_gradients_of_numbers_beyond_single_precision(triplet_center, faces):
    """They are told from each other as the embedder tells them."""
    model, images, y = triplet_center, faces.images[:6].astype(float), faces.target[:6]
    far = AttentionDisplay.from_estimator(model, images + 2.0**40, y, method="gradient")
    near = AttentionDisplay.from_estimator(model, images, y, method="gradient")
    np.testing.assert_allclose(far.maps, near.maps, atol=1e-3)


def test_gradients_towards_a_class_or_a_face(faces, multi_threshold):
    X, y = faces.images, faces.target
    to_class = AttentionDisplay.from_estimator(multi_threshold, X, y, target=4, names=faces)
    assert to_class.told == "similarity to happiness"
    to_face = AttentionDisplay.from_estimator(multi_threshold, X, y, face=X[3])
    assert to_face.told == "similarity to the given face"
    assert not np.array_equal(to_class.maps, to_face.maps)


def test_faces_without_a_label_look_for_the_class_that_is_nearest():
    Z = np.array([[0.0, 0], [2, 0], [10, 0], [3, 0], [8, 0], [9, 1]])
    y = ["joy", "joy", "rage", None, None, "rage"]
    means = [[1, 0], [9.5, 0.5]]
    targets, told = _class_means(Z, y, None, None)
    assert told == "similarity to the own class"
    np.testing.assert_array_equal(targets, [means[k] for k in (0, 0, 1, 0, 1, 1)])


class Shifted(nn.Module):
    """Features of a backbone, one channel of which is shifted."""

    def __init__(self, backbone, channel, shift):
        super().__init__()
        self.backbone, self.channel, self.shift = backbone, channel, shift

    def forward(self, x):
        features = self.backbone(x)
        moved = torch.zeros_like(features)
        moved[:, self.channel] = self.shift
        return features + moved


def test_channels_are_weighted_by_the_slope_of_the_similarity(faces, multi_threshold):
    X, model = faces.images[:3], multi_threshold
    targets = model.transform(faces.images[10:13])
    network = copy.deepcopy(model.net_.module_).double().eval()
    backbone = network.backbone
    with torch.no_grad():
        standard = torch.from_numpy(X.astype(np.float64))
        standard = (standard - standard.mean((1, 2), keepdim=True)) / standard.std(
            (1, 2), keepdim=True, correction=0
        )
        features = backbone(standard[:, None])

    def similarity(channel, shift):
        network.backbone = Shifted(backbone, channel, shift)
        with torch.no_grad():
            pooled = network.pool(network.backbone(standard[:, None]))[0]
            raw = network.standardize(network.project(pooled))
            embedding = model.features_of(raw)
        return torch.cosine_similarity(embedding, torch.from_numpy(targets).double())

    step = 1e-4
    slopes = [
        (similarity(channel, step) - similarity(channel, -step)) / (2 * step)
        for channel in range(features.shape[1])
    ]
    expected = torch.einsum("cn,nchw->nhw", torch.stack(slopes), features).clamp_min(0)
    expected = expected / expected.amax((1, 2), keepdim=True)
    found = similarity_maps(model, X, targets)
    resized = nn.functional.interpolate(
        expected[:, None], (24, 24), mode="bilinear", align_corners=False
    )
    np.testing.assert_allclose(found, resized[:, 0].numpy(), atol=2e-3)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"maps": MAPS[0]}, "maps must be finite"),
        ({"maps": -MAPS}, "maps must be finite"),
        ({"maps": MAPS * np.nan}, "maps must be finite"),
        ({"images": IMAGES[:2]}, "images holds 2 pictures"),
        ({"y": Y[:2]}, "y has 2 entries"),
        ({"rows": [7]}, "rows must be rows of X"),
        ({"rows": 9}, "rows"),
        ({"parts": MAPS}, "parts must have a part's number"),
        ({"parts": MAPS.astype(int)}, "part_names must name"),
        ({"parts": MAPS.astype(int) + 3, "part_names": ["a"]}, "part_names must name"),
        ({"kind": "mean"}, "kind must be one of"),
        ({"kind": "parts"}, "kind=parts needs parts and part_names"),
    ],
)
def test_refusals_name_the_argument(options, text):
    with pytest.raises(ArgumentError, match=text):
        AttentionDisplay.from_maps(**{"maps": MAPS, "images": IMAGES, "y": Y} | options)


def test_refusals_of_models(faces, multi_threshold, gaussian_subclasses, blobs):
    X, y = faces.images, faces.target
    show = AttentionDisplay.from_estimator
    with pytest.raises(ArgumentError, match="method=attention needs an embedder"):
        show(multi_threshold, X, y, method="attention")
    with pytest.raises(ArgumentError, match="method must be one of"):
        show(multi_threshold, X, y, method="grad")
    with pytest.raises(ArgumentError, match="y is missing"):
        show(make_union(FrozenEstimator(multi_threshold)), X, method="gradient")
    with pytest.raises(ArgumentError, match="target holds"):
        show(multi_threshold, X, y, target=99)
    with pytest.raises(ArgumentError, match="a fitted embedder"):
        show(KNeighborsClassifier(), X, y)
    with pytest.raises(ArgumentError, match="rows of 6 numbers"):
        show(gaussian_subclasses, blobs[0], blobs[1])


def test_backbone_without_a_map(faces):
    class Flat(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(24 * 24, 6)

        def forward(self, x):
            return self.layer(x.flatten(1))

    model = skfer.CrossEntropyEmbedder(8, backbone=Flat(), max_epochs=1, random_state=0)
    model.fit(faces.images, faces.target)
    with pytest.raises(ArgumentError, match="rows of 6 features, and no map"):
        AttentionDisplay.from_estimator(model, faces.images, faces.target)


@pytest.mark.parametrize(
    "options",
    [{"cmap": "viridis"}, {"alpha": 0.2}, {"vmin": 0, "vmax": 9}, {"interpolation": "nearest"},
     {"norm": plt.Normalize(0, 1)}, {"opacity": 1}, {"caption": ""}, {"kind": "classes"}],
    ids=lambda options: "-".join(options),
)  # fmt: skip
def test_nothing_passed_on_makes_matplotlib_warn(options):
    _, ax = plt.subplots()
    display = AttentionDisplay.from_maps(MAPS, IMAGES, Y, ax=ax, **options)
    display.figure_.canvas.draw()
    assert display.ax_ is ax
    zeros = AttentionDisplay.from_maps(np.zeros_like(MAPS), IMAGES, Y, **options)
    zeros.figure_.canvas.draw()


def test_parts_with_long_names_have_a_picture_of_one_size():
    def drawn(names):
        parts = np.arange(2).repeat(MAPS[0].size // 2).reshape(MAPS[0].shape)
        parts = np.tile(parts, (len(MAPS), 1, 1))
        display = AttentionDisplay.from_maps(
            MAPS, IMAGES, Y, kind="parts", parts=parts, part_names=names
        )
        display.figure_.canvas.draw()
        (caption,) = [t for t in display.ax_.findobj(plt.Text) if "Parts" in t.get_text()]
        assert caption.get_window_extent().x1 <= display.figure_.bbox.x1
        return display.ax_.bbox.width

    long = drawn(["a very long name of the part of a face", "b"])
    assert long > 0.95 * drawn(["background", "b"])


def ring_maps(faces):
    rows, columns = np.mgrid[:24, :24] - 12
    near = np.exp(-((np.hypot(rows, columns) - 6) ** 2) / 9)
    return np.stack([near * (1 + code) / 8 for code in faces.target])


@pytest.mark.parametrize("kind", ["faces", "classes", "parts"])
def test_looks_as_kept(kind, faces, as_kept):
    style = "dark_background" if kind == "classes" else "default"
    with plt.style.context(style):
        display = AttentionDisplay.from_maps(
            ring_maps(faces),
            faces.images,
            faces.target,
            rows=[0, 2, 4, 6],
            parts=faces.parts,
            part_names=faces.part_names,
            names=faces,
            kind=kind,
        )
        as_kept(display.figure_, f"attention_{kind}")


def test_an_embedder_inside_another_model(faces):
    X, y = faces.images, faces.target
    embedder = skfer.TripletCenterEmbedder(16, max_epochs=1, random_state=0)
    model = make_pipeline(WithLabels(embedder), KNeighborsClassifier(3)).fit(X, y)
    display = AttentionDisplay.from_estimator(model, X, y)
    expected = AttentionDisplay.from_estimator(model[0].embedder_, X, y)
    np.testing.assert_array_equal(display.maps, expected.maps)
    folds = CalibratedClassifierCV(embedder, cv=2).fit(X, y)
    words = "got CalibratedClassifierCV, which holds TripletCenterEmbedder 1, .* 2: give one of"
    with pytest.raises(ArgumentError, match=words):
        AttentionDisplay.from_estimator(folds, X, y)


@pytest.mark.parametrize("kind", ["columns", "votes"])
def test_an_embedder_of_other_inputs_or_labels_is_named(rows, kind):
    """Columns of X, or codes of the labels, which only the whole model can make."""
    X, y = rows
    embedder = FrozenEstimator(skfer.CrossEntropyEmbedder(4, max_epochs=1).fit(X, y))
    if kind == "columns":
        model = ColumnTransformer([("one", embedder, [0, 1, 2, 3, 4])]).fit(X)
    else:
        model = VotingClassifier([("one", embedder)]).fit(X, y)
    with pytest.raises(ArgumentError, match=", which holds CrossEntropyEmbedder: give one of them"):
        AttentionDisplay.from_estimator(model, X, y)
