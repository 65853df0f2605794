"""
From faces to a cross-validated score
=====================================

:class:`~skfer.MultiThresholdEmbedder` turns face images into rows of numbers in which distance
means expression. It is a scikit-learn transformer: put a classifier behind it and cross-validate.
"""

# %%
# Faces
# -----
# Drawn faces need no download and have all that a photographed set has: labels, and the person
# shown. Replace them by :func:`~skfer.datasets.load_image_folder` or one of the other loaders.
import matplotlib.pyplot as plt
from sklearn.model_selection import StratifiedGroupKFold, cross_validate
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline

from skfer import MultiThresholdEmbedder
from skfer.datasets import make_expressions
from skfer.inspection import EmbeddingDisplay

faces = make_expressions(n_subjects=40, random_state=0)
print(faces.images.shape, faces.images.dtype, "persons:", len(set(faces.groups)))

figure, axes = plt.subplots(2, 8, figsize=(10, 3), layout="constrained")
for person, row in enumerate(axes):
    for code, ax in enumerate(row):
        ax.imshow(faces.images[(faces.groups == person) & (faces.target == code)][0], cmap="gray")
        ax.set_axis_off()
        if person == 0:
            ax.set_title(faces.target_names[code], fontsize=9)
plt.show()

# %%
# Persons apart
# -------------
# A person who is in the training set must not be in the test set: who shows an expression is easier
# to see than which. ``StratifiedGroupKFold`` keeps persons together; ``groups`` tells who they are.
#
# The default of 40 epochs does better; 25 keep this example short.
model = make_pipeline(MultiThresholdEmbedder(max_epochs=25, random_state=0), KNeighborsClassifier())
scores = cross_validate(
    model,
    faces.images,
    faces.target,
    groups=faces.groups,
    cv=StratifiedGroupKFold(3),
    return_estimator=True,
    return_indices=True,
)
print("accuracy on new persons:", scores["test_score"].round(3))

# %%
# The embedding of persons never seen
# -----------------------------------
# The first two principal components of the 128 coordinates, for the test part of the first fold.
# What overlaps here may well be apart in the other coordinates.
embedder = scores["estimator"][0][0]
test = scores["indices"]["test"][0]
display = EmbeddingDisplay.from_estimator(
    embedder, faces.images[test], faces.target[test], names=faces.target_names
)
figure, ax = plt.subplots(figsize=(7, 5), layout="constrained")
display.plot(ax=ax)
plt.show()

# %%
# How it learned
# --------------
# ``history_`` has a dict an epoch. A spread near 0, or triplets that are all active to the end,
# are the marks of an embedding that has collapsed; ``fit`` warns of it.
epochs = range(1, embedder.n_iter_ + 1)
figure, axes = plt.subplots(1, 3, figsize=(10, 2.6), layout="constrained")
for ax, key in zip(axes, ("train_loss", "active_fraction", "embedding_spread"), strict=True):
    ax.plot(epochs, [epoch[key] for epoch in embedder.history_])
    ax.set(xlabel="epoch", title=key.replace("_", " "), ylim=(0, None))
plt.show()
