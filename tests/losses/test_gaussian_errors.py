"""What the Gaussian loss refuses."""

import math

import pytest
import torch

from skfer.losses import GaussianMetricLoss, mixup


class TestErrors:
    @pytest.mark.parametrize("sigma", [0, -1.0, math.nan, math.inf])
    def test_sigma(self, sigma):
        with pytest.raises(ValueError, match="sigma must be a finite number above 0"):
            GaussianMetricLoss(sigma)

    @pytest.mark.parametrize(
        "embeddings",
        [torch.randn(4), torch.randn(4, 2, 2), torch.ones(4, 2, dtype=int), torch.ones(0, 2)],
    )
    def test_embeddings(self, embeddings):
        with pytest.raises(ValueError, match="embeddings must"):
            GaussianMetricLoss()(embeddings, torch.arange(4))

    @pytest.mark.parametrize("labels", [torch.arange(3), torch.ones(4), torch.ones(4, 1).long()])
    def test_labels(self, labels):
        with pytest.raises(ValueError, match="labels must be"):
            GaussianMetricLoss()(torch.randn(4, 2), labels)

    def test_soft_targets_have_an_argument_of_their_own(self):
        points, soft, hint = (
            torch.randn(4, 2),
            torch.eye(4),
            "Soft targets are given as targets, beside",
        )
        with pytest.raises(ValueError, match=rf"labels must be .* \(4, 4\)\. {hint}"):
            GaussianMetricLoss()(points, soft)
        GaussianMetricLoss()(points, torch.arange(4), targets=soft)
        for labels in (soft[0], soft.long()):
            with pytest.raises(ValueError, match="labels must be") as caught:
                GaussianMetricLoss()(points, labels)
            assert hint not in str(caught.value)

    def test_labels_have_to_be_columns_of_the_targets(self):
        with pytest.raises(
            ValueError, match="labels must be class indices from 0 to 1, got 0 to 3"
        ):
            GaussianMetricLoss()(torch.randn(4, 2), torch.arange(4), targets=torch.ones(4, 2))

    def test_queries_need_targets(self):
        with pytest.raises(ValueError, match="targets must be given with queries"):
            GaussianMetricLoss()(torch.randn(4, 2), torch.arange(4), queries=torch.randn(1, 2))

    @pytest.mark.parametrize("targets", [torch.ones(3, 4), torch.ones(4), torch.eye(4).long()])
    def test_targets(self, targets):
        with pytest.raises(ValueError, match=r"targets must be .* of shape \(4, n_classes\)"):
            GaussianMetricLoss()(torch.randn(4, 2), torch.arange(4), targets=targets)

    def test_queries(self):
        with pytest.raises(ValueError, match="queries must have 2 features, got 3"):
            GaussianMetricLoss()(
                torch.randn(4, 2),
                torch.arange(4),
                queries=torch.ones(1, 3),
                targets=torch.eye(4)[:1],
            )


@pytest.mark.parametrize("odd", [1.7, -0.1, math.nan, math.inf])
def test_shares_of_mixtures(odd):
    points, partners = torch.randn(2, 4), torch.tensor([1, 0])
    with pytest.raises(ValueError, match="shares must be from 0 to 1, got values from"):
        mixup(points, torch.eye(2), partners, torch.tensor([odd, 0.5]))
