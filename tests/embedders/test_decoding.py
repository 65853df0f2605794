"""Pictures that are decoded while the network works, and those that break meanwhile."""

import threading

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from PIL import Image
from skorch.callbacks import Callback

import skfer.embedders.samples._inputs as inputs
from skfer import CrossEntropyEmbedder, GaussianMetricEmbedder
from skfer.datasets import DatasetError, DatasetWarning
from skfer.training import PictureSource

QUICK = {
    "backbone": "scratch",
    "embedding_dim": 8,
    "max_epochs": 2,
    "samples_per_class": 4,
    "random_state": 0,
}


@pytest.fixture
def paths(faces, tmp_path):
    """The faces as files."""
    names = [str(tmp_path / f"{i}.png") for i in range(len(faces.images))]
    for name, image in zip(names, faces.images, strict=True):
        Image.fromarray(image).save(name)
    return names


@pytest.fixture
def lazily(monkeypatch):
    """Take all pictures for too many to keep."""
    monkeypatch.setattr(inputs, "MOST_DECODED", 0)


@pytest.mark.parametrize("given", [{}, {"color": True}, {"image_size": (20, 16)}])
def test_decoding_on_the_way_changes_nothing(faces, paths, monkeypatch, given):
    def fit():
        model = CrossEntropyEmbedder(**QUICK, **given)
        return model, model.fit_transform(paths, faces.target)

    _, expected = fit()
    monkeypatch.setattr(inputs, "MOST_DECODED", 0)
    model, Z = fit()
    assert_array_equal(Z, expected)
    assert_array_equal(model.transform(paths), expected)
    assert_array_equal(model.transform(paths[3:5]), expected[3:5])
    height, width = given.get("image_size", faces.images.shape[1:])
    assert model.input_shape_ == ((height, width, 3) if given.get("color") else (height, width))


@pytest.mark.usefixtures("lazily")
def test_scores_subclasses_and_partial_fit(faces, paths):
    model = GaussianMetricEmbedder(
        **QUICK, early_stopping=True, validation_fraction=0.3, scoring="accuracy", max_subclasses=2
    )
    y = np.where(np.arange(len(paths)) % 3 == 0, -1, faces.target)
    model.fit(paths, y).partial_fit(paths, y)
    assert "valid_accuracy" in model.history_[0]


@pytest.mark.usefixtures("lazily")
def test_a_fit_of_pictures_goes_on(faces, paths, tmp_path):
    whole = CrossEntropyEmbedder(**QUICK).fit(paths, faces.target).transform(paths)
    model = CrossEntropyEmbedder(**QUICK, checkpoint=tmp_path / "fits")

    away = [True]

    class Spoils(Callback):
        """Breaks a fit after the first epoch."""

        def on_epoch_begin(self, net, **kwargs):
            if away and len(net.history) == 2:
                raise OSError("disk is away")

    with pytest.raises(OSError, match="away"):
        model.set_params(callbacks=[Spoils()]).fit(paths, faces.target)
    away.clear()
    assert_array_equal(model.fit(paths, faces.target).transform(paths), whole)
    Image.fromarray(255 - faces.images[0]).save(paths[0])
    model.fit(paths, faces.target)
    assert len(list((tmp_path / "fits").iterdir())) == 2  # another picture is other data


@pytest.mark.usefixtures("lazily")
def test_a_picture_that_breaks_is_named(faces, paths):
    class Spoils(Callback):
        def on_epoch_end(self, net, **kwargs):
            with open(paths[5], "wb") as file:
                file.write(b"no picture")

    model = CrossEntropyEmbedder(**QUICK, callbacks=[Spoils()])
    before = set(threading.enumerate())
    with pytest.raises(DatasetError, match=r"5\.png.*\n?.*on_error='skip'") as caught:
        model.fit(paths, faces.target)
    assert caught.value.problems[0][0] == paths[5]
    assert not hasattr(model, "net_")  # as before
    assert not set(threading.enumerate()) - before


def test_a_picture_of_its_class_stands_in(faces, paths):
    y = faces.target
    broken = [4, 5]
    for i in broken:
        with open(paths[i], "wb") as file:
            file.write(b"no picture")
    model = CrossEntropyEmbedder(**QUICK, on_error="skip")
    with pytest.warns(DatasetWarning, match=r"X\[\d\].*stands in") as caught:
        model.fit(paths, y)
    assert len([w for w in caught if issubclass(w.category, DatasetWarning)]) == 2
    images = faces.images.copy()
    for i in broken:
        same = [j for j in np.flatnonzero(y == y[i]) if j not in broken]
        images[i] = images[min(same, key=lambda j: (j - i) % len(y))]
    expected = CrossEntropyEmbedder(**QUICK).fit(images, y)
    assert_array_equal(model.transform(images), expected.transform(images))
    with pytest.raises(DatasetError, match=r"4\.png"):
        model.transform(paths)


def test_a_pipeline_tells_before_it_trains(faces, paths):
    """It embeds what it has learned from, and of a broken picture there is no embedding."""
    with open(paths[5], "wb") as file:
        file.write(b"no picture")
    epochs = []

    class Counts(Callback):
        def on_epoch_end(self, net, **kwargs):
            epochs.append(len(net.history))

    model = CrossEntropyEmbedder(**QUICK, on_error="skip", callbacks=[Counts()])
    with pytest.raises(DatasetError, match=r"5\.png") as caught:
        model.fit_transform(paths, faces.target)
    assert "on_error" not in str(caught.value)  # which is given
    assert not epochs
    y = np.delete(faces.target, 5)
    fine = [path for path in paths if path != paths[5]]
    Z = model.fit_transform(fine, y)
    assert_array_equal(Z, model.transform(fine))


def test_a_class_without_a_picture_ends_the_fit(faces, paths):
    for i in np.flatnonzero(faces.target == faces.target[0]):
        with open(paths[i], "wb") as file:
            file.write(b"no picture")
    model = CrossEntropyEmbedder(**QUICK, on_error="skip")
    with pytest.raises(DatasetError, match=r"\.png") as caught:
        model.fit(paths, faces.target)
    assert "No picture with the label of X[" in caught.value.__notes__[0]


@pytest.mark.usefixtures("lazily")
def test_pictures_of_another_size_are_named(faces, paths):
    Image.fromarray(faces.images[0][:9]).save(paths[7])
    with pytest.raises(DatasetError, match=r"7\.png.*image_size"):
        CrossEntropyEmbedder(**QUICK).fit(paths, faces.target)


def test_few_pictures_are_decoded_ahead():
    """However many are asked for, in their order."""
    asked, taken = [], 0

    def read(item):
        return np.full((2, 3), item, dtype=np.uint8)

    def wanted():
        for i in range(50):
            asked.append(i)
            yield np.array([i, i + 1])

    source = PictureSource(list(range(60)), read, (2, 3))
    most = torch.get_num_threads() + 2
    for batch in source.ahead(wanted()):
        assert batch[:, 0, 0].tolist() == [taken, taken + 1]
        taken += 1
        assert len(asked) - taken <= most
    assert taken == 50
