"""A second derivative that is not there is an error, not a silent 0."""

import pytest
import torch

from skfer.losses import GaussianMetricLoss, MultiThresholdTripletLoss

Y = torch.arange(8) % 2


@pytest.mark.parametrize("loss", [GaussianMetricLoss(), MultiThresholdTripletLoss([0.5, 1.0])])
def test_a_penalty_of_the_gradient_is_refused(loss):
    points = torch.randn(8, 4, generator=torch.Generator().manual_seed(0)).requires_grad_()
    value = loss(points, Y)
    with pytest.raises(RuntimeError, match=r"once, not twice: leave out create_graph=True"):
        torch.autograd.grad(value, points, create_graph=True)
    (gradient,) = torch.autograd.grad(loss(points, Y), points)
    assert gradient.abs().sum() > 0
