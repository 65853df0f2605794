"""scikit-learn's own checks, over every public embedder, with no expected failure."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
import sklearn
from helpers.embedders import CASES
from sklearn.utils.estimator_checks import parametrize_with_checks

import skfer.embedders
from skfer.embedders import BaseEmbedder, ClassifierEmbedder, LabeledOnly, WithLabels

CLASSES = [case.cls for case in CASES]

# The checks fit noise, on which an embedding may rightly be said not to have learned.
pytestmark = pytest.mark.filterwarnings("ignore::skfer.EmbeddingCollapseWarning")


def test_every_public_embedder_is_in_the_table():
    public = {getattr(skfer.embedders, name) for name in skfer.embedders.__all__}
    assert public - {BaseEmbedder, ClassifierEmbedder, LabeledOnly, WithLabels} <= set(CLASSES)


@parametrize_with_checks([cls(max_epochs=40) for cls in CLASSES])
def test_check(estimator, check):
    if os.environ.get("SCIPY_ARRAY_API") != "1" and "array_api" in str(check):
        # It would skip itself; the test below runs it where the variable is set.
        return
    check(estimator)


ARRAY_API = """
import sys
import warnings
sys.path += {path!r}
import skfer
from {module} import {name}
from sklearn.utils.estimator_checks import check_estimator
warnings.simplefilter("error")
warnings.simplefilter("ignore", skfer.EmbeddingCollapseWarning)
results = check_estimator({name}(max_epochs=20), on_skip=None, on_fail="raise")
print(len(results), {{r["status"] for r in results}})
"""


def _run_with_array_api(cls):
    code = ARRAY_API.format(path=sys.path, module=cls.__module__, name=cls.__name__)
    return subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"SCIPY_ARRAY_API": "1"},
        capture_output=True,
        text=True,
        timeout=1800,
    )


@pytest.fixture(scope="module")
def runs_with_array_api():
    """A process for each embedder, two at a time: they take minutes."""
    with ThreadPoolExecutor(2) as pool:
        return dict(zip(CLASSES, pool.map(_run_with_array_api, CLASSES), strict=True))


@pytest.mark.parametrize("cls", CLASSES)
def test_checks_with_array_api(cls, runs_with_array_api):
    run = runs_with_array_api[cls]
    assert run.returncode == 0, run.stderr
    n, statuses = run.stdout.split(" ", 1)
    assert int(n) > 40
    assert statuses.strip() == "{'passed'}"
    assert sklearn.__version__
