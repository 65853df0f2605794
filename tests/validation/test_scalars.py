"""Numbers, choices and switches: what fits comes back plain, all else is told by name."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skfer.exceptions import ArgumentError
from skfer.validation import (
    check_choice,
    check_flag,
    check_int,
    check_random_seed,
    check_real,
    check_verbose,
    refusal,
    shown,
)

ODD = [
    None,
    True,
    np.True_,
    float("nan"),
    float("inf"),
    "1",
    b"1",
    [],
    [1],
    {},
    1j,
    object,
    np.ones(3),
]


@pytest.mark.parametrize("value", [*ODD, 0, 1.5, 5, 10**30, np.float64(2)], ids=str)
def test_what_is_no_int_in_range(value):
    with pytest.raises(
        ArgumentError, match=r"^k must be a whole number of at least 1 and of at m"
    ) as info:
        check_int(value, "k", at_least=1, at_most=4)
    assert info.value.arguments == ("k",)


@pytest.mark.parametrize("value", [*ODD, 0, -0.5, 1, 10**400, np.float32(1)], ids=str)
def test_what_is_no_real_in_range(value):
    with pytest.raises(
        ArgumentError, match=r"^p must be a finite number above 0 and below 1, got "
    ):
        check_real(value, "p", above=0, below=1)


def test_what_fits_comes_back_plain():
    assert type(check_int(np.int8(3), "k")) is int
    assert type(check_real(np.float32(0.5), "p", at_least=0.5, at_most=0.5)) is float
    assert check_real(3, "p", at_least=3) == 3
    assert check_int(None, "k", optional=True) is None
    assert check_choice(np.str_("a"), "mode", ["a", "b"]) == "a"
    assert check_choice(None, "mode", ["a"], optional=True) is None
    assert check_flag(np.True_, "verbose") is True


def test_bounds_are_bounds():
    for value, fits in ((1, False), (2, True), (3, True), (4, False)):
        if fits:
            assert check_int(value, "k", at_least=2, at_most=3) == value
            assert check_real(value, "p", above=1, below=4) == value
        else:
            for check in (
                lambda value: check_int(value, "k", at_least=2, at_most=3),
                lambda value: check_real(value, "p", above=1, below=4),
            ):
                with pytest.raises(ArgumentError):
                    check(value)


@pytest.mark.parametrize("value", [None, 1, "c", [], np.ones(2), True], ids=str)
def test_choices_are_told(value):
    with pytest.raises(ArgumentError, match=r"mode must be one of 'a', 0, got .*\.$"):
        check_choice(value, "mode", ["a", 0])


def test_an_optional_argument_says_so():
    with pytest.raises(
        ArgumentError, match=r"k must be a whole number of at least 2 or None, got 1."
    ):
        check_int(1, "k", at_least=2, optional=True)


@pytest.mark.parametrize("value", [1, 0, None, "yes"])
def test_a_flag_is_true_or_false(value):
    with pytest.raises(ArgumentError, match="verbose must be True or False, got"):
        check_flag(value, "verbose")


def test_how_much_to_tell():
    assert [check_verbose(value) for value in (True, np.False_, 0, np.int8(2))] == [1, 0, 0, 2]
    for value in (-1, 1.0, None, "yes"):
        with pytest.raises(ArgumentError, match="verbose must be True, False or a whole number"):
            check_verbose(value)


def test_random_states():
    state = np.random.RandomState(0)
    for value in (None, 0, np.int64(2**32 - 1), state, np.random):
        assert check_random_seed(value) == value
    for value in (-1, 2**32, 1.0, True, "seed", np.random.default_rng()):
        with pytest.raises(ArgumentError, match="random_state must be None, a whole number"):
            check_random_seed(value)


class Broken:
    def __repr__(self):
        raise RuntimeError


@given(st.one_of(st.text(), st.binary(), st.lists(st.integers()), st.floats()))
def test_shown_is_short(value):
    for part in (value, [value] * 50):
        text = shown(part)
        assert len(text) <= 80


def test_shown_by_hand():
    assert shown("joy") == "'joy'"
    assert shown(np.zeros((2, 3), np.uint8)) == "an array of uint8 of shape (2, 3)"
    assert shown(Broken()) == "<Broken>"
    assert len(shown("x" * 10**6)) == 80


def test_a_refusal_names_its_argument_and_escapes_what_was_given():
    error = refusal("bunch.groups", "is short.")
    assert (str(error), error.arguments) == ("bunch.groups is short.", ("bunch",))
    error = refusal("k", "must be small, got {}.", "{k} \x1b[31m")
    assert (str(error), error.arguments) == ("k must be small, got {k} \\x1b[31m.", ("k",))
