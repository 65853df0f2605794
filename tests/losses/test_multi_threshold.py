import warnings

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from skfer.losses import (
    MultiThresholdTripletLoss,
    normalize_slices,
)

quick = settings(max_examples=40, deadline=None)
seeds = st.integers(0, 2**32 - 1)
minings = st.sampled_from(["batch-all", "batch-hard"])
every_mining = pytest.mark.parametrize("mining", ["batch-all", "batch-hard"])
every_form = pytest.mark.parametrize("dual", [False, True])


@st.composite
def batches(draw, dtype=torch.float64):
    """Embeddings, labels, thresholds; unequal classes, perhaps of one sample or only one."""
    n_slices, slice_size = draw(st.integers(1, 4)), draw(st.integers(2, 6))
    n_samples, n_classes = draw(st.integers(1, 14)), draw(st.integers(1, 5))
    generator = torch.Generator().manual_seed(draw(seeds))
    embeddings = torch.randn(
        n_samples, n_slices * slice_size, generator=generator, dtype=torch.float64
    )
    labels = torch.randint(n_classes, (n_samples,), generator=generator)
    thresholds = (torch.rand(n_slices, generator=generator) * 1.9 + 0.05).tolist()
    return embeddings.to(dtype), labels, thresholds


def evaluate(embeddings, labels, thresholds, **settings):
    """Loss and gradient."""
    leaf = embeddings.clone().requires_grad_()
    loss = MultiThresholdTripletLoss(thresholds, **settings)(leaf, labels)
    loss.backward()
    return loss.detach(), leaf.grad


def definition(embeddings, labels, thresholds, mining, dual):
    """The loss with a cube of all triplets, left to autograd."""
    places = torch.arange(len(labels))
    same = labels[:, None] == labels
    cube = (same & (places[:, None] != places))[:, :, None] & ~same[:, None]
    losses = []
    for part, threshold in zip(embeddings.chunk(len(thresholds), 1), thresholds, strict=True):
        points = torch.nn.functional.normalize(part, dim=1)
        far = (points[:, None] - points).square().sum(-1)
        sides = [torch.relu(far[:, :, None] - far[:, None] + threshold)]
        if dual:
            sides.append(torch.relu(far[:, :, None] - far[None] + threshold))
        if mining == "batch-all":
            active = torch.cat([side[cube] for side in sides])
            losses.append(active.sum() / max(1, int((active > 0).sum())))
            continue
        detached, chosen = far.detach(), []
        for a in places[cube.any((1, 2))].tolist():
            positive = detached[a].where(cube[a].any(1), -torch.tensor(torch.inf)).argmax()
            negative = detached[a].where(cube[a].any(0), torch.tensor(torch.inf)).argmin()
            chosen.append(sum(side[a, positive, negative] for side in sides))
        losses.append(sum(chosen, embeddings.sum() * 0) / max(1, len(chosen)))
    return sum(losses) / len(losses)


class TestDefinition:
    @quick
    @given(batches(), minings, st.booleans())
    def test_is_the_definition(self, batch, mining, dual):
        embeddings, labels, thresholds = batch
        value, gradient = evaluate(*batch, mining=mining, dual=dual)
        leaf = embeddings.clone().requires_grad_()
        expected = definition(leaf, labels, thresholds, mining, dual)
        expected.backward()
        torch.testing.assert_close(value, expected.detach(), rtol=0, atol=1e-12)
        torch.testing.assert_close(gradient, leaf.grad, rtol=1e-9, atol=1e-12)

    @every_mining
    @every_form
    @pytest.mark.parametrize("seed", range(3))
    def test_gradient_is_that_of_finite_differences(self, mining, dual, seed):
        generator = torch.Generator().manual_seed(seed)
        embeddings = torch.randn(10, 12, generator=generator, dtype=torch.float64)
        labels = torch.randint(3, (10,), generator=generator)
        loss = MultiThresholdTripletLoss([0.3, 0.9, 1.7], mining=mining, dual=dual)
        torch.autograd.gradcheck(
            lambda leaf: loss(leaf, labels), embeddings.requires_grad_(), eps=1e-7, atol=1e-6
        )

    @every_form
    def test_hand_made_values(self, dual):
        embeddings = torch.tensor([[2.0, 0, 1, 0], [3, 0, 0, 5], [0, 7, 0, 1]])
        labels = torch.tensor([4, 4, 2])
        loss = MultiThresholdTripletLoss([0.5, 1.5], mining="batch-hard", dual=dual)
        # First slice: D(0, 1) = 0, the others 2. Second: D(1, 2) = 0, the others 2.
        second = [1.5 + 3.5, 3.5 + 1.5] if dual else [1.5, 3.5]
        assert loss(embeddings, labels).item() == pytest.approx((0 + sum(second) / 2) / 2)
        assert loss.stats["active_fraction"].item() == pytest.approx(0.5)

    @quick
    @given(seeds, st.integers(8, 24), st.integers(2, 5), st.floats(0.05, 4.0))
    def test_equals_the_peer_library(self, seed, n_samples, n_classes, margin):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from pytorch_metric_learning.distances import LpDistance
            from pytorch_metric_learning.losses import TripletMarginLoss
            from pytorch_metric_learning.miners import BatchHardMiner
            from pytorch_metric_learning.reducers import MeanReducer

        distance = LpDistance(normalize_embeddings=True, p=2, power=2)
        peer = TripletMarginLoss(margin=margin, distance=distance, reducer=MeanReducer())
        generator = torch.Generator().manual_seed(seed)
        embeddings = torch.randn(n_samples, 6, generator=generator, dtype=torch.float64)
        labels = torch.arange(n_samples) % n_classes
        leaf = embeddings.clone().requires_grad_()
        expected = peer(leaf, labels, BatchHardMiner(distance=distance)(leaf, labels))
        expected.backward()
        value, gradient = evaluate(embeddings, labels, [margin], mining="batch-hard", dual=False)
        torch.testing.assert_close(value, expected.detach(), rtol=0, atol=1e-10)
        torch.testing.assert_close(gradient, leaf.grad, rtol=0, atol=1e-10)


class TestGivenTriplets:
    @pytest.mark.parametrize("dual", [True, False])
    def test_the_hardest_given_are_the_hardest_mined(self, dual):
        """In one slice, where a miner finds the same triplets; value and gradient."""
        points = torch.randn(12, 4, dtype=torch.float64, requires_grad=True)
        labels = torch.arange(12) % 3
        units = normalize_slices(points.detach(), 1)[:, 0]
        distances, same = torch.cdist(units, units), labels[:, None] == labels
        positives = distances.where(same, -1.0).argmax(1)
        negatives = distances.where(~same, 9.0).argmin(1)
        loss = MultiThresholdTripletLoss([0.7], dual=dual, mining="batch-hard")
        mined = loss(points, labels)
        (expected,) = torch.autograd.grad(mined, points)
        active = loss.stats["active_fraction"]
        given = loss(points, labels, (torch.arange(12), positives, negatives))
        assert given.item() == pytest.approx(mined.item(), abs=1e-12)
        torch.testing.assert_close(torch.autograd.grad(given, points)[0], expected)
        assert loss.stats["active_fraction"] == pytest.approx(active.item())

    def test_a_mean_over_slices_and_triplets(self):
        points, labels = torch.randn(6, 4), torch.arange(6) % 2
        triplets = (torch.tensor([0, 1]), torch.tensor([2, 3]), torch.tensor([1, 4]))
        slices = normalize_slices(points, 2)
        expected = 0.0
        for a, p, n in zip(*(rows.tolist() for rows in triplets), strict=True):
            for s, tau in enumerate((0.5, 1.5)):
                near = (slices[a, s] - slices[p, s]).square().sum()
                far = (slices[a, s] - slices[n, s]).square().sum()
                expected += (near - far + tau).clamp_min(0) / 4
        loss = MultiThresholdTripletLoss([0.5, 1.5], dual=False)
        torch.testing.assert_close(loss(points, labels, triplets), expected)

    @pytest.mark.parametrize("dual", [True, False])
    def test_votes_weigh_triplets(self, dual):
        points, labels = torch.randn(6, 4, dtype=torch.float64), torch.arange(6) % 2
        triplets = (torch.tensor([0, 1]), torch.tensor([2, 3]), torch.tensor([1, 4]))
        loss = MultiThresholdTripletLoss([0.5, 1.5], dual=dual)
        votes = torch.rand(6, 2, dtype=torch.float64)
        votes /= votes.sum(1, keepdim=True)
        singly = [loss(points, labels, tuple(rows[i : i + 1] for rows in triplets)) for i in (0, 1)]
        weights = []
        for a, p, n in zip(*(rows.tolist() for rows in triplets), strict=True):
            weights.append((votes[a] @ votes[p]) * (1 - votes[a] @ votes[n]))
        expected = (weights[0] * singly[0] + weights[1] * singly[1]) / sum(weights)
        torch.testing.assert_close(loss(points, labels, triplets, votes), expected)
        sure = torch.eye(2, dtype=torch.float64)[labels]
        plain = loss(points, labels, triplets)
        torch.testing.assert_close(loss(points, labels, triplets, sure), plain)
        none = torch.empty(0, dtype=torch.int64)
        assert loss(points, labels, (none, none, none), votes) == 0

    @pytest.mark.parametrize(
        "row", [[3, 2], [0.5, 0.4], [1.5, -0.5], [float("nan"), 1], [1, 1], [float("inf"), 0]]
    )
    @pytest.mark.parametrize("given", [False, True])
    def test_votes_that_are_no_shares(self, row, given):
        votes = torch.tensor([[1, 0], row, [0, 1], [0, 0]], dtype=torch.float64)
        triplets = tuple(torch.tensor([i]) for i in range(3)) if given else None
        with pytest.raises(ValueError, match=r"votes must be shares.*Divide counts by their sum"):
            MultiThresholdTripletLoss([0.5])(torch.randn(4, 2), torch.arange(4), triplets, votes)

    @pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.int64])
    def test_votes_of_a_sample_without_a_label_may_be_0(self, dtype):
        votes = torch.tensor([[1, 0], [0, 1], [1, 0], [0, 0]]).to(dtype)
        loss = MultiThresholdTripletLoss([0.5])
        assert loss(torch.randn(4, 2), torch.tensor([0, 1, 0, 1]), votes=votes).isfinite()

    def test_none_given_is_zero(self):
        points = torch.randn(4, 2, requires_grad=True)
        none = torch.empty(0, dtype=torch.int64)
        value = MultiThresholdTripletLoss([0.5])(points, torch.arange(4), (none, none, none))
        value.backward()
        assert value.item() == 0
        assert not points.grad.any()


class TestInvariance:
    @quick
    @given(batches(), minings, st.booleans(), seeds)
    def test_to_the_order_and_the_names_of_the_batch(self, batch, mining, dual, seed):
        embeddings, labels, thresholds = batch
        generator = torch.Generator().manual_seed(seed)
        order = torch.randperm(len(labels), generator=generator)
        names = torch.randperm(100, generator=generator)[:5] - 50
        value, gradient = evaluate(*batch, mining=mining, dual=dual)
        other, moved = evaluate(
            embeddings[order], names[labels][order], thresholds, mining=mining, dual=dual
        )
        torch.testing.assert_close(other, value, rtol=1e-12, atol=1e-12)
        torch.testing.assert_close(moved, gradient[order], rtol=1e-9, atol=1e-12)

    @quick
    @given(batches(), minings, st.booleans(), seeds)
    def test_to_the_length_of_any_slice(self, batch, mining, dual, seed):
        embeddings, labels, thresholds = batch
        generator = torch.Generator().manual_seed(seed)
        exponents = torch.randint(-250, 250, (len(labels), len(thresholds), 1), generator=generator)
        slices = embeddings.reshape(len(labels), len(thresholds), -1)
        scaled = (slices * 10.0 ** exponents.double()).flatten(1)
        value, _ = evaluate(*batch, mining=mining, dual=dual)
        other, gradient = evaluate(scaled, labels, thresholds, mining=mining, dual=dual)
        torch.testing.assert_close(other, value, rtol=1e-10, atol=1e-12)
        assert gradient.isfinite().all()

    @pytest.mark.parametrize("factor", [1e-36, 1e-20, 1e20, 1e30])
    @every_mining
    def test_to_the_length_in_single_precision(self, mining, factor):
        generator = torch.Generator().manual_seed(0)
        embeddings = torch.randn(12, 8, generator=generator).clamp(-3, 3)
        labels = torch.arange(12) % 3
        value, gradient = evaluate(embeddings, labels, [0.4, 1.0], mining=mining)
        other, other_gradient = evaluate(embeddings * factor, labels, [0.4, 1.0], mining=mining)
        torch.testing.assert_close(other, value)
        torch.testing.assert_close(other_gradient * factor, gradient, rtol=1e-3, atol=1e-5)

    @quick
    @given(batches(), minings, st.booleans(), seeds)
    def test_to_an_orthogonal_map_of_each_slice(self, batch, mining, dual, seed):
        embeddings, labels, thresholds = batch
        slices = embeddings.reshape(len(labels), len(thresholds), -1)
        generator = torch.Generator().manual_seed(seed)
        size = slices.shape[2]
        matrices = torch.randn(
            len(thresholds), size, size, generator=generator, dtype=torch.float64
        )
        maps = torch.linalg.qr(matrices)[0]
        value, gradient = evaluate(*batch, mining=mining, dual=dual)
        mapped = torch.einsum("bnd,nde->bne", slices, maps).flatten(1)
        other, other_gradient = evaluate(mapped, labels, thresholds, mining=mining, dual=dual)
        torch.testing.assert_close(other, value, rtol=1e-10, atol=1e-12)
        back = torch.einsum("bne,nde->bnd", other_gradient.reshape_as(slices), maps).flatten(1)
        torch.testing.assert_close(back, gradient, rtol=1e-8, atol=1e-11)


class TestOrder:
    @quick
    @given(batches(), st.booleans(), st.floats(0, 2.0))
    def test_batch_hard_never_decreases_with_a_threshold(self, batch, dual, rise):
        embeddings, labels, thresholds = batch
        higher = [thresholds[0] + rise, *thresholds[1:]]
        low, _ = evaluate(embeddings, labels, thresholds, mining="batch-hard", dual=dual)
        high, _ = evaluate(embeddings, labels, higher, mining="batch-hard", dual=dual)
        assert 0 <= low <= high

    @quick
    @given(batches(), minings)
    def test_dual_is_at_least_plain(self, batch, mining):
        plain, _ = evaluate(*batch, mining=mining, dual=False)
        dual, _ = evaluate(*batch, mining=mining, dual=True)
        assert 0 <= plain <= dual + 1e-12

    @quick
    @given(batches(), minings, st.booleans())
    def test_is_the_mean_of_one_slice_losses(self, batch, mining, dual):
        embeddings, labels, thresholds = batch
        parts = embeddings.chunk(len(thresholds), 1)
        alone = [
            evaluate(part, labels, [threshold], mining=mining, dual=dual)
            for part, threshold in zip(parts, thresholds, strict=True)
        ]
        value, gradient = evaluate(*batch, mining=mining, dual=dual)
        torch.testing.assert_close(value, torch.stack([loss for loss, _ in alone]).mean())
        expected = torch.cat([grad for _, grad in alone], 1) / len(thresholds)
        torch.testing.assert_close(gradient, expected)


class TestHardCases:
    @every_mining
    @every_form
    @pytest.mark.parametrize("labels", [[0], [0, 1], [5, 5, 5], [1, 2, 3, 4]])
    def test_no_triplet_is_exactly_nothing(self, mining, dual, labels):
        loss = MultiThresholdTripletLoss([0.5, 1.0], mining=mining, dual=dual)
        embeddings = torch.randn(len(labels), 6, requires_grad=True)
        value = loss(embeddings, torch.tensor(labels))
        value.backward()
        assert value.item() == 0
        assert torch.equal(embeddings.grad, torch.zeros_like(embeddings))
        assert loss.stats["active_fraction"].item() == 0

    @every_mining
    @every_form
    @pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
    @pytest.mark.parametrize("kind", ["coincident", "opposite", "zero", "some zero", "huge"])
    def test_value_and_gradient_are_finite(self, mining, dual, dtype, kind):
        generator = torch.Generator().manual_seed(0)
        embeddings = torch.randn(12, 8, generator=generator).to(dtype)
        if kind == "coincident":
            embeddings[:] = embeddings[0].clone()
        elif kind == "opposite":
            embeddings = embeddings[:1] * torch.tensor([1, -1]).repeat(6)[:, None].to(dtype)
        elif kind == "zero":
            embeddings.zero_()
        elif kind == "some zero":
            embeddings[::3, :4] = 0
        else:
            embeddings = embeddings / embeddings.abs().max() * torch.finfo(dtype).max
        value, gradient = evaluate(
            embeddings, torch.arange(12) % 3, [0.4, 1.2], mining=mining, dual=dual
        )
        assert value.isfinite()
        assert value >= 0
        assert gradient.isfinite().all()
        assert gradient.abs().max() < 10

    @every_mining
    def test_huge_embeddings_are_as_good_as_others(self, mining):
        """torch's normalize makes them zeros, and the loss of those is the threshold."""
        labels = torch.tensor([0, 0, 1, 1])
        embeddings = torch.tensor([[1.0, 0.0], [1.0, 0.1], [-1.0, 0.0], [-1.0, 0.1]]) * 1e30
        value, _ = evaluate(embeddings, labels, [1.0], mining=mining)
        assert value.item() == 0

    @every_mining
    @pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
    def test_half_precision_is_computed_in_single(self, mining, dtype):
        embeddings = torch.randn(12, 8, generator=torch.Generator().manual_seed(0)).to(dtype)
        labels = torch.arange(12) % 3
        value, gradient = evaluate(embeddings, labels, [0.4, 1.2], mining=mining)
        single, single_gradient = evaluate(embeddings.float(), labels, [0.4, 1.2], mining=mining)
        assert value.dtype == torch.float32
        assert gradient.dtype == dtype
        assert torch.equal(value, single)
        torch.testing.assert_close(gradient, single_gradient.to(dtype))

    @every_mining
    def test_mixed_precision_around_it_changes_nothing(self, mining):
        embeddings = torch.randn(20, 8, generator=torch.Generator().manual_seed(0))
        labels = torch.arange(20) % 3
        expected = evaluate(embeddings, labels, [0.4, 1.2], mining=mining)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            found = evaluate(embeddings, labels, [0.4, 1.2], mining=mining)
        assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))

    @every_mining
    def test_single_precision_is_kept(self, mining):
        embeddings = torch.randn(20, 8, generator=torch.Generator().manual_seed(0))
        labels = torch.arange(20) % 3
        single = evaluate(embeddings, labels, [0.4, 1.2], mining=mining)
        double = evaluate(embeddings.double(), labels, [0.4, 1.2], mining=mining)
        for one, other in zip(single, double, strict=True):
            torch.testing.assert_close(one.double(), other.double(), rtol=1e-4, atol=1e-5)

    @every_mining
    def test_views_and_label_types(self, mining):
        generator = torch.Generator().manual_seed(0)
        embeddings = torch.randn(8, 12, generator=generator)
        labels = torch.arange(12) % 3
        expected = evaluate(embeddings.T.contiguous(), labels, [0.4, 1.2], mining=mining)
        for dtype in (torch.int64, torch.int32, torch.uint8):
            found = evaluate(embeddings.T, labels.to(dtype), [0.4, 1.2], mining=mining)
            torch.testing.assert_close(found, expected)

    @every_mining
    @pytest.mark.parametrize("n_threads", [1, 2])
    def test_is_deterministic(self, mining, n_threads):
        embeddings = torch.randn(100, 32, generator=torch.Generator().manual_seed(0))
        labels = torch.arange(100) % 7
        before = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
        try:
            torch.set_num_threads(n_threads)
            torch.use_deterministic_algorithms(True)
            first, *others = (
                evaluate(embeddings, labels, [0.2, 0.6, 1.0, 1.4], mining=mining) for _ in range(3)
            )
        finally:
            torch.set_num_threads(before[0])
            torch.use_deterministic_algorithms(before[1])
        for other in others:
            assert all(torch.equal(a, b) for a, b in zip(first, other, strict=True))
