"""Make the picture of the README and the landing page, light and dark.

Drawn faces of persons that the network has never seen: where they lie by their pixels, and where by
the embedding.
"""

from pathlib import Path

import matplotlib

matplotlib.use("agg")
import matplotlib.pyplot as plt
from sklearn.decomposition import PCA
from sklearn.model_selection import StratifiedGroupKFold

from skfer import MultiThresholdEmbedder
from skfer.datasets import make_expressions
from skfer.inspection import EmbeddingDisplay

STYLES = {"embedding.png": "default", "embedding-dark.png": "dark_background"}


def draw(path, panels, y, images, names):
    """Each panel's points with a face here and there; one legend for all."""
    figure, axes = plt.subplots(1, len(panels), figsize=(11, 4.6), layout="constrained")
    for ax, (title, points) in zip(axes, panels.items(), strict=True):
        display = EmbeddingDisplay.from_embedding(
            points, y, images=images, names=names, ax=ax, n_pictures=26, caption=title, legend=False
        )
        ax.spines[:].set_visible(False)
    words, handles = zip(*display.scatters_.items(), strict=True)
    figure.legend(
        handles, words, loc="outside lower center", ncols=len(words), frameon=False, markerscale=1.4
    )
    # Black text needs its white background wherever the picture is shown.
    figure.savefig(path, dpi=110, transparent="dark" in path.name)
    plt.close(figure)


def main() -> None:
    faces = make_expressions(random_state=0)
    split = StratifiedGroupKFold(4).split(faces.images, faces.target, faces.groups)
    train, test = next(split)
    model = MultiThresholdEmbedder(random_state=0).fit(faces.images[train], faces.target[train])
    pixels = PCA(2).fit(faces.data[train] / 255).transform(faces.data[test] / 255)
    embedding = PCA(2).fit(model.transform(faces.images[train]))
    panels = {
        "by their pixels": pixels,
        "by what skfer has learned from other persons": embedding.transform(
            model.transform(faces.images[test])
        ),
    }
    folder = Path(__file__).parent / "_static"
    for name, style in STYLES.items():
        with plt.style.context(style):
            draw(folder / name, panels, faces.target[test], faces.images[test], faces.target_names)


if __name__ == "__main__":
    main()
