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
from skfer.inspection import EmbeddingDisplay, TrainingDisplay, show_faces

faces = make_expressions(n_subjects=40, random_state=0)
print(f"{len(faces.images)} faces of {len(set(faces.groups))} persons")

two_persons = slice(0, 48, 3)  # of three faces of each expression the first
show_faces(
    faces.images[two_persons],
    faces.target[two_persons],
    names=faces,
    caption="Two persons, with eight expressions each",
)
plt.show()

# %%
# Persons apart
# -------------
# A person who is in the training set must not be in the test set: who shows an expression is easier
# to see than which. ``StratifiedGroupKFold`` keeps persons together; ``groups`` tells who they are.
#
# The default does better; 25 passes keep this example short.
embedder = MultiThresholdEmbedder(max_epochs=25, random_state=0)
model = make_pipeline(embedder, KNeighborsClassifier())
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
# What overlaps here may well be apart in the other coordinates. Rings are around the faces that the
# classifier at the end of the pipeline takes for another expression.
test = scores["indices"]["test"][0]
EmbeddingDisplay.from_estimator(
    scores["estimator"][0],
    faces.images[test],
    faces.target[test],
    names=faces,
    n_pictures=20,
)
plt.show()

# %%
# How it learned
# --------------
# ``history_`` has a dict an epoch. A spread near 0, or triplets that are all active to the end,
# are the marks of an embedding that has collapsed; ``fit`` warns of it.
# Here are all three folds: their mean, and a band around it.
TrainingDisplay.from_estimator(
    scores["estimator"], metrics=["loss", "active_fraction", "embedding_spread"]
)
plt.show()
