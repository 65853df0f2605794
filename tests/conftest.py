"""What all tests share: where the real faces are, what else there is, a setting of scikit-learn."""

import importlib
import os
import signal
import sys
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, Phase, settings
from sklearn import config_context

REAL_FACES = "SKFER_DATA"

# How long an example takes says more about the machine's other work than about the test.
# The same examples in every run: a change is judged by what it changes. New ones are sought by
# `pytest --hypothesis-profile=explore`.
settings.register_profile("explore", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("skfer", settings.get_profile("explore"), derandomize=True)
# `python -m benchmarks.mutation` asks whether a test fails, and not for the simplest example.
settings.register_profile(
    "first", settings.get_profile("skfer"), phases=[Phase.explicit, Phase.generate]
)
settings.load_profile("skfer")


def pytest_configure(config):
    if os.environ.get("PYTEST_XDIST_WORKER"):
        # Processes side by side: two threads in each would wait for each other.
        os.environ.setdefault("OMP_NUM_THREADS", "1")
        torch.set_num_threads(1)
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        # As where pytest was started in the background: tests of Ctrl-C could not interrupt.
        signal.signal(signal.SIGINT, signal.default_int_handler)
    config.addinivalue_line("markers", f"real_faces: needs the folder that {REAL_FACES} names")
    config.addinivalue_line("markers", "cuda: needs a GPU")
    config.addinivalue_line("markers", "timm: needs timm, which needs a torchvision")
    config.addinivalue_line("markers", "pyarrow: needs pyarrow")
    config.addinivalue_line("markers", "onnx: needs onnx and onnxruntime")
    config.addinivalue_line("markers", "dask: needs distributed")
    config.addinivalue_line("markers", "accelerate: needs accelerate")


@cache
def _has_timm():
    try:
        importlib.import_module("timm")
    except Exception:
        # Where torchvision does not go with torch it fails in many ways.
        return False
    return True


def pytest_report_header():
    root = os.environ.get(REAL_FACES)
    faces = f": {root}" if root else " is not set: real-face checks left out"
    gpu = "there is" if torch.cuda.is_available() else "none: its tests left out"
    timm = "there is" if _has_timm() else "none: its tests left out"
    return [f"{REAL_FACES}{faces}", f"GPU: {gpu}", f"timm: {timm}"]


def pytest_collection_modifyitems(config, items):
    here = {
        "real_faces": bool(os.environ.get(REAL_FACES)),
        "cuda": torch.cuda.is_available(),
        "timm": _has_timm(),
        "pyarrow": find_spec("pyarrow") is not None,
        "onnx": all(find_spec(name) is not None for name in ("onnx", "onnxruntime")),
        "dask": find_spec("distributed") is not None,
        "accelerate": find_spec("accelerate") is not None,
    }
    absent = [marker for marker, is_here in here.items() if not is_here]
    left_out = [item for item in items if any(map(item.get_closest_marker, absent))]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]


@pytest.fixture(scope="session")
def real_faces_root():
    """The folder that holds wild-faces; for tests marked real_faces."""
    return Path(os.environ[REAL_FACES])


@pytest.fixture(autouse=True)
def no_figures_left():
    """Pictures of a test are gone after it: matplotlib warns of more than twenty."""
    yield
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")


@pytest.fixture
def routing():
    """Metadata go where estimators ask for them."""
    with config_context(enable_metadata_routing=True):
        yield
