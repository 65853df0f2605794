"""Which samples make a batch."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skfer.exceptions import ArgumentError
from skfer.training import BalancedBatchSampler, ShuffledBatchSampler, SubsetSampler
from skfer.training._sampling import Deck

SIZES = st.lists(st.integers(1, 30), min_size=2, max_size=9)


@settings(deadline=None, max_examples=60)
@given(
    st.integers(1, 40), st.lists(st.integers(1, 50), min_size=1, max_size=30), st.integers(0, 99)
)
def test_a_deck_gives_all_before_any_again(n, draws, seed):
    deck = Deck(list(range(n)), np.random.RandomState(seed))
    small = [k for k in draws if k < n]
    drawn = [deck.draw(k) for k in small]
    assert all(len(set(d)) == k for d, k in zip(drawn, small, strict=True))
    flat = [item for d in drawn for item in d]
    for start in range(0, len(flat) - n + 1, n):
        assert len(set(flat[start : start + n])) == n
    assert sorted(deck.draw(n)) == list(range(n))


def test_a_round_does_not_depend_on_how_the_one_before_ended():
    deck = Deck(list(range(4)), np.random.RandomState(0))
    pairs = [frozenset(deck.draw(2)) for _ in range(600)]
    again = sum(last == first for last, first in zip(pairs[1::2], pairs[2::2], strict=False))
    assert 30 < again < 70  # a sixth of 299


@pytest.mark.parametrize(("n", "n_numbers"), [(4, 256), (100, 200), (300, 300)])
def test_seeds_mean_what_they_meant(n, n_numbers):
    """Small decks are shuffled many times at once, from 256 random numbers at most."""
    rng = np.random.RandomState(0)
    Deck(list(range(n)), rng).draw(1)
    assert rng.random_sample() == np.random.RandomState(0).random_sample(n_numbers + 1)[-1]


@settings(deadline=None, max_examples=60)
@given(SIZES, st.integers(2, 9), st.integers(2, 12), st.integers(0, 99))
def test_balanced_batches(sizes, p, k, seed):
    labels = np.random.RandomState(seed).permutation(np.repeat(np.arange(len(sizes)), sizes))
    sampler = BalancedBatchSampler(labels, p, k, seed)
    batches = list(sampler)
    assert len(batches) == len(sampler) >= 1
    for batch in batches:
        assert len(set(batch.tolist())) == len(batch), "a sample is twice in a batch"
        classes, counts = np.unique(labels[batch], return_counts=True)
        assert len(classes) == min(p, len(sizes))
        assert (counts == np.minimum(k, np.array(sizes)[classes])).all()


@settings(deadline=None, max_examples=30)
@given(SIZES, st.integers(2, 9), st.integers(0, 99))
def test_classes_come_in_equal_share(sizes, p, seed):
    labels = np.repeat(np.arange(len(sizes)), sizes)
    sampler = BalancedBatchSampler(labels, p, 3, seed)
    seen = np.zeros(len(sizes), int)
    for _ in range(10):
        for batch in sampler:
            seen[np.unique(labels[batch])] += 1
    assert seen.max() - seen.min() <= 1


@settings(deadline=None, max_examples=60)
@given(SIZES, st.integers(2, 9), st.integers(2, 12), st.integers(0, 99), st.integers(0, 3))
def test_covering_batches_are_balanced_and_leave_nothing_out(sizes, p, k, seed, n_before):
    labels = np.random.RandomState(seed).permutation(np.repeat(np.arange(len(sizes)), sizes))
    sampler = BalancedBatchSampler(labels, p, k, seed)
    for _ in range(n_before):
        list(sampler)
    batches = sampler.covering()
    assert set(np.concatenate(batches).tolist()) == set(range(len(labels)))
    shares = np.zeros(len(sizes), int)
    for batch in batches:
        classes, counts = np.unique(labels[batch], return_counts=True)
        assert (counts == np.minimum(k, np.array(sizes)[classes])).all()
        shares[classes] += 1
    assert shares.max() - shares.min() <= 1
    least = max(-(-size // k) for size in sizes)
    assert len(batches) <= -(-least * len(sizes) // min(p, len(sizes)))


def test_covering_batches_of_all_samples_alike():
    drawn = np.concatenate(ShuffledBatchSampler(23, 6, 0).covering())
    assert sorted(drawn.tolist()) == list(range(23))


def test_samples_do_not_repeat_over_passes():
    labels = np.repeat([0, 1], [50, 7])
    sampler = BalancedBatchSampler(labels, 2, 4, 0)
    drawn = np.concatenate([b[labels[b] == 0] for _ in range(8) for b in sampler])
    assert len(set(drawn[:48].tolist())) == 48


def test_seed_fixes_the_batches():
    labels = np.arange(40) % 4

    def flat(seed):
        return np.concatenate(list(BalancedBatchSampler(labels, 3, 4, seed)))

    assert (flat(1) == flat(1)).all()
    assert (flat(1) != flat(2)).any()


def test_a_pass_draws_all_unlabeled_samples():
    labels = np.array([0] * 4 + [1] * 4 + [-1] * 60)
    sampler = BalancedBatchSampler(labels, 2, 4, 0, n_unlabeled=8)
    assert len(sampler) == 8
    drawn = np.concatenate(list(sampler))
    assert len(np.unique(drawn[labels[drawn] < 0])) == 60
    assert len(BalancedBatchSampler(labels, 2, 4, 0)) == 1


def test_unlabeled_samples_are_added_to_batches():
    labels = np.array([0] * 9 + [1] * 9 + [-1] * 12)
    for batch in BalancedBatchSampler(labels, 2, 3, 0, n_unlabeled=5):
        assert np.bincount(labels[batch] + 1).tolist() == [5, 3, 3]
    for batch in BalancedBatchSampler(labels, 2, 3, 0):
        assert (labels[batch] >= 0).all()


def test_unlabeled_samples_are_drawn_from_those_that_were_set():
    labels = np.array([0] * 9 + [1] * 9 + [-1] * 60)
    sampler = BalancedBatchSampler(labels, 2, 3, 0, n_unlabeled=5)
    for available in (np.arange(20, 28), np.arange(18, 21), np.arange(0)):
        sampler.set_unlabeled(available)
        batches = list(sampler)
        assert len(batches) == 12  # as many as for all sixty
        for batch in batches:
            drawn = batch[labels[batch] < 0]
            assert len(np.unique(drawn)) == len(drawn) == min(5, len(available))
            assert np.isin(drawn, available).all()


def test_unlabeled_samples_of_a_part_are_given_as_indices_of_all():
    labels = np.array([0] * 6 + [-1] * 6 + [1] * 6)
    subset = np.arange(3, 18)
    inner = BalancedBatchSampler(labels[subset], 2, 3, 0, n_unlabeled=4)
    sampler = SubsetSampler(inner, subset)
    sampler.set_unlabeled(np.array([0, 7, 9]))  # the first does not belong to the part
    for batch in sampler:
        assert sorted(batch[labels[batch] < 0]) == [7, 9]


@settings(deadline=None, max_examples=40)
@given(st.integers(2, 300), st.integers(2, 64), st.integers(0, 99))
def test_shuffled_batches_cover_all_once(n, size, seed):
    batches = list(ShuffledBatchSampler(n, size, seed))
    assert sorted(np.concatenate(batches)) == list(range(n))
    lengths = {len(b) for b in batches}
    assert max(lengths) - min(lengths) <= 1
    assert min(lengths) >= 2


@pytest.mark.parametrize(
    ("sizes", "p", "k", "n_batches"),
    [
        ((20, 4), 2, 4, 3),  # 24 samples in batches of 8
        ((12, 11, 1), 2, 4, 4),  # a class of one gives one: 24 in batches of 6 on average
        ((9, 9, 9), 9, 3, 3),  # P is lowered to the classes there are: 27 in batches of 9
        ((5, 6), 2, 4, 1),  # 11 in batches of 8: rounded down
        ((6, 7), 2, 4, 2),  # 13 in batches of 8: rounded up
        ((2, 1), 2, 4, 1),
    ],
)
def test_a_pass_draws_as_many_samples_as_there_are(sizes, p, k, n_batches):
    labels = np.repeat(np.arange(len(sizes)), sizes)
    assert len(BalancedBatchSampler(labels, p, k, 0)) == n_batches


@pytest.mark.parametrize(("n", "size", "n_batches"), [(23, 6, 4), (20, 6, 3), (4, 1, 2), (1, 9, 1)])
def test_batches_of_all_samples_alike_have_about_the_wanted_size(n, size, n_batches):
    assert len(ShuffledBatchSampler(n, size, 0)) == n_batches


SAMPLERS = {
    "balanced": lambda n, seed: BalancedBatchSampler(np.arange(n) % 4 - 1, 2, 3, seed, 2),
    "shuffled": lambda n, seed: ShuffledBatchSampler(40, 6, seed),
    "part": lambda n, seed: SubsetSampler(
        BalancedBatchSampler(np.arange(n) % 3, 2, 3, seed), np.arange(1, n + 1)
    ),
}


@pytest.mark.parametrize("make", SAMPLERS.values(), ids=SAMPLERS)
def test_a_sampler_goes_on_where_another_was(make):
    sampler, other = make(1200, seed=0), make(900, seed=1)
    other.subset = getattr(sampler, "subset", None)  # which is not part of the state
    assert list(sampler)
    other.load_state_dict(sampler.state_dict())
    for _ in range(3):
        for batch, same in zip(sampler, other, strict=True):
            assert batch.tolist() == same.tolist()
    for batch, same in zip(sampler.covering(), other.covering(), strict=True):
        assert batch.tolist() == same.tolist()


def test_arguments_up_to_their_bounds():
    labels = np.arange(4) % 2
    assert len(BalancedBatchSampler(labels, 1, 1, 2**32 - 1)) == 4
    assert len(ShuffledBatchSampler(1, 1, 0)) == 1
    assert len(ShuffledBatchSampler(2**40, 2**39, 0)) == 2
    assert [b.tolist() for b in SubsetSampler([[0], [1]], np.array([5, 7]))] == [[5], [7]]


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("labels", lambda: BalancedBatchSampler(np.zeros((2, 2), int), 1, 1, 0)),
        ("labels", lambda: BalancedBatchSampler([0.5], 1, 1, 0)),
        ("labels", lambda: BalancedBatchSampler([-1, -1], 1, 1, 0)),
        ("classes_per_batch", lambda: BalancedBatchSampler([0, 1], 0, 1, 0)),
        ("samples_per_class", lambda: BalancedBatchSampler([0, 1], 1, 0, 0)),
        ("n_unlabeled", lambda: BalancedBatchSampler([0, 1], 1, 1, 0, -1)),
        ("seed", lambda: BalancedBatchSampler([0, 1], 1, 1, 2**32)),
        ("seed", lambda: ShuffledBatchSampler(4, 2, -1)),
        ("n_samples", lambda: ShuffledBatchSampler(0, 2, 0)),
        ("n_samples", lambda: ShuffledBatchSampler(2**40 + 1, 2, 0)),
        ("batch_size", lambda: ShuffledBatchSampler(4, 0, 0)),
        ("sampler", lambda: SubsetSampler((i for i in [[0]]), np.arange(2))),
        ("sampler", lambda: SubsetSampler("01", np.arange(2))),
        ("sampler", lambda: list(SubsetSampler([[2]], np.arange(2)))),
        ("subset", lambda: SubsetSampler([[0]], np.zeros((2, 2), int))),
    ],
)
def test_what_does_not_do_is_told_by_name(name, call):
    with pytest.raises(ArgumentError, match=f"^{name} "):
        call()
