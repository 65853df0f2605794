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
from sklearn.metrics import adjusted_rand_score

from skfer import GaussianMetricEmbedder
from skfer.datasets import make_expressions
from skfer.inspection import EmbeddingDisplay, SubclassDisplay

faces = make_expressions(240, 4, random_state=0)
known = faces.groups < 160
embedder = GaussianMetricEmbedder(
    backbone="scratch", max_subclasses=3, max_epochs=24, random_state=0
)
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
# The centroid of a sub-class is a point of the embedding. On the left is the mean of all faces of
# each, of persons not seen in training; then come the real faces nearest to the centroid.

SubclassDisplay.from_estimator(embedder, X, y, names=faces, classes=[0, 4, 7])
plt.show()

# %%
# Where they lie, by the first two principal components: a color for each class, a marker for each
# sub-class.

EmbeddingDisplay.from_estimator(embedder, X, y, names=faces, mark_errors=False)
plt.show()
