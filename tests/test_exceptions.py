"""Errors that know the argument they are about."""

import copy
import pickle
import threading
import time
import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skfer import exceptions
from skfer.datasets import DatasetError, DatasetWarning
from skfer.exceptions import ArgumentError, ignored, install_hint, shorten

OPTIONS = {"align": "--align", "align=False": "--no-align", "root": "--root"}


def make_error():
    return ArgumentError(
        "{align=} needs landmarks, and {root=} has none ({}): give {align=False} or {frames=1}.",
        "no folder {root=}",
        align="auto",
        root="CK+",
    )


def test_text_is_pythons():
    assert str(make_error()) == (
        "align='auto' needs landmarks, and root='CK+' has none (no folder {root=}): give "
        "align=False or frames=1."
    )


def test_text_in_the_names_of_the_caller():
    assert make_error().render(OPTIONS) == (
        "--align 'auto' needs landmarks, and --root 'CK+' has none (no folder {root=}): give "
        "--no-align or frames=1."
    )


def test_several_values_are_typed_apart():
    error = ArgumentError("{subset=}: no parts", subset=("train", "a b"))
    assert error.render({"subset": "--subset"}) == "--subset 'train' 'a b': no parts"
    assert error.render({}) == "subset=('train', 'a b'): no parts"
    assert ArgumentError("{n=}!", n=(1, ...)).render({"n": "--n"}) == "--n (1, Ellipsis)!"


def test_arguments_are_in_order_each_once():
    assert make_error().arguments == ("align", "root", "frames")
    assert ArgumentError("nothing is right").arguments == ()


def test_is_a_value_error():
    with pytest.raises(ValueError, match=r"^groups and group_pattern are both given$"):
        raise ArgumentError("{groups} and {group_pattern} are both given")


@pytest.mark.parametrize("kind", [ArgumentError, DatasetError, DatasetWarning])
@pytest.mark.parametrize(
    "again", [copy.copy, copy.deepcopy, lambda e: pickle.loads(pickle.dumps(e))]
)
def test_copies_and_pickles(kind, again):
    # A function cannot be pickled: the error must not hold it.
    error = again(kind("{groups=} and {}", "more", groups=lambda name: name))
    assert type(error) is kind
    assert str(error).startswith("groups=<function ")
    assert error.render({"groups": "--groups"}).endswith("> and more")
    assert error.arguments == ("groups",)


def test_dataset_error_speaks_of_arguments_in_its_hint():
    error = DatasetError(
        "{} is bad", "a.png", problems=[("a.png", "bad")], hint="Give {on_error='skip'}."
    )
    error = pickle.loads(pickle.dumps(error))
    assert str(error) == "a.png is bad\nGive on_error='skip'."
    assert error.render({"on_error='skip'": "--skip-bad"}) == "a.png is bad\nGive --skip-bad."
    assert error.arguments == ("on_error",)
    assert error.problems == [("a.png", "bad")]


def test_warning_can_be_rendered_where_it_is_shown():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warnings.warn(DatasetWarning("Give {align=False}."), stacklevel=1)
    assert caught[0].category is DatasetWarning
    assert caught[0].message.render(OPTIONS) == "Give --no-align."


def test_long_values_are_shortened():
    error = ArgumentError("{classes=} is too much", classes=["anger"] * 1000)
    assert str(error).startswith("classes=['anger', 'anger',")
    assert str(error).endswith("'anger'] is too much")
    assert len(str(error)) < 250


def test_control_characters_are_escaped():
    error = ArgumentError("{}\n{root=}", "a\x1b[2J\udcff", root="b\x07")
    assert str(error) == "a\\x1b[2J\\udcff\nroot='b\\x07'"


@given(st.text(), st.text())
def test_any_text_and_value_come_through(text, value):
    error = ArgumentError("{root=}: {}", text, root=value)
    if text.isprintable():
        assert str(error) == f"root={shorten(repr(value))}: {text}"
    assert error.arguments == ("root",)
    str(error).encode()


@given(st.text(), st.integers(3, 50))
def test_shortened_text_has_both_ends(text, length):
    short = shorten(text, length)
    assert len(short) <= length
    if len(text) <= length:
        assert short == text
    else:
        head, tail = short.split("...", 1) if "..." not in text else (short, "")
        assert text.startswith(head[:1])
        assert text.endswith(tail)


@pytest.mark.parametrize(
    ("origin", "command"),
    [
        (None, "pip install 'skfer[plot]'"),
        ("damaged", "pip install matplotlib"),
        (
            '{"url": "https://host/skfer", "vcs_info": {"vcs": "git"}}',
            "pip install 'skfer[plot] @ git+https://host/skfer'",
        ),
        ('{"url": "file:///src/skfer", "dir_info": {}}', "pip install '/src/skfer[plot]'"),
        (
            '{"url": "file:///src/skfer", "dir_info": {"editable": true}}',
            "pip install -e '/src/skfer[plot]'",
        ),
    ],
)
def test_an_extra_comes_from_where_skfer_came_from(origin, command, monkeypatch):
    class Installed:
        def read_text(self, name):
            return origin if name == "direct_url.json" else None

    monkeypatch.setattr(exceptions, "distribution", lambda name: Installed())
    assert install_hint("plot", "matplotlib") == command


def test_what_is_ignored_in_threads_that_overlap_is_heard_afterwards():
    filters, begun = list(warnings.filters), threading.Barrier(2)

    def work(first):
        begun.wait()
        with ignored(UserWarning):
            time.sleep(0.05 if first else 0.1)
            warnings.warn("unheard", UserWarning, stacklevel=1)

    threads = [threading.Thread(target=work, args=[first]) for first in (True, False)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert list(warnings.filters) == filters
    with pytest.warns(UserWarning, match="heard"):
        warnings.warn("heard", UserWarning, stacklevel=1)
