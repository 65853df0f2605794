"""Speed of exported ONNX graphs under onnxruntime, against the model in Python; one thread each."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline

import skfer
from benchmarks._timing import interleave, record, table
from skfer.datasets import make_expressions
from skfer.evaluation import EMBEDDERS, make_methods

TITLE = "ONNX graphs (`python -m benchmarks.export`)"
BATCHES = (1, 64, 512)


def run(repeats: int) -> str:
    """Return a table of speeds, and of the largest difference in the embedding."""
    faces = make_expressions(64, 1, random_state=0)
    models = make_methods(EMBEDDERS, random_state=0, max_epochs=2)
    models["cross-entropy, 5-NN"] = make_pipeline(
        make_methods(["cross-entropy"], random_state=0, max_epochs=2)["cross-entropy"],
        KNeighborsClassifier(),
    )
    rows = []
    for name, model in models.items():
        model.fit(faces.images, faces.target)
        rows += _rows(name, model, faces.images, repeats)
    heads = ("model", "pictures", "skfer (ms)", "onnxruntime (ms)", "skfer / graph", "difference")
    return table(heads, rows)


def _rows(name: str, model, images: np.ndarray, repeats: int) -> list[tuple[str, ...]]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.onnx"
        skfer.export_onnx(model, path)
        session = onnxruntime.InferenceSession(str(path), options)
    embed = model[:-1] if hasattr(model, "steps") else model
    found = session.run(["embedding"], {"images": images})[0]
    wanted = embed.transform(images)
    difference = np.abs(found - wanted).max() / np.abs(wanted).max()
    rows = []
    for n in BATCHES:
        some = images[:n]
        seconds = interleave(
            {
                "skfer": lambda some=some: embed.transform(some),
                "graph": lambda some=some: session.run(["embedding"], {"images": some}),
            },
            repeats,
        )
        ratio = seconds["skfer"] / seconds["graph"]
        numbers = (1000 * seconds["skfer"], 1000 * seconds["graph"], ratio)
        rows.append((name, str(n), *(f"{number:.2f}" for number in numbers), f"{difference:.1e}"))
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="put the table into RESULTS.md")
    parser.add_argument("--repeats", type=int, default=5, help="turns")
    arguments = parser.parse_args()
    report = (
        "`transform` of a fitted model, which pads to 64 pictures, against the embedding of its "
        "graph, 48 x 48 pixels, process time, one thread each; the largest difference as a share "
        "of the largest coordinate.\n\n" + run(arguments.repeats)
    )
    print(f"## {TITLE}\n\n{report}\n")
    if arguments.write:
        record(TITLE, report)
    return 0


if __name__ == "__main__":
    sys.exit(main())
