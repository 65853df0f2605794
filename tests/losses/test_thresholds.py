"""The module of many thresholds, slices of unit length, and which thresholds they get."""

import copy
import pickle

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from skfer.losses import (
    MultiThresholdTripletLoss,
    max_threshold,
    normalize_slices,
    slice_thresholds,
)

every_mining = pytest.mark.parametrize("mining", ["batch-all", "batch-hard"])


class TestModule:
    @every_mining
    def test_keeps_little_for_backward(self, mining):
        """One number a feature, whatever the number of pairs."""
        embeddings = torch.randn(256, 64, requires_grad=True)
        loss = MultiThresholdTripletLoss(slice_thresholds(0.2, 1.2, 16), mining=mining)
        saved = []
        with torch.autograd.graph.saved_tensors_hooks(
            lambda kept: saved.append(kept.untyped_storage().nbytes()), lambda kept: kept
        ):
            loss(embeddings, torch.arange(256) % 7)
        assert sum(saved) == 256 * 64 * 4

    def test_mining_may_change_between_batches(self):
        embeddings, labels = torch.randn(12, 8), torch.arange(12) % 3
        loss = MultiThresholdTripletLoss([0.4, 1.2])
        every = loss(embeddings, labels)
        loss.mining = "batch-hard"
        hard = MultiThresholdTripletLoss([0.4, 1.2], mining="batch-hard")
        assert loss(embeddings, labels) == hard(embeddings, labels)
        loss.mining = "batch-all"
        assert torch.equal(loss(embeddings, labels), every)
        loss.mining = "hardest"
        with pytest.raises(ValueError, match=r"mining must be one of .* got 'hardest'"):
            loss(embeddings, labels)

    def test_stats_are_detached_scalars(self):
        loss = MultiThresholdTripletLoss([4.0, 4.0])
        assert loss.stats == {}
        loss(torch.randn(12, 8, requires_grad=True), torch.arange(12) % 3)
        active = loss.stats["active_fraction"]
        assert active.shape == ()
        assert not active.requires_grad
        assert active.item() == pytest.approx(1.0)

    def test_without_gradient(self):
        value = MultiThresholdTripletLoss([0.4])(torch.randn(12, 8), torch.arange(12) % 3)
        assert not value.requires_grad

    def test_is_a_module_like_others(self):
        loss = MultiThresholdTripletLoss(np.array([0.3, 0.9]), dual=False, mining="batch-hard")
        assert list(loss.parameters()) == []
        assert loss.state_dict()["thresholds"].tolist() == [0.3, 0.9]
        assert "thresholds=[0.3, 0.9], dual=False, mining='batch-hard'" in repr(loss)
        embeddings, labels = torch.randn(12, 8), torch.arange(12) % 3
        expected = loss(embeddings, labels)
        for other in (copy.deepcopy(loss), pickle.loads(pickle.dumps(loss))):
            assert torch.equal(other(embeddings, labels), expected)

    def test_moves_to_devices_without_double_precision(self):
        def move(values):
            if values.dtype == torch.float64:
                raise TypeError("this device has no float64")
            return values.clone()

        loss = MultiThresholdTripletLoss([0.3, 0.9])._apply(move)
        assert loss.thresholds.dtype == torch.float32
        torch.testing.assert_close(loss.thresholds, torch.tensor([0.3, 0.9]))
        assert loss(torch.randn(12, 8), torch.arange(12) % 3) > 0

    def test_thresholds_are_a_copy(self):
        thresholds = torch.tensor([0.3, 0.9], dtype=torch.float64)
        loss = MultiThresholdTripletLoss(thresholds)
        thresholds[0] = 3.0
        assert loss.thresholds.tolist() == [0.3, 0.9]

    @pytest.mark.parametrize("bad", [0.0, -0.1, 4.01, float("nan"), float("inf")])
    def test_refuses_thresholds_outside_the_range(self, bad):
        with pytest.raises(ValueError, match=r"thresholds must lie in \(0, 4\]"):
            MultiThresholdTripletLoss([0.5, bad])

    @pytest.mark.parametrize("bad", [[], 0.5, [[0.5]]])
    def test_refuses_what_is_no_list_of_thresholds(self, bad):
        with pytest.raises(ValueError, match="thresholds must be a sequence"):
            MultiThresholdTripletLoss(bad)

    def test_refuses_an_unknown_mining(self):
        with pytest.raises(ValueError, match="mining must be one of"):
            MultiThresholdTripletLoss([0.5], mining="semi-hard")

    @pytest.mark.parametrize(
        ("shape", "labels", "message"),
        [
            ((4, 7), [0, 0, 1, 1], "embeddings must have a multiple of 2 features"),
            ((4, 2, 3), [0, 0, 1, 1], "embeddings must be a floating-point tensor of shape"),
            ((4, 0), [0, 0, 1, 1], "embeddings must have at least one"),
            ((4, 6), [0, 0, 1], r"labels must be a tensor of shape \(4,\)"),
            ((4, 6), [[0, 0, 1, 1]], r"labels must be a tensor of shape \(4,\)"),
            ((4, 6), [0.0, 0.0, 1.0, 1.0], "labels must be integers"),
        ],
    )
    def test_refuses_a_batch_that_does_not_fit(self, shape, labels, message):
        loss = MultiThresholdTripletLoss([0.5, 1.0])
        with pytest.raises(ValueError, match=message):
            loss(torch.zeros(shape), torch.tensor(labels))

    def test_refuses_integer_embeddings(self):
        with pytest.raises(ValueError, match="embeddings must be a floating-point tensor"):
            MultiThresholdTripletLoss([0.5])(torch.ones(4, 2, dtype=torch.int64), torch.ones(4))


class TestNormalizeSlices:
    @settings(max_examples=40, deadline=None)
    @given(st.integers(0, 2**32 - 1), st.integers(1, 4), st.integers(1, 5), st.integers(1, 8))
    def test_equals_the_textbook(self, seed, n_slices, size, n):
        generator = torch.Generator().manual_seed(seed)
        embeddings = torch.randn(n, n_slices * size, generator=generator, dtype=torch.float64)
        embeddings.requires_grad_()
        parts = embeddings.chunk(n_slices, 1)
        expected = torch.stack([part / part.norm(dim=1, keepdim=True) for part in parts], 1)
        found = normalize_slices(embeddings, n_slices)
        torch.testing.assert_close(found, expected)
        weights = torch.randn_like(expected)
        gradients = [
            torch.autograd.grad((units * weights).sum(), embeddings)[0]
            for units in (found, expected)
        ]
        torch.testing.assert_close(*gradients)

    @pytest.mark.parametrize("factor", [1e-36, 1e-20, 1.0, 1e20, 1e37])
    def test_any_magnitude_gives_unit_length(self, factor):
        embeddings = torch.randn(5, 12, generator=torch.Generator().manual_seed(0))
        units = normalize_slices(embeddings * factor, 3)
        torch.testing.assert_close(units.norm(dim=-1), torch.ones(5, 3))
        torch.testing.assert_close(units, normalize_slices(embeddings, 3))

    def test_zeros_stay_zeros_with_a_finite_gradient(self):
        embeddings = torch.zeros(2, 6, requires_grad=True)
        units = normalize_slices(embeddings, 2)
        units.sum().backward()
        assert torch.equal(units, torch.zeros(2, 2, 3))
        assert torch.equal(embeddings.grad, torch.ones(2, 6))

    def test_refuses_slices_that_do_not_fit(self):
        with pytest.raises(ValueError, match="embeddings must have a multiple of 4 features"):
            normalize_slices(torch.zeros(3, 6), 4)


class TestThresholds:
    def test_samples_a_range_with_its_ends(self):
        np.testing.assert_allclose(slice_thresholds(0.2, 1.0, 5), [0.2, 0.4, 0.6, 0.8, 1.0])
        assert slice_thresholds(0.2, 1.0, 2).tolist() == [0.2, 1.0]
        assert slice_thresholds(0.2, 1.0, 1) == pytest.approx([0.6])

    @pytest.mark.parametrize(("low", "high"), [(1.0, 1.0), (1.0, 0.5), (0.0, 1.0), (0.5, 4.5)])
    def test_refuses_a_range_that_is_none(self, low, high):
        with pytest.raises(ValueError, match=r"(low|high) must be"):
            slice_thresholds(low, high, 3)

    def test_refuses_no_thresholds(self):
        with pytest.raises(ValueError, match="n must be a whole number of at least 1, got 0"):
            slice_thresholds(0.2, 1.0, 0)

    @given(st.integers(2, 1000))
    def test_equidistant_points_meet_the_largest_threshold(self, n_classes):
        """The corners of a simplex, of which a few are enough to measure."""
        few = min(n_classes, 12)
        corners = torch.eye(few, dtype=torch.float64) - 1 / few
        corners /= corners.norm(dim=1, keepdim=True)
        squared = (corners[0] - corners[1]).square().sum().item()
        assert max_threshold(few) == pytest.approx(squared)
        assert 2 < max_threshold(n_classes) <= 4

    def test_refuses_fewer_than_two_classes(self):
        with pytest.raises(ValueError, match=r"n_classes must be .* of at least 2, got 1"):
            max_threshold(1)
