"""Models in files."""

import functools
from importlib.util import find_spec

import numpy as np
from sklearn.base import clone
from sklearn.decomposition import PCA

from helpers.odd import Call, Made
from skfer.embedders import CrossEntropyEmbedder
from skfer.persistence import (
    export_onnx,
    load,
    load_expression_model,
    model_card,
    read_card,
    save,
)

ROWS = np.random.RandomState(0).normal(size=(12, 4))
QUICK = CrossEntropyEmbedder(4, max_epochs=1, random_state=0)


@functools.cache
def fitted():
    return clone(QUICK).fit(ROWS, np.arange(12) % 2)


def kept(folder):
    """Return the path of a model that was saved."""
    path = folder / "kept.skfer"
    if not path.exists():
        save(fitted(), path)
    return path


def read(**arguments):
    return load(**arguments).transform(ROWS)


MODEL, KEPT = Made(lambda folder: fitted()), Made(kept)
# A path of no model is told as a file that is not what it should be.
FILES = {"path": "skfer.save"}

CALLS = {
    "save": Call(
        save, model=MODEL, path=Made(lambda folder: folder / "new.skfer"), card={"name": "odd"}
    ),
    "load": Call(read, load, also=FILES, path=KEPT, trusted=[PCA], device="cpu", max_bytes=2**20),
    "read_card": Call(read_card, also=FILES, path=KEPT, max_bytes=2**20),
    "model_card": Call(model_card, also={"model": "skfer.save"}, model=MODEL),
    "load_expression_model": Call(load_expression_model, detector=None, device="cpu"),
    "export_onnx": Call(export_onnx, model=MODEL, path=Made(lambda folder: folder / "new.onnx")),
}
ELSEWHERE = set()
if find_spec("onnx") is None:
    CALLS.pop("export_onnx")
    ELSEWHERE.add("export_onnx")
