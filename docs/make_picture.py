"""Make the picture of the README: drawn faces, and the embedding of unseen persons."""

from pathlib import Path

import matplotlib

matplotlib.use("agg")
import matplotlib.pyplot as plt
import numpy as np
from sklearn.model_selection import StratifiedGroupKFold

from skfer import MultiThresholdEmbedder
from skfer.datasets import make_expressions
from skfer.inspection import EmbeddingDisplay


def main() -> None:
    shown = make_expressions(5, 1, image_size=96, random_state=4)
    faces = make_expressions(random_state=0)
    split = StratifiedGroupKFold(4).split(faces.images, faces.target, faces.groups)
    train, test = next(split)
    model = MultiThresholdEmbedder(random_state=0).fit(faces.images[train], faces.target[train])
    figure, (left, right) = plt.subplots(
        1, 2, figsize=(10, 4.2), width_ratios=[1.25, 1], layout="constrained"
    )
    rows = [shown.images[shown.target == code][:5] for code in range(8)]
    # Expressions as columns, persons as rows.
    left.imshow(np.concatenate([np.concatenate(row) for row in rows], axis=1), cmap="gray")
    left.set_xticks(48 + 96 * np.arange(8), shown.target_names, fontsize=8)
    left.set_yticks([])
    left.spines[:].set_visible(False)
    left.tick_params(length=0)
    EmbeddingDisplay.from_estimator(
        model,
        faces.images[test],
        faces.target[test],
        names=faces.target_names,
        ax=right,
        caption="persons the network has never seen",
    )
    right.spines[:].set_visible(False)
    path = Path(__file__).parent / "_static" / "embedding.png"
    path.parent.mkdir(exist_ok=True)
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main()
