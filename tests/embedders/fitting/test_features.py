"""What a network makes of its inputs before the projection."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from skfer import GaussianMetricEmbedder
from skfer.embedders.fitting._features import pooled_features


@pytest.mark.parametrize("n", [4, 8, 9])
def test_the_features_of_few_images_are_the_same_each_time(faces, n):
    given = {"max_epochs": 1, "random_state": 0}
    model = GaussianMetricEmbedder(8, **given).fit(faces.images, faces.target)
    source = model._check_inputs(faces.images[:n], reset=False)
    features = [pooled_features(model.net_, source) for _ in range(3)]
    assert len(features[0]) == n
    for other in features[1:]:
        assert_array_equal(other, features[0])


@pytest.mark.parametrize("n", [4, 8])
def test_sub_classes_and_wrong_labels_are_looked_for_among_few(faces, n):
    images, labels = faces.images[:n], np.arange(n) % 2
    given = {"max_subclasses": 2, "label_noise": True, "max_epochs": 2, "random_state": 0}
    model = GaussianMetricEmbedder(8, **given).fit(images, labels)
    assert model.wrong_label_share_ is not None
    assert model.transform(images).shape == (n, 8)
