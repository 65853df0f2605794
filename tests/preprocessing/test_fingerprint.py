"""What tells detectors apart in the key of a cache: every parameter in full, and their code."""

import functools
import os
import subprocess
import sys
import threading
import types
from pathlib import Path

import numpy as np
import pytest
import torch

from skfer.preprocessing import (
    DlibDetector,
    FaceDetector,
    Faces,
    SlimeFaceDetector,
    YuNetDetector,
)

SOURCE = """
import functools
import numpy as np
from skfer.preprocessing import FaceDetector, Faces

LEAST = 0.5
NAMES = {"eyes", "nose"}

def sure(score):
    return score > LEAST

class Own(FaceDetector):
    wide = 2

    def __init__(self, weights=None):
        self.weights = weights

    def find(self, image):
        return Faces([], []) if sure(0.1) or self.inner(1) else Faces([[0, 0, 9, 9]], [1])

    @staticmethod
    def inner(x):
        return (lambda y: y in {"a", "b", "c"})(x)

def judge(score, least=3):
    return score + judge(score - 1) if score > least else 0
"""


def module_of(source=SOURCE):
    module = types.ModuleType("own_detectors")
    exec(source, module.__dict__)
    return module


def with_one_changed(values):
    changed = values.copy()
    changed[len(values) // 2] += 1
    return changed


LONG = np.zeros(5000)
KEYS = {f"key {i}": i for i in range(500)}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (LONG, with_one_changed(LONG)),
        (LONG, LONG.astype(np.float32)),
        (LONG, LONG.reshape(50, 100)),
        (KEYS, {**KEYS, "key 250": -1}),
        (list(range(999)), with_one_changed(np.arange(999)).tolist()),
        ("a" * 5000, "a" * 2500 + "b" + "a" * 2499),
        ([LONG, {"weights": LONG}], [LONG, {"weights": with_one_changed(LONG)}]),
        (1, "1"),
        (1, 1.0),
        (YuNetDetector("a.onnx"), YuNetDetector("b.onnx")),
        (lambda x: x + 1, lambda x: x + 2),
        ([lambda x: x + 1], [lambda x: x + 2]),
        (functools.partial(with_one_changed, 1), functools.partial(with_one_changed, 2)),
        (module_of().Own(LONG), module_of().Own(with_one_changed(LONG))),
        (module_of().Own(1).inner, module_of().Own(2).find),
        (module_of().Own(1).find, module_of().Own(2).find),
        (np.random.default_rng(0), np.random.default_rng(1)),
        (torch.ones(3), torch.zeros(3)),
        (torch.ones(3, dtype=torch.bfloat16), torch.zeros(3, dtype=torch.bfloat16)),
        (torch.nn.GELU(), torch.nn.GELU("tanh")),
        (torch.nn.Linear(2, 2), torch.nn.Linear(2, 2)),
        (module_of().judge, module_of(SOURCE.replace("least=3", "least=4")).judge),
    ],
)
def test_parameters_count_in_full(one, other):
    own = module_of().Own
    assert own(one).fingerprint() == own(one).fingerprint()
    assert own(one).fingerprint() != own(other).fingerprint()


@pytest.mark.parametrize(
    ("part", "edited"),
    [
        ("sure(0.1)", "sure(0.2)"),
        ("wide = 2", "wide = 3"),
        ("score > LEAST", "score >= LEAST"),
        ("LEAST = 0.5", "LEAST = 0.6"),
        ('"b", "c"}', '"b", "d"}'),
        ("weights=None", "weights=0"),
        ("class Own", "class Other"),
    ],
)
def test_the_code_of_a_class_counts_and_of_what_it_calls(part, edited):
    assert part in SOURCE
    changed = module_of(SOURCE.replace(part, edited))
    other = getattr(changed, "Own", None) or changed.Other
    assert module_of().Own(1).fingerprint() == module_of().Own(1).fingerprint()
    assert module_of().Own(1).fingerprint() != other(1).fingerprint()


def test_where_the_code_stands_does_not_count():
    moved = module_of("\n\n# a comment\n" + SOURCE)
    assert moved.Own(1).fingerprint() == module_of().Own(1).fingerprint()


def test_it_is_the_same_in_every_process():
    call = "print(module_of().Own({'a': [1, {'x', 'y', 'z'} & {'x'}]}).fingerprint())"
    code = f"from test_fingerprint import module_of; {call}"
    told = {
        subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            cwd=Path(__file__).parent,
            env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(told) == 1
    assert len(told.pop().strip()) == 24


def test_what_has_no_parts_goes_by_its_text():
    own, lock, other = module_of().Own, threading.Lock(), threading.Lock()
    assert own(lock).fingerprint() == own(lock).fingerprint()
    assert own(lock).fingerprint() != own(other).fingerprint()
    endless = []
    endless.append(endless)
    assert own(endless).fingerprint() == own(endless).fingerprint()


class Native(FaceDetector):
    """Of which what is made depends on a long array."""

    def __init__(self, weights):
        self.weights = weights

    def find(self, image):
        return Faces([[0, 0, *self._native(lambda: self.weights[2499:2501] + 9)]], [1])


def test_what_is_made_once_is_made_anew_for_other_parameters():
    picture = np.zeros((20, 20), np.uint8)
    assert Native(LONG).detect(picture).boxes.tolist() == [[0, 0, 9, 9]]
    assert Native(with_one_changed(LONG)).detect(picture).boxes.tolist() == [[0, 0, 9, 10]]


def test_parameters_of_detectors_that_come_with_the_package():
    assert SlimeFaceDetector().fingerprint() == SlimeFaceDetector(min_score=0.5).fingerprint()
    assert SlimeFaceDetector().fingerprint() != SlimeFaceDetector(min_score=0.6).fingerprint()


@pytest.mark.parametrize("place", [str, Path, os.fsencode])
@pytest.mark.parametrize("kind", [module_of().Own, YuNetDetector, DlibDetector])
def test_a_file_that_was_replaced_counts(tmp_path, kind, place):
    """So a cache of faces that another model found is not taken."""
    file = tmp_path / "model"
    keys = [kind(place(file)).fingerprint()]
    for content in ("a", "bb"):
        file.write_text(content)
        keys.append(kind(place(file)).fingerprint())
    os.utime(file, ns=(0, 0))
    keys.append(kind(place(file)).fingerprint())
    assert keys[-1] == kind(place(file)).fingerprint()
    assert len(set(keys)) == 4
    assert kind("a\0b").fingerprint() != keys[0]  # no name that a file may have
