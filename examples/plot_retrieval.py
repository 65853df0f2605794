"""
Finding faces with the same expression
======================================

In a good embedding the nearest faces show the same expression, whoever shows it. We search the
faces of persons that the embedder has never seen, leave out those of the person who asks, and
mark what is right and what is wrong.
"""

# %%
# Learn on two thirds of the persons, and embed the others.

import matplotlib.pyplot as plt

from skfer import GaussianMetricEmbedder
from skfer.datasets import make_expressions
from skfer.inspection import RetrievalDisplay, SubclassDisplay
from skfer.metrics import mean_average_precision_at_r, recall_at_k

faces = make_expressions(90, 3, image_size=32, random_state=0)
known = faces.groups < 60
embedder = GaussianMetricEmbedder(max_epochs=20, random_state=0)
embedder.fit(faces.images[known], faces.target[known])

images, target = faces.images[~known], faces.target[~known]
groups = faces.groups[~known]
Z = embedder.transform(images)

# %%
# Two numbers for the whole search: how often a face of the same expression is among the nearest
# k, and the mean average precision at R.

for k in (1, 2, 4, 8):
    print(f"recall@{k}: {recall_at_k(Z, target, k=k, groups=groups):.3f}")
print(f"MAP@R: {mean_average_precision_at_r(Z, target, groups=groups):.3f}")

# %%
# A query of each expression, left, and the six faces of other persons that are nearest to it.

RetrievalDisplay.from_estimator(
    embedder, images, target, groups=groups, names=faces, random_state=0
)
plt.show()

# %%
# A class's centroid is a point of the embedding, ``means_``. The faces nearest to it show the
# expression at its most typical: a row for each class, among all faces of the unseen persons.

SubclassDisplay.from_estimator(embedder, images, target, names=faces)
plt.show()
