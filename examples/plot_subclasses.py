"""
Classes within classes
======================

A smile may be closed or open, and nobody labels which. :class:`~skfer.GaussianMetricEmbedder`
splits a class in training where its faces form groups of their own. The drawn faces of
:func:`~skfer.datasets.make_expressions` have known sub-classes, so that we can check: the
embedder sees only the labels of expressions, and never the sub-classes.
"""

# %%
# Learn on some persons, with up to three sub-classes to an expression. It takes many faces of each,
# and several expressions: what tells them apart is what the network learns to see.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.metrics import adjusted_rand_score

from skfer import GaussianMetricEmbedder
from skfer.datasets import make_expressions

faces = make_expressions(240, 4, random_state=0)
known = faces.groups < 160
embedder = GaussianMetricEmbedder(max_subclasses=3, max_epochs=24, random_state=0)
embedder.fit(faces.images[known], faces.target[known])

names = faces.target_names[embedder.classes_]
for name, number in zip(names, embedder.n_subclasses_, strict=True):
    print(f"{name}: {number} sub-classes")

# %%
# Are they the true ones? The adjusted Rand index on persons that the embedder has not seen is 1
# for the same groups and 0 for groups by chance.

X, y, truth = faces.images[~known], faces.target[~known], faces.subclass[~known]
found = embedder.predict_subclass(X, y)
for code, name in zip(embedder.classes_, names, strict=True):
    index = adjusted_rand_score(truth[y == code], found[y == code])
    print(f"{name}: adjusted Rand index {index:.2f}")

# %%
# The centroid of a sub-class is a point of the embedding. These are the real faces nearest to
# each, of persons not seen in training, for three expressions: a row for a sub-class.

shown = np.isin(embedder.subclass_to_class_, [0, 4, 7])  # anger, happiness, surprise
Z = embedder.transform(X)
fig, axes = plt.subplots(shown.sum(), 6, figsize=(7, 1.2 * shown.sum()), layout="constrained")
for row, subclass in zip(axes, np.flatnonzero(shown), strict=True):
    distances = np.linalg.norm(Z - embedder.means_[subclass], axis=1)
    for ax, i in zip(row, distances.argsort()[:6], strict=True):
        ax.imshow(X[i], cmap="gray")
        ax.set(xticks=[], yticks=[])
    word = faces.target_names[embedder.subclass_to_class_[subclass]]
    row[0].set_ylabel(f"{word}\n{(found == subclass).sum()} faces", fontsize=8)
fig.suptitle("The faces nearest to the centroid of each sub-class")
plt.show()

# %%
# ... and the mean of all faces of each of them.

fig, axes = plt.subplots(1, shown.sum(), figsize=(1.4 * shown.sum(), 1.8), layout="constrained")
for ax, subclass in zip(axes, np.flatnonzero(shown), strict=True):
    ax.imshow(X[found == subclass].mean(axis=0), cmap="gray")
    ax.set(xticks=[], yticks=[])
    ax.set_title(faces.target_names[embedder.subclass_to_class_[subclass]], fontsize=9)
plt.show()
