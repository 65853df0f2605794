"""Make the golden files: `python tests/helpers/golden.py` writes them, once for a format."""

from pathlib import Path

import numpy as np
from sklearn.decomposition import PCA
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import skfer
from skfer.datasets import make_expressions
from skfer.nets import CompactResNet

FOLDER = Path(__file__).parents[1] / "persistence" / "golden"


def models():
    """Return unfitted models by name."""
    how = {"max_epochs": 1, "random_state": 0, "backbone": CompactResNet((1, 16, 16), 2)}
    how["embedding_dim"] = 8
    steps = (StandardScaler(), PCA(3), KNeighborsClassifier(3))
    return {
        "cross_entropy": skfer.CrossEntropyEmbedder(**how),
        "gaussian": skfer.GaussianMetricEmbedder(**how),
        "metric_loss": skfer.MetricLossEmbedder(**how),
        "multi_threshold": skfer.MultiThresholdEmbedder(n_thresholds=2, **how),
        "triplet_center": skfer.TripletCenterEmbedder(**how),
        "pipeline": make_pipeline(skfer.CrossEntropyEmbedder(**how), *steps),
    }


def faces():
    """Return pictures that are the same for ever."""
    return np.random.RandomState(7).randint(0, 256, (12, 16, 16)).astype(np.uint8)


def embedded(model, images):
    """Return the embedding, of a pipeline before its classifier."""
    return (model[:-1] if hasattr(model, "steps") else model).transform(images)


def main():
    """Write them."""
    FOLDER.mkdir(exist_ok=True)
    drawn = make_expressions(4, 1, image_size=16, classes=["anger", "fear"], random_state=0)
    arrays = {}
    for name, model in models().items():
        model.fit(drawn.images, drawn.target_names[drawn.target])
        skfer.save(model, FOLDER / f"{name}.skfer", card={"notes": "golden"})
        arrays[name] = embedded(model, faces())
    np.savez_compressed(FOLDER / "embeddings.npz", **arrays)


if __name__ == "__main__":
    main()
