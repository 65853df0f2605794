"""What an epoch of a history must look like for a fit to count as collapsed."""

import pytest

from skfer.embedders.fitting._collapse import find_collapse

GOOD = {"embedding_spread": 0.5, "active_fraction": 0.3}
BAD = {"embedding_spread": 0.05, "active_fraction": 0.3}
ACTIVE = {"embedding_spread": 0.5, "active_fraction": 1.0}
ALL_ACTIVE = "every triplet was still active in the last epoch. Try this: a; b."


def found(*history, n_epochs=1, from_triplets=True):
    return find_collapse(history, n_epochs, from_triplets=from_triplets, advice=["a", "b"])


def test_embeddings_that_coincide():
    told = "the embeddings nearly coincide (spread 0.05). Try this: a; b."
    assert found(GOOD, BAD) == told
    assert found(GOOD, BAD, from_triplets=False) == told
    assert found({"embedding_spread": 0.05}, from_triplets=True) == told


def test_triplets_that_are_all_active():
    assert found(GOOD, ACTIVE) == ALL_ACTIVE
    assert found(GOOD, ACTIVE, from_triplets=False) is None


def test_the_latest_epochs_decide():
    assert found(BAD, GOOD) is None
    assert found(BAD, GOOD, BAD, n_epochs=2) is None
    assert found(GOOD, BAD, ACTIVE, n_epochs=2) == ALL_ACTIVE


def test_a_history_that_is_too_short():
    assert found() is None
    assert found(BAD, n_epochs=2) is None
    assert found(BAD, BAD, n_epochs=2) is not None


@pytest.mark.parametrize(
    ("epoch", "is_one"),
    [
        ({"embedding_spread": 0.1, "active_fraction": 0.3}, False),
        ({"embedding_spread": 0.0999, "active_fraction": 0.3}, True),
        ({"embedding_spread": 0.1, "active_fraction": 1.0}, True),
        ({"embedding_spread": 0.1, "active_fraction": 0.999}, False),
        ({"embedding_spread": 0.1}, False),
    ],
)
def test_bounds(epoch, is_one):
    assert (found(epoch) is not None) == is_one
    if is_one and epoch["embedding_spread"] == 0.1:
        assert found(epoch) == ALL_ACTIVE
