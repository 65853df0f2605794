"""By what huge and tiny embeddings are multiplied, and where gradients are clamped."""

import pytest
import torch

from skfer._asking import without_asking
from skfer.losses._overflow import Saturate, safe_factor, safe_unit


@pytest.mark.parametrize(
    ("largest", "width", "exponent"),
    [
        (1.0, 1.0, 0),
        (0.0, 1.0, 0),
        (2.0**31, 1.0, 0),  # its fourth power is a float32
        (2.0**32, 1.0, -33),
        (2.0**100, 1.0, -101),
        (-(2.0**100), 1.0, -101),
        (2.0**127, 1.0, -125),  # smaller factors are no normal numbers
        (2.0**-60, 1.0, 0),
        (2.0**-60, 2.0**-15, 0),
        (2.0**-60, 2.0**-16, 59),
        (2.0**-140, 2.0**-20, 125),
        (0.0, 2.0**-20, 0),
        (float("inf"), 1.0, 0),
        (float("nan"), 1.0, 0),
    ],
)
def test_the_largest_magnitude_comes_to_about_one(largest, width, exponent):
    points, centers = torch.tensor([[0.0, largest]]), torch.zeros(3, 2)
    for tensors in ((points, centers), (centers, points)):
        assert safe_factor(*tensors, width=width) == 2.0**exponent


def test_the_largest_magnitude_is_told():
    points = torch.tensor([[0.0, -3.0]])
    assert safe_unit(points, torch.ones(1, 2)) == (1, 3)
    assert safe_unit(2.0**100 * points) == (2.0**-102, 0.75)
    assert safe_unit(torch.tensor([torch.inf])) == (1, torch.inf)
    with without_asking():
        assert safe_unit(points) == (1, torch.inf)


def test_double_precision_has_its_own_limits():
    assert safe_factor(torch.tensor([2.0**200], dtype=torch.float64)) == 1
    assert safe_factor(torch.tensor([2.0**300], dtype=torch.float64)) == 2.0**-301


def test_values_and_gradients_are_clamped():
    values = torch.tensor([5.0, -5.0, 0.5], requires_grad=True)
    clamped = Saturate.apply(values, 2.0)
    assert clamped.tolist() == [2, -2, 0.5]
    clamped.backward(torch.tensor([0.25, -7.0, 9.0]))
    assert values.grad.tolist() == [0.25, -2, 2]
