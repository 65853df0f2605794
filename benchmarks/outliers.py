"""Does `score_samples` know what it has not seen? `python -m benchmarks.outliers [--write]`.

GaussianMetricEmbedder is trained on drawn faces without one expression. On persons held out, the
area under the ROC curve with which its log density tells the faces of the known expressions from
those of the missing one, and from pictures that are no such faces: turned upside down, scrambled in
blocks, and plain noise. Beside it, the largest probability of the same network's classifier trained
by cross-entropy, the usual baseline.
"""

import argparse
import sys
from typing import Any

import numpy as np
from scipy.special import softmax
from sklearn.metrics import roc_auc_score

from benchmarks._settings import NOISE
from benchmarks._timing import one_thread, record, table
from skfer import GaussianMetricEmbedder, TripletCenterEmbedder
from skfer.datasets import make_expressions

MISSING = ("disgust", "happiness", "surprise")
BLOCK = 12


def strange_pictures(images: np.ndarray, seed: int) -> dict[str, np.ndarray]:
    """Pictures that are no upright faces, made of faces or of nothing."""
    rng = np.random.RandomState(seed)
    n, height, width = images.shape
    blocks = images.reshape(n, height // BLOCK, BLOCK, width // BLOCK, BLOCK).swapaxes(2, 3)
    blocks = blocks.reshape(n, -1, BLOCK, BLOCK)
    mixed = np.stack([b[rng.permutation(len(b))] for b in blocks])
    mixed = mixed.reshape(n, height // BLOCK, width // BLOCK, BLOCK, BLOCK).swapaxes(2, 3)
    return {
        "upside down": images[:, ::-1],
        "scrambled": mixed.reshape(images.shape),
        "noise": rng.randint(0, 256, images.shape).astype(np.uint8),
    }


def run(missing: str, seed: int) -> dict[str, tuple[float, float]]:
    """Area under the curve, by density and by the largest probability, of each kind."""
    faces = make_expressions(random_state=seed)
    unseen = faces.target == faces.target_names.tolist().index(missing)
    held_out = faces.groups >= 2 * (faces.groups.max() + 1) // 3
    train = ~held_out & ~unseen
    familiar = faces.images[held_out & ~unseen]
    strange = {"missing expression": faces.images[held_out & unseen]}
    strange |= strange_pictures(familiar, seed)
    ours = GaussianMetricEmbedder(random_state=seed, **NOISE)
    plain = TripletCenterEmbedder(center_weight=0, attention=None, random_state=seed, **NOISE)
    scores: list[Any] = [
        ours.fit(faces.images[train], faces.target[train]).score_samples,
        _largest_probability(plain.fit(faces.images[train], faces.target[train])),
    ]
    return {
        kind: tuple(auroc(score(familiar), score(images)) for score in scores)
        for kind, images in strange.items()
    }


def _largest_probability(model: TripletCenterEmbedder) -> Any:
    return lambda X: softmax(model.decision_function(X), axis=1).max(axis=1)


def auroc(familiar: np.ndarray, strange: np.ndarray) -> float:
    """Chance that a familiar picture has a higher score than a strange one."""
    y = np.r_[np.ones(len(familiar)), np.zeros(len(strange))]
    return float(roc_auc_score(y, np.r_[familiar, strange]))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--write", action="store_true", help="write benchmarks/RESULTS.md")
    arguments = parser.parse_args()
    with one_thread():
        results = [run(name, seed) for name in MISSING for seed in range(arguments.seeds)]
    rows = []
    for kind in results[0]:
        values = np.array([result[kind] for result in results])
        cells = [f"{m:.3f} ± {s:.3f}" for m, s in zip(values.mean(0), values.std(0), strict=True)]
        rows.append([kind, *cells])
    text = table(["strange pictures", "log density (ours)", "largest probability"], rows)
    text = f"{len(results)} fits; area under the ROC curve, mean ± standard deviation.\n\n{text}"
    print(text)
    if arguments.write:
        record("Strange faces (`python -m benchmarks.outliers`)", text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
