"""What is far away costs a Gaussian loss no digits."""

from contextlib import nullcontext

import pytest
import torch

from skfer._asking import without_asking
from skfer.losses import GaussianMetricLoss, mixup


def one_far_sample():
    """Two overlapping classes, and a sample of the third that is a thousand times as far."""
    embeddings = torch.randn(30, 64, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(30) % 3
    embeddings[labels == 1] += 0.5
    embeddings[0] = 1000
    return GaussianMetricLoss(), embeddings, labels


def one_far_class():
    """Two neighboring classes far from a third, which has the first sample, in units of sigma."""
    generator = torch.Generator().manual_seed(1)
    labels = torch.arange(60) % 3
    means = 100 * torch.randn(3, 64, generator=generator)
    means[2] = means[1] + 0.05
    embeddings = means[labels] + 0.1 * torch.randn(60, 64, generator=generator)
    return GaussianMetricLoss(0.5, relative_sigma=False), embeddings, labels


class TestFar:
    """What is far away costs no digits, whichever sample comes first."""

    @pytest.mark.parametrize("far", [one_far_sample, one_far_class])
    @pytest.mark.parametrize("asking", [nullcontext, without_asking])
    @pytest.mark.parametrize("first", [0, 1, 2])
    def test_value_gradient_and_posterior(self, far, asking, first):
        loss, embeddings, labels = far()
        order = torch.arange(len(labels)).roll(-first)
        embeddings, labels = embeddings[order], labels[order]

        def told(embeddings):
            embeddings = embeddings.clone().requires_grad_()
            with asking():
                value = loss(embeddings, labels, n_classes=3)
                posterior = loss.log_posterior(embeddings, labels, n_classes=3).exp()
                (of_loss,) = torch.autograd.grad(value, embeddings)
                (of_posterior,) = torch.autograd.grad(posterior[:, 1].sum(), embeddings)
            return value, loss.stats["active_fraction"], posterior, of_loss, of_posterior

        for ours, exact in zip(told(embeddings), told(embeddings.double()), strict=True):
            assert ours.dtype == torch.float32
            torch.testing.assert_close(ours.double(), exact, rtol=1e-5, atol=1e-6)

    def test_what_is_near_is_computed_as_it_comes(self, monkeypatch):
        def none(tensor):
            raise AssertionError("in double precision, which takes longer")

        monkeypatch.setattr(torch.Tensor, "double", none)
        embeddings = torch.randn(64, 64, generator=torch.Generator().manual_seed(0))
        embeddings.requires_grad_()
        GaussianMetricLoss()(embeddings, torch.arange(64) % 7).backward()

    def test_queries(self):
        loss, embeddings, labels = one_far_class()
        queries, targets = mixup(
            embeddings, torch.eye(3)[labels], torch.arange(60).roll(3), torch.full((60,), 0.4)
        )

        def told(dtype):
            points, at = (rows.to(dtype).requires_grad_() for rows in (embeddings, queries))
            value = loss(points, labels, queries=at, targets=targets)
            return value, *torch.autograd.grad(value, (points, at))

        for ours, exact in zip(told(torch.float32), told(torch.float64), strict=True):
            torch.testing.assert_close(ours.double(), exact, rtol=1e-5, atol=1e-6)
