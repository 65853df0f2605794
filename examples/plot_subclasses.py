"""
Classes within classes
======================

A smile may be closed or open, and nobody labels which. :class:`~skfer.GaussianMetricEmbedder`
splits a class, before it is trained, where its faces form groups of their own in what the start
knows (:ref:`start`). The drawn faces of
:func:`~skfer.datasets.make_expressions` have known sub-classes, two to an expression, so that we
can check: the embedder sees only the labels of expressions, and never the sub-classes.
"""

# %%
# Learn on some persons. One class holds two expressions, and so four kinds of faces; another has
# one kind alone. Up to six are looked for in each.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.metrics import adjusted_rand_score

from skfer import GaussianMetricEmbedder
from skfer.datasets import make_expressions
from skfer.inspection import EmbeddingDisplay, SubclassDisplay

shown = ["anger", "happiness", "neutral", "surprise"]
faces = make_expressions(100, 3, classes=shown, random_state=0)
words, kinds = faces.target_names[faces.target], faces.subclass_names[faces.subclass]
kept = kinds != "neutral/eyes closed"
labels = np.where(np.isin(words, ["happiness", "surprise"]), "excited", words)[kept]
images, kinds, known = faces.images[kept], kinds[kept], faces.groups[kept] < 66
embedder = GaussianMetricEmbedder(max_subclasses=6, max_epochs=14, random_state=0)
embedder.fit(images[known], labels[known])

# %%
# What was found, and is it true?
# -------------------------------
# The adjusted Rand index, on persons that the embedder has not seen, is 1 for the same groups and 0
# for groups by chance.

X, y, truth = images[~known], labels[~known], kinds[~known]
found = embedder.predict_subclass(X, y)
for word, number in zip(embedder.classes_, embedder.n_subclasses_, strict=True):
    index = adjusted_rand_score(truth[y == word], found[y == word])
    n_kinds = len(np.unique(truth[y == word]))
    print(f"{word:8} kinds: {n_kinds}, found: {number}, adjusted Rand index {index:.2f}")

# %%
# Where it succeeds, and where not
# --------------------------------
# The network starts from weights that know what faces do, and there the kinds show before it is
# trained: that is where they are looked for. A split has to be worth its parameters by a wide
# margin, so that nothing is split by chance, and needs some hundred faces of a class.
# ``python -m benchmarks.subclasses`` tells how often the right number is found, of one to four
# kinds. From noise (``backbone="scratch"``), and on what is no face, groups show only in training,
# and fewer are found: do not read "1" as "there are no kinds of it" there.
#
# Here is the class of two expressions.

SubclassDisplay.from_estimator(embedder, X, y, classes=["excited"])
plt.show()

# %%
# On the left is the mean of all faces of each sub-class, of persons not seen in training; then come
# the faces nearest to its centroid, which is a point of the embedding.
#
# Where they lie, by the first two principal components: a color for each class, a marker for each
# sub-class.

EmbeddingDisplay.from_estimator(embedder, X, y, mark_errors=False)
plt.show()
