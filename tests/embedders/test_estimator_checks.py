"""scikit-learn's own checks, over every public embedder, with no expected failure."""

import os
import subprocess
import sys

import pytest
import sklearn
from sklearn.utils.estimator_checks import parametrize_with_checks

import skfer
from skfer.embedders import __all__ as public

EMBEDDERS = [getattr(skfer, name) for name in public]

# The checks fit noise, on which an embedding may rightly be said not to have learned.
pytestmark = pytest.mark.filterwarnings("ignore::skfer.EmbeddingCollapseWarning")


@parametrize_with_checks([cls() for cls in EMBEDDERS])
def test_check(estimator, check):
    if os.environ.get("SCIPY_ARRAY_API") != "1" and "array_api" in str(check):
        # It would skip itself; the test below runs it where the variable is set.
        return
    check(estimator)


ARRAY_API = """
import warnings
import skfer
from sklearn.utils.estimator_checks import check_estimator
warnings.simplefilter("error")
warnings.simplefilter("ignore", skfer.EmbeddingCollapseWarning)
results = check_estimator(skfer.{name}(), on_skip=None, on_fail="raise")
print(len(results), {{r["status"] for r in results}})
"""


@pytest.mark.parametrize("name", public)
def test_checks_with_array_api(name):
    run = subprocess.run(
        [sys.executable, "-c", ARRAY_API.format(name=name)],
        env=os.environ | {"SCIPY_ARRAY_API": "1"},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    n, statuses = run.stdout.split(" ", 1)
    assert int(n) > 40
    assert statuses.strip() == "{'passed'}"
    assert sklearn.__version__
