"""Class names to codes."""

import unicodedata
from enum import Enum

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skfer.datasets import EXPRESSION_CODES, EXPRESSIONS
from skfer.datasets._labels import class_codes, encode, rename_classes
from skfer.datasets._vocabulary import SYNONYMS

WORDS = {word: word for word in EXPRESSIONS} | SYNONYMS


@given(
    st.lists(st.sampled_from(sorted(WORDS)), min_size=1),
    st.sampled_from([str.upper, str.title, lambda word: f" {word} "]),
)
def test_words_of_the_vocabulary_have_its_codes(words, write):
    codes, target_names = encode(write(word) for word in words)
    assert target_names == list(EXPRESSIONS)
    assert codes == {write(word): EXPRESSION_CODES[WORDS[word]] for word in words}


@given(st.lists(st.from_regex(r"[a-z]{4}[0-9]", fullmatch=True), min_size=1))
def test_other_names_are_positions_in_sorted_names(names):
    codes, target_names = encode(names)
    assert target_names == sorted(set(names))
    assert [target_names[codes[name]] for name in names] == names


def test_names_beside_the_vocabulary_follow_it():
    codes, target_names = encode(["other", "Happy", "bored", "other"])
    assert target_names == [*EXPRESSIONS, "bored", "other"]
    assert codes == {"other": 9, "Happy": 4, "bored": 8}


def test_whole_numbers_below_100_are_codes():
    codes, target_names = encode(["7", "2", "-1", "2.0"])
    assert target_names == [*"01234567"]
    assert codes == {"7": 7, "2": 2, "2.0": 2, "-1": -1}


def test_other_whole_numbers_are_sorted_by_value():
    codes, target_names = encode(["1000", "200", "30", "1000"])
    assert target_names == ["30", "200", "1000"]
    assert codes == {"1000": 2, "200": 1, "30": 0}
    assert encode(["-1", "1"])[1] == ["-1", "1"]


@given(st.lists(st.integers(-1, 99), min_size=3, unique=True))
def test_numbers_keep_their_meaning(numbers):
    codes, target_names = encode(map(str, numbers))
    for number in numbers:
        assert codes[str(number)] == number
        assert number < 0 or target_names[number] == str(number)


def test_no_label():
    codes, _ = encode(["", "Unlabeled", "fear", " unlabelled"])
    assert codes == {"": -1, "Unlabeled": -1, "fear": 3, " unlabelled": -1}
    codes, target_names = encode(["nan", "NA", "None", "tired", " "])
    assert target_names == ["tired"]
    assert codes == {"nan": -1, "NA": -1, "None": -1, "tired": 0, " ": -1}


def test_class_codes():
    np.testing.assert_array_equal(class_codes(["Sad", "anger", "sadness"], EXPRESSIONS), [0, 6])
    assert class_codes(None, EXPRESSIONS) is None


@pytest.mark.parametrize("classes", [["joyous"], [], "anger", [3]])
def test_unknown_classes(classes):
    with pytest.raises(ValueError, match=r"^classes"):
        class_codes(classes, EXPRESSIONS)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("3_surprise", "surprise"),
        ("Angry faces", "anger"),
        ("sad_1", "sadness"),
        ("3_suprise", "surprise"),
    ],
)
def test_an_expression_with_something_beside_it_is_told(name, meant):
    labels, told = rename_classes([name, "fear"], None)
    assert labels == [name, "fear"]
    assert f"{name!r} (for {meant!r}?)" in str(told[0])
    assert rename_classes([name], {name: meant}) == ([meant], [])


@pytest.mark.parametrize("name", ["Happy", "happily surprised", "tired", "bored_1", "3", "faces"])
def test_other_names_are_not_taken_for_slips(name):
    assert rename_classes([name], None) == ([name], [])


@pytest.mark.parametrize(
    ("labels", "names", "told"),
    [
        (["3", "fear", "7"], None, "are '3', '7', classes of their own beside words"),
        (["3.0", "Happy", ""], None, "are '3.0', classes"),
        (["1", "2", "03"], {1: "surprise", 2: "fear"}, "are '03', classes"),
        (["1", "2", "3"], {1: "smile"}, "are '2', '3', classes"),
    ],
)
def test_a_number_among_words_is_told(labels, names, told):
    _, (warning,) = rename_classes(labels, names)
    assert f"among the classes {told}" in str(warning)
    assert "class_names" in str(warning)


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        (["1", "2", "7"], None),
        (["-1", "fear", "joy"], None),  # unlabeled on purpose
        (["3", "tired", "awake"], None),  # nobody speaks of expressions
        (["1", "7"], {1: "fear", 7: "7"}),  # is meant
        (["1", "tired"], {1: "fear"}),
        (["1", "2"], {1: "0"}),
    ],
)
def test_other_numbers_are_not_told(labels, names):
    assert rename_classes(labels, names)[1] == []


def test_accents_may_be_written_in_two_ways():
    one, other = (unicodedata.normalize(form, "Überraschung") for form in ("NFC", "NFD"))
    assert rename_classes([other], {one: "surprise"})[0] == ["surprise"]
    assert encode([one, other]) == ({one: 0, other: 0}, [one])


def test_members_of_an_enumeration_name_classes():
    class Emotion(str, Enum):  # noqa: UP042 - as many write it
        SAD = "sad"

    assert rename_classes(["sad", "glad"], {Emotion.SAD: "grief"})[0] == ["grief", "glad"]
