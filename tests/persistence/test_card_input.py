"""What a model card says of the pictures that a model takes."""

import numpy as np
import pytest

import skfer
from skfer import CrossEntropyEmbedder


@pytest.mark.parametrize(
    ("shape", "told"),
    [
        ((24, 16), "- Gray pictures of 24 x 16 pixels"),
        ((24, 16, 1), "- Gray pictures of 24 x 16 pixels"),
        ((24, 16, 3), "- Color pictures of 24 x 16 pixels"),
        ((24,), "- Rows of 24 numbers"),
    ],
)
def test_pictures_and_rows_by_their_shape(shape, told):
    X = np.random.default_rng(0).random((8, *shape))
    model = CrossEntropyEmbedder(4, max_epochs=1, random_state=0).fit(X, np.arange(8) % 2)
    assert f"## Input\n\n{told}\n" in skfer.model_card(model)
