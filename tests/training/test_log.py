"""Lines of `verbose`: their colors are for those who see them."""

import io
import re

import numpy as np
import pytest

from skfer import CrossEntropyEmbedder

CODE = "\x1b["
X = np.random.RandomState(0).normal(size=(12, 3))
y = np.arange(12) % 2


class Terminal(io.StringIO):
    """Standard output where somebody looks at it."""

    def isatty(self):
        """It is one."""
        return True


class OutStream(io.StringIO):
    """Standard output of a notebook."""

    __module__ = "ipykernel.iostream"


def _printed(monkeypatch, stream, **environment):
    monkeypatch.delenv("NO_COLOR", raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("sys.stdout", stream)
    CrossEntropyEmbedder(4, max_epochs=2, random_state=0, verbose=1).fit(X, y)
    return stream.getvalue()


@pytest.mark.parametrize("stream", [Terminal, OutStream])
def test_colors_where_they_are_seen(stream, monkeypatch):
    assert CODE in _printed(monkeypatch, stream())


@pytest.mark.parametrize(
    ("stream", "environment"), [(io.StringIO, {}), (Terminal, {"NO_COLOR": "1"})]
)
def test_no_codes_elsewhere(stream, environment, monkeypatch):
    text = _printed(monkeypatch, stream(), **environment)
    assert CODE not in text
    assert re.findall(r"^ +(\d)  ", text, flags=re.MULTILINE) == ["1", "2"]


def test_an_embedder_that_is_quiet_again_says_nothing(capsys):
    model = CrossEntropyEmbedder(4, max_epochs=1, warm_start=True, random_state=0, verbose=1)
    model.fit(X, y)
    capsys.readouterr()
    model.set_params(verbose=0).fit(X, y)
    assert capsys.readouterr().out == ""


def test_there_may_be_no_output(monkeypatch):
    monkeypatch.setattr("sys.stdout", None)  # as of a program without a console
    CrossEntropyEmbedder(4, max_epochs=1, random_state=0, verbose=1).fit(X, y)
