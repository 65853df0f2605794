"""A model that was fitted on words, and codes whose names are given: they are the same labels."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from skfer import CrossEntropyEmbedder
from skfer.exceptions import ArgumentError
from skfer.inspection import EmbeddingDisplay, ReliabilityDisplay, show_faces
from skfer.inspection._labels import alike


@pytest.fixture(scope="module")
def by_words(faces):
    model = CrossEntropyEmbedder(8, max_epochs=3, random_state=0)
    return model.fit(faces.images, faces.target_names[faces.target])


def test_labels_become_words_where_words_are_beside_them():
    names = ["awe", "joy", "rage"]
    assert alike(np.array([2, -1, 0]), ["joy"] * 3, names).tolist() == ["rage", None, "awe"]
    for y, others, given in (
        ([0, 1], [1, 0], names),
        (["joy", "awe"], ["joy", "joy"], names),
        ([0, 1], ["joy", "awe"], None),
        (None, ["joy"], names),
    ):
        assert alike(y, others, given) is y


def test_every_display_takes_both(faces, by_words):
    words = faces.target_names[faces.target]
    predicted = by_words.predict(faces.images)
    wrong = predicted != words
    for y in (words, faces.target):
        shown = EmbeddingDisplay.from_estimator(by_words, faces.images, y, names=faces)
        assert_array_equal(np.asarray(shown.y_pred) != np.asarray(shown.y), wrong)
        shown = EmbeddingDisplay.from_embedding(
            by_words.transform(faces.images), y, y_pred=predicted, names=faces
        )
        assert_array_equal(np.asarray(shown.y_pred) != np.asarray(shown.y), wrong)
        ax = show_faces(faces.images, y, y_pred=predicted, names=faces, max_faces=4)
        assert ax.texts[0].get_text().startswith("anger")
        shown = ReliabilityDisplay.from_estimator(by_words, faces.images, y, names=faces)
        errors = ReliabilityDisplay.from_predictions(
            words, by_words.predict_proba(faces.images), classes=by_words.classes_
        )
        assert shown.overall.error == errors.overall.error


def test_without_names_they_are_not_compared(faces, by_words):
    with pytest.raises(ArgumentError, match="never equal"):
        EmbeddingDisplay.from_estimator(by_words, faces.images, faces.target)
