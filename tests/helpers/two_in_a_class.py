"""An embedder that has found sub-classes."""

import numpy as np

import skfer


def two_in_a_class(faces):
    """An embedder that has found the two expressions in each of two classes, which are words."""
    more = skfer.datasets.make_expressions(
        12, 3, image_size=24, classes=faces.class_names.tolist(), nuisance=0, random_state=0
    )
    settings = {"max_epochs": 6, "max_subclasses": 2, "random_state": 0}
    is_first = np.isin(more.target, np.unique(more.target)[[0, -1]])
    model = skfer.GaussianMetricEmbedder(4, **settings)
    model.fit(more.images, np.where(is_first, "anger", "happiness"))
    assert model.n_subclasses_.tolist() == [2, 2]
    return model
