"""Paths and pictures given as X."""

import os
import pickle
import warnings
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from PIL import Image
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import FeatureUnion
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from skfer import CrossEntropyEmbedder, EmbeddingCollapseWarning
from skfer.preprocessing import NoFaceWarning


@pytest.fixture
def paths(faces, tmp_path):
    for i, image in enumerate(faces.images):
        Image.fromarray(image).save(tmp_path / f"{i:03d}.png")
    return np.array(sorted(str(p) for p in tmp_path.glob("*.png")))


def test_paths_are_decoded(embedder, faces, paths):
    expected = clone(embedder).fit(faces.images, faces.target).transform(faces.images)
    for given in (paths, paths.astype(object), paths.tolist()):
        Z = clone(embedder).fit(given, faces.target).transform(given)
        assert_array_equal(Z, expected)


@pytest.mark.parametrize(
    "kind",
    [
        lambda paths: [Path(path) for path in paths],
        lambda paths: [PurePosixPath(path) for path in paths],
        lambda paths: [os.fsencode(path) for path in paths],
        lambda paths: paths[:, None],
        pd.Index,
        pd.Series,
        lambda paths: pd.DataFrame({"path": paths}),
        lambda paths: pd.Series([Path(path) for path in paths], index=range(5, 69)),
    ],
)
def test_paths_of_all_kinds(faces, paths, kind):
    model = CrossEntropyEmbedder(16, max_epochs=1, random_state=0).fit(faces.images, faces.target)
    X = kind(paths)
    assert_array_equal(model.transform(X), model.transform(faces.images))
    Z = clone(model).fit_transform(X, faces.target)
    assert_array_equal(Z, model.transform(faces.images))


@pytest.mark.parametrize("missing", [None, np.nan, 3])
@pytest.mark.parametrize("kind", [list, pd.Series, lambda items: np.array(items, dtype=object)])
def test_what_is_no_path_among_paths(faces, paths, kind, missing):
    items = paths.tolist()
    items[2] = missing
    with pytest.raises(ValueError, match=rf"X holds paths, but X\[2\] is (nan|{missing})"):
        CrossEntropyEmbedder().fit(kind(items), faces.target)


def test_pictures_that_do_not_do_say_it_in_words_of_the_embedder(faces, paths):
    Image.new("L", (30, 20)).save(paths[4])
    with pytest.raises(ValueError, match=r"004\.png: 30 x 20 .*\n.*image_size"):
        CrossEntropyEmbedder().fit(paths, faces.target)
    Path(paths[4]).write_bytes(b"no picture")
    with pytest.raises(ValueError, match=r"004\.png.*\nMend .* or leave them out of X, and") as e:
        CrossEntropyEmbedder(image_size=(24, 24)).fit(paths, faces.target)
    assert "on_error" not in str(e.value)


def test_a_second_fit_transform_decodes_to_its_own_size(faces, paths):
    model = CrossEntropyEmbedder(16, max_epochs=1, random_state=0)
    model.fit(faces.images[:, :20], faces.target)
    model.fit_transform(paths, faces.target)
    assert model.input_shape_ == (24, 24)


def test_paths_are_resized_to_image_size(embedder, faces, paths):
    model = embedder.set_params(image_size=(20, 18), color=True).fit(paths, faces.target)
    assert model.input_shape_ == (20, 18, 3)
    assert model.transform(paths[:2]).shape == (2, 16)


def test_paths_in_color_of_their_own_size(faces, paths):
    model = CrossEntropyEmbedder(16, max_epochs=1, color=True, random_state=0)
    model.fit(paths, faces.target)
    assert model.input_shape_ == (24, 24, 3)
    assert model.set_params(color=False).transform(paths[:2]).shape == (2, 16)


def test_paths_and_one_channel(faces, paths):
    model = CrossEntropyEmbedder(16, max_epochs=1, random_state=0)
    Z = model.fit(faces.images[..., None], faces.target).transform(faces.images[..., None])
    assert_array_equal(model.transform(paths), Z)


def test_paths_that_cannot_be_what_was_fitted(faces, paths):
    model = CrossEntropyEmbedder(16, max_epochs=1, random_state=0)
    model.fit(np.repeat(faces.images[..., None], 4, axis=3), faces.target)
    with pytest.raises(ValueError, match=r"1 or 3 channels, but .* on images with 4 channels"):
        model.transform(paths)
    model.set_params(max_epochs=5)
    model.fit(np.random.RandomState(0).normal(size=(64, 5)), faces.target)
    with pytest.raises(ValueError, match="fitted on rows of 5 features"):
        model.transform(paths)


def test_paths_are_decoded_once(faces, paths, monkeypatch):
    from skfer.embedders.samples import _inputs

    calls = []
    decode = _inputs.decode_images
    monkeypatch.setattr(
        _inputs, "decode_images", lambda *a, **k: calls.append(a) or decode(*a, **k)
    )
    model = CrossEntropyEmbedder(16, max_epochs=1, random_state=0)
    Z = model.fit_transform(paths, faces.target)
    assert len(calls) == 1
    assert_array_equal(Z, model.transform(paths))


def test_missing_path_is_named(embedder, faces, paths):
    paths[3] = "nowhere.png"
    with pytest.raises((ValueError, OSError), match=r"nowhere\.png"):
        embedder.fit(paths, faces.target)


def test_a_single_path_is_refused(embedder):
    with pytest.raises(ValueError, match="single path"):
        embedder.fit("face.png", [0])


def _photograph(folder):
    path = folder / "party.png"
    Image.fromarray(np.full((600, 900), 99, dtype=np.uint8)).save(path)
    return str(path)


@pytest.mark.parametrize("method", ["transform", "predict", "predict_proba"])
def test_a_photograph_is_not_taken_for_a_face_without_a_word(faces, tmp_path, method):
    model = CrossEntropyEmbedder(8, max_epochs=1, random_state=0).fit(faces.images, faces.target)
    path = _photograph(tmp_path)
    for photograph in (path, Image.open(path)):
        with pytest.warns(NoFaceWarning, match="photograph was taken whole") as told:
            getattr(model, method)([photograph])
        assert {warning.filename for warning in told} == {__file__}
    with pytest.warns(NoFaceWarning, match=r"in .*party\.png \(900 x 600 pixels\)"):
        pickle.loads(pickle.dumps(model)).predict([path])
    face = Image.fromarray(faces.images[0]).resize((200, 240))
    assert len(getattr(model, method)([face])) == 1


@pytest.mark.parametrize("fit", ["fit", "fit_transform"])
def test_who_learned_from_photographs_is_given_them(tmp_path, fit):
    model = CrossEntropyEmbedder(8, max_epochs=1, image_size=16, random_state=0)
    pictures = np.random.default_rng(0).integers(256, size=(4, 600, 900), dtype=np.uint8)
    photographs = [Image.fromarray(picture) for picture in pictures]
    getattr(model, fit)(photographs, [0, 1, 0, 1])
    assert len(model.predict([_photograph(tmp_path)])) == 1


@pytest.mark.parametrize("first", ["fit", "fit_transform", "partial_fit"])
def test_a_later_fit_on_faces_forgets_photographs(tmp_path, faces, first):
    model = CrossEntropyEmbedder(8, max_epochs=1, image_size=24, random_state=0)
    photographs = [_photograph(tmp_path)] * 4
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", EmbeddingCollapseWarning)  # they are all alike
        getattr(model, first)(photographs, [0, 1, 0, 1])
        model.partial_fit(faces.images[:4], [0, 1, 0, 1])  # goes on with what has seen them
    assert len(model.transform(photographs)) == 4
    model.fit(faces.images, faces.target)
    with pytest.warns(NoFaceWarning, match="photograph was taken whole"):
        model.transform(photographs)


def test_a_fit_that_fails_leaves_what_was_learned_from(tmp_path, faces):
    model = CrossEntropyEmbedder(8, max_epochs=1, image_size=24, random_state=0)
    model.fit(faces.images, faces.target)
    with pytest.raises(ValueError, match="at least two classes"):
        model.fit_transform([_photograph(tmp_path)] * 2, [0, 0])
    with pytest.warns(NoFaceWarning, match="photograph was taken whole"):
        model.transform([_photograph(tmp_path)])


def names_of(paths):
    return pd.Series(paths, index=[f"face {i}" for i in range(len(paths))])


class Numbers(TransformerMixin, BaseEstimator):
    """One column of what is given, as an array."""

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        return np.asarray(X)[:, None]

    def get_feature_names_out(self, input_features=None):
        return ["number"]


def keeps_index_of_series():
    """Whether the data frame that scikit-learn makes of an array has the index of a Series."""
    series = pd.Series([1.0], index=["a"])
    return Numbers().set_output(transform="pandas").transform(series).index.tolist() == ["a"]


def test_a_data_frame_has_the_index_of_the_paths(faces, paths):
    X, model = names_of(paths), CrossEntropyEmbedder(8, max_epochs=1, random_state=0)
    model.set_output(transform="pandas")
    Z = model.fit_transform(X, faces.target)
    assert Z.index.equals(X.index)
    Z_again = model.transform(X if keeps_index_of_series() else X.to_frame())
    pd.testing.assert_frame_equal(Z, Z_again)
    length = FunctionTransformer(lambda column: column.str.len().to_frame("length"))
    union = FeatureUnion([("face", model), ("length", length)]).set_output(transform="pandas")
    both = union.fit_transform(X, faces.target)
    assert both.index.equals(X.index)
    assert not both.isna().any(axis=None)


@pytest.mark.parametrize("kind", ["pandas", "default"])
@pytest.mark.parametrize("column", ["file", ["file"]])
@pytest.mark.parametrize("image_size", [None, 16])
def test_a_column_of_paths_among_others(faces, paths, column, kind, image_size):
    if column == "file" and kind == "pandas" and not keeps_index_of_series():
        column = ["file"]
    X = names_of(paths).to_frame("file").assign(age=np.arange(len(paths), dtype=float))
    model = CrossEntropyEmbedder(8, max_epochs=1, image_size=image_size, random_state=0)
    steps = [("face", model, column), ("others", StandardScaler(), ["age"])]
    table = ColumnTransformer(steps).set_output(transform=kind)
    Z = table.fit_transform(X, faces.target)
    assert Z.shape == (len(X), 9)
    assert_array_equal(Z, table.transform(X))
    names = [*(f"face__crossentropyembedder{i}" for i in range(8)), "others__age"]
    assert table.get_feature_names_out().tolist() == names
