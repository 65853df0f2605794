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
import numpy as np

from skfer import GaussianMetricEmbedder
from skfer.datasets import make_expressions
from skfer.inspection import RetrievalDisplay
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
# expression at its most typical: five for each class, among all faces of the unseen persons.

fig, axes = plt.subplots(5, len(embedder.means_), figsize=(8, 5.6), layout="constrained")
for column, mean, code in zip(axes.T, embedder.means_, embedder.subclass_to_class_, strict=True):
    nearest = np.linalg.norm(Z - mean, axis=1).argsort()[:5]
    column[0].set_title(faces.target_names[code], fontsize=9)
    for ax, i in zip(column, nearest, strict=True):
        ax.imshow(images[i], cmap="gray")
        ax.set(xticks=[], yticks=[])
        ax.spines[:].set(color="tab:green" if target[i] == code else "tab:red", linewidth=3)
fig.suptitle("The faces of unseen persons nearest to each class's centroid")
plt.show()
