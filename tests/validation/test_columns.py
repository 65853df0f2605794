"""Labels and groups: one definition of what is missing, and nothing merged in silence."""

from collections import UserList, deque
from decimal import Decimal
from enum import Enum

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from skfer.exceptions import ArgumentError
from skfer.validation import (
    MISSING_WORDS,
    as_column,
    check_groups,
    check_labels,
    check_rows,
    check_same_length,
    is_missing,
    is_unlabeled_mark,
    missing_mask,
    number_values,
    unlabeled_mask,
)

NOTHING = [
    None,
    float("nan"),
    np.float32("nan"),
    complex("nan"),
    np.datetime64("NaT"),
    pd.NaT,
    pd.NA,
    Decimal("NaN"),
    Decimal("sNaN"),
    np.ma.masked,
    "",
    "  ",
    np.str_("nan"),
    b"NA",
    *sorted(MISSING_WORDS),
]
SOMETHING = [
    0,
    -1,
    "-1",
    "joy",
    "0",
    "none of these",
    "na",
    False,
    2.5,
    pd.Timestamp(0),
    (1, 2),
    [],
]


@pytest.mark.parametrize("value", NOTHING, ids=repr)
def test_missing_in_every_type(value):
    assert is_missing(value)
    column = np.empty(2, dtype=object)
    column[:] = [value, "joy"]
    assert missing_mask(column).tolist() == [True, False]
    with pytest.raises(
        ArgumentError, match=r"groups has no group for 1 samples, such as .* for sample 0"
    ):
        check_groups(column)
    with pytest.raises(
        ArgumentError, match=r"y has no label for 1 samples, such as .* for sample 0"
    ):
        check_labels(column)
    assert check_groups(column, allow_missing=True) is not None


@pytest.mark.parametrize("value", SOMETHING, ids=repr)
def test_nothing_else_is_missing(value):
    assert not is_missing(value)


def test_words_are_those_of_pandas():
    from pandas._libs.parsers import STR_NA_VALUES

    assert STR_NA_VALUES | {"NaT"} == MISSING_WORDS


@pytest.mark.parametrize(
    ("values", "missing"),
    [
        (np.array([1.0, np.nan]), [False, True]),
        (np.array(["a", "nan"]), [False, True]),
        (np.array([b"a", b"None"]), [False, True]),
        (np.array(["2020", "NaT"], dtype="datetime64[D]"), [False, True]),
        (["a", None], [False, True]),
        (["a", np.nan], [False, True]),
        (np.ma.masked_array([1, 2], mask=[False, True]), [False, True]),
        (pd.Series(["a", None], dtype="string"), [False, True]),
        (pd.Series([1, None], dtype="Int64"), [False, True]),
        (pd.Series(["a", None], dtype="category"), [False, True]),
        (pd.Series([1.0, None]), [False, True]),
        (np.array([[1], [2]]), [False, False]),
        (np.array([True, False]), [False, False]),
    ],
    ids=str,
)
def test_missing_in_every_column(values, missing):
    assert_array_equal(missing_mask(as_column(values, "y")), missing)


@pytest.mark.parametrize(
    "mark", [-1, -1.0, np.int8(-1), np.float32(-1), "-1", "-1.0", b"-1", " -1"]
)
def test_the_mark_of_an_unlabeled_sample_in_every_type(mark):
    assert is_unlabeled_mark(mark)
    for others in ([0, 1], ["joy", "fear"]):
        column = np.array([*others, mark], dtype=object)
        assert unlabeled_mask(column).tolist() == [False, False, True]
    assert not unlabeled_mask(np.array(["joy", mark], dtype=object)).any()


@pytest.mark.parametrize("value", [1, "1", "joy", None, True, "−1", [-1]])
def test_nothing_else_is_the_mark(value):
    assert not is_unlabeled_mark(value)


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ([0, 1, -1], [0, 0, 1]),
        ([-1, 1, 1], [0, 0, 0]),
        ([0.0, 1.0, np.nan], [0, 0, 1]),
        ([-1.0, 1.0, np.nan], [0, 0, 1]),
        (["-1", "a", "b", ""], [1, 0, 0, 1]),
        (["a", "b", -1, None], [0, 0, 1, 1]),
        ([True, False], [0, 0]),
        ([], []),
    ],
)
def test_unlabeled_in_columns(labels, expected):
    column = check_labels(labels, allow_unlabeled=True)
    assert_array_equal(unlabeled_mask(column), np.array(expected, dtype=bool))


@given(
    st.lists(
        st.one_of(st.integers(), st.booleans(), st.floats(allow_infinity=False, allow_nan=False))
    ),
    st.data(),
)
def test_numbers_are_equal_where_values_are(values, data):
    cut = data.draw(st.integers(0, len(values)))
    parts = [as_column(part, "y") for part in (values[:cut], values[cut:])]
    codes = np.concatenate(number_values(*parts, names=["a", "b"]))
    for i, a in enumerate(values):
        for j, b in enumerate(values):
            assert (codes[i] == codes[j]) == (a == b)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (np.array([2**53 + 1]), np.array([2**53], dtype=np.uint64)),
        (np.array([2**53 + 1]), np.array([2.0**53])),
        (np.array([2**63 - 1]), np.array([2**63], dtype=np.uint64)),
        (np.array([2**64 - 1], dtype=np.uint64), np.array([-1])),
        ([2**53 + 1], [float(2**53)]),
        ([2**70], [2**70 + 1]),
    ],
)
def test_large_integers_stay_apart(a, b):
    ((first,), (second,)) = number_values(as_column(a, "a"), as_column(b, "b"), names=["a", "b"])
    assert first != second


def test_large_integers_in_one_list_stay_apart():
    values = [2**63, 2**63 + 1, -1, 2**53 + 1, 2**53]
    (codes,) = number_values(check_groups(values), names=["groups"])
    assert len(set(codes.tolist())) == 5


def test_a_number_is_not_a_word():
    with pytest.raises(ArgumentError, match="groups mixes numbers and words, such as 1 and '1'"):
        check_groups([1, "1"])
    with pytest.raises(ArgumentError, match="b holds words but a holds numbers") as info:
        number_values(np.array([1]), np.array(["1"]), names=["a", "b"])
    assert info.value.arguments == ("b",)


def test_missing_values_have_no_number():
    first, second = number_values(
        np.array(["a", "nan"]), np.array(["", "a"]), names=["groups", "reference_groups"]
    )
    assert (first.tolist(), second.tolist()) == ([0, -1], [-1, 0])


@pytest.mark.parametrize("check", [check_labels, check_groups])
@pytest.mark.parametrize(
    ("values", "message"),
    [
        (None, "it is missing: pass one value for each sample"),
        ("joy", "it must be an array or a list, with one value for each sample, got 'joy'"),
        (3, "it must be an array or a list, with one value for each sample, got 3"),
        (np.array(3), "it must be one-dimensional"),
        ({"a": 1}, "it must be an array or a list"),
        ([[1, 2], [3, 4]], r"it must be one-dimensional.*shape \(2, 2\)"),
        ([[1, 2], [3]], "it cannot be read as an array"),
        ([{}, {}], "it must hold numbers or words, got {} in it"),
        ([0, 1, 2], "it has 3 entries but X has 2 rows"),
        ([0, np.inf], "it contains infinity"),
        ([0, "a"], "it mixes numbers and words"),
        ([0, b"a"], "it mixes numbers and values of type bytes"),
    ],
    ids=str,
)
def test_errors_name_the_argument(check, values, message):
    with pytest.raises(ArgumentError, match=message) as info:
        check(values, "it", n_samples=2)
    assert info.value.arguments == ("it",)
    assert len(str(info.value)) < 300


@pytest.mark.parametrize(
    "rows",
    [
        None,
        1,
        "rows",
        [1.0, 2.0],
        [[1.0], [2.0, 3.0]],
        [["a"], ["b"]],
        [[np.nan]],
        [[1j]],
        [],
        np.zeros((2, 2, 2)),
        np.full((40, 1), "1 2 3" * 1000),
        [[10**400]],
        {"a": 1},
    ],
    ids=lambda rows: str(rows)[:20],
)
def test_rows_that_are_none_are_told_by_name(rows):
    with pytest.raises(ArgumentError, match=r"^embeddings must be an array of shape") as info:
        check_rows(rows, "embeddings")
    assert len(str(info.value)) < 400


def test_lengths_are_compared_with_the_first():
    assert check_same_length(X=np.zeros((3, 2)), y=[1, 2, 3], groups=None) == 3
    with pytest.raises(ArgumentError, match="groups has 2 entries but X has 3 rows") as info:
        check_same_length(X=[1, 2, 3], y=[1, 2, 3], groups=[1, 2])
    assert info.value.arguments == ("groups",)
    with pytest.raises(ArgumentError, match="y must have one entry for each sample, got 3"):
        check_same_length(X=[1], y=3)


@pytest.mark.parametrize("dtype", ["Int64", "UInt8"])
def test_integers_stay_integers_beside_gaps(dtype):
    column = as_column(pd.Series([3, None, 5], dtype=dtype), "y")
    assert [type(value) for value in column[[0, 2]]] == [int, int]
    assert missing_mask(column).tolist() == [False, True, False]
    assert as_column(pd.Series([3, 5], dtype=dtype), "y").dtype.kind in "iu"


WORDS = ["happiness", "sadness", "anger", "sadness"]
# Of Python's kind before StrEnum, whose text is "Emotion.ANGER".
Emotion = Enum("Emotion", {word.upper(): word for word in WORDS}, type=str)


@pytest.mark.parametrize(
    "given",
    [list, tuple, deque, UserList, pd.Series, lambda values: np.array(values, dtype=object)],
)
def test_members_of_an_enumeration_of_words_are_their_words(given):
    members = [Emotion(word) for word in WORDS]
    for mixed in (members, [*members[:2], *WORDS[2:]]):
        column = as_column(given(mixed), "y")
        assert column.tolist() == WORDS
        assert set(map(str, column)) == set(WORDS)  # no text of the class
    gap = as_column(given([*members, None]), "y")
    assert list(map(str, gap[:4])) == WORDS
    assert missing_mask(gap).tolist() == [False] * 4 + [True]


def test_words_of_one_kind_keep_the_type_that_numpy_gives_them():
    assert as_column([np.str_("a"), "bc"], "y").dtype == "<U2"
    values = np.array([np.str_("a"), "bc"], dtype=object)
    assert as_column(values, "y") is values


def test_other_sequences_are_read_as_lists():
    assert as_column(deque([1, "1"]), "y").tolist() == [1, "1"]


@pytest.mark.skipif(not hasattr(np.dtypes, "StringDType"), reason="numpy 1 has no such type")
def test_words_of_any_length():
    words = np.array(["joy", "fear", "joy"], dtype=np.dtypes.StringDType())
    assert check_labels(words).tolist() == ["joy", "fear", "joy"]
    assert check_groups(words).dtype == object
    gap = np.array(["joy", np.nan], dtype=np.dtypes.StringDType(na_object=np.nan))
    assert unlabeled_mask(check_labels(gap, allow_unlabeled=True)).tolist() == [False, True]
