from functools import partial

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from skfer.losses import triplet, triplet_hinges
from skfer.losses.triplet import batch_triplet_losses

quick = settings(max_examples=40, deadline=None)
margins = st.floats(0.05, 4.0)
minings = st.sampled_from(["batch-all", "batch-hard"])


@st.composite
def batches(draw):
    """Unit points of a few slices, and labels of unequal, perhaps one-sample, classes."""
    n_slices, n_features = draw(st.integers(1, 4)), draw(st.integers(2, 6))
    n_samples, n_classes = draw(st.integers(1, 12)), draw(st.integers(1, 5))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**32 - 1)))
    points = torch.randn(n_slices, n_samples, n_features, generator=generator, dtype=torch.float64)
    labels = torch.randint(n_classes, (n_samples,), generator=generator) * 7 - 11
    margin = torch.rand(n_slices, generator=generator, dtype=torch.float64) * 2 + 0.05
    return points / points.norm(dim=-1, keepdim=True), labels, margin


def triplets_of(points, labels, mining):
    """All triplets of one slice, or each anchor's hardest, by looking at one pair after another."""
    points, places = points.detach(), range(len(labels))

    def distance(i, j):
        return float((points[i] - points[j]).square().sum())

    for a in places:
        positives = [p for p in places if p != a and labels[p] == labels[a]]
        negatives = [n for n in places if labels[n] != labels[a]]
        if mining == "batch-hard" and positives and negatives:
            positives = [max(positives, key=lambda p: distance(a, p))]
            negatives = [min(negatives, key=lambda n: distance(a, n))]
        yield from ((a, p, n) for p in positives for n in negatives)


def evaluate_in_loops(points, labels, margin, mining, dual):
    """Loss and active fraction of one slice, one triplet after another."""
    sides = []
    triplets = list(triplets_of(points, labels, mining))
    for a, p, n in triplets:
        near = (points[a] - points[p]).square().sum()
        far = [(points[a] - points[n]).square().sum(), (points[p] - points[n]).square().sum()]
        sides += [torch.relu(near - distance + margin) for distance in far[: 1 + dual]]
    active = [side for side in sides if side > 0]
    count = len(active) if mining == "batch-all" else len(triplets)
    return sum(active, points.sum() * 0) / max(1, count), len(active) / max(1, len(sides))


def sorting(partners):
    return partial(triplet._weigh_by_sorting, not_positive=partners.not_positive)


class TestTripletHinges:
    def test_hand_made_values(self):
        anchor, positive, negative = torch.tensor([[0.0, 0.0], [1.0, 0.0], [1.0, 3.0]])
        # D(a, p) = 1, D(a, n) = 10, D(p, n) = 9
        assert triplet_hinges(anchor, positive, negative, 8.5).tolist() == [0.0]
        assert triplet_hinges(anchor, positive, negative, 8.5, dual=True).tolist() == [0.0, 0.5]
        assert triplet_hinges(anchor, positive, negative, 9.5, dual=True).tolist() == [0.5, 1.5]

    def test_the_plain_form_does_not_see_a_negative_on_the_positive(self):
        """The triangle that the anchor's side alone takes for a good one."""
        anchor, positive, negative = torch.tensor([[0.0, 0.0], [1.0, 0.0], [1.2, 0.0]])
        assert triplet_hinges(anchor, positive, negative, 0.4).tolist() == [0.0]
        assert triplet_hinges(anchor, positive, negative, 0.4, dual=True).sum() > 1.3

    @quick
    @given(st.integers(0, 2**32 - 1), margins)
    def test_dual_is_symmetric_in_anchor_and_positive_and_plain_is_not(self, seed, margin):
        generator = torch.Generator().manual_seed(seed)
        a, p, n = torch.randn(3, 5, 4, generator=generator, dtype=torch.float64)
        dual = triplet_hinges(a, p, n, margin, dual=True)
        torch.testing.assert_close(dual.flip(0), triplet_hinges(p, a, n, margin, dual=True))
        torch.testing.assert_close(dual[:1], triplet_hinges(a, p, n, margin))
        torch.testing.assert_close(dual[1:], triplet_hinges(p, a, n, margin))
        assert (dual.sum(0) >= triplet_hinges(a, p, n, margin).sum(0)).all()

    @pytest.mark.parametrize("dual", [False, True])
    def test_gradient(self, dual):
        generator = torch.Generator().manual_seed(0)
        points = [
            torch.randn(6, 3, generator=generator, dtype=torch.float64, requires_grad=True)
            for _ in range(3)
        ]
        torch.autograd.gradcheck(lambda *ends: triplet_hinges(*ends, 0.7, dual), points)

    def test_a_margin_for_each_slice(self):
        a, p, n = torch.zeros(3, 2, 4, 5)
        hinges = triplet_hinges(a, p, n, torch.tensor([0.1, 0.2, 0.3, 0.4]), dual=True)
        assert hinges.shape == (2, 2, 4)
        torch.testing.assert_close(hinges[1, 0], torch.tensor([0.1, 0.2, 0.3, 0.4]))

    @pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
    def test_half_precision_is_computed_in_float32(self, dtype):
        a, p, n = torch.tensor([[300.0, 0.0], [-300.0, 0.0], [301.0, 0.0]], dtype=dtype)
        hinges = triplet_hinges(a, p, n, margin=0.5, dual=True)
        assert hinges.dtype == torch.float32
        expected = triplet_hinges(a.float(), p.float(), n.float(), margin=0.5, dual=True)
        assert torch.equal(hinges, expected)
        assert hinges.isfinite().all()


class TestBatchTripletLosses:
    @quick
    @given(batches(), minings, st.booleans())
    def test_is_the_definition_in_loops(self, batch, mining, dual):
        points, labels, margin = batch
        losses, active, gradient = batch_triplet_losses(
            points, labels, margin, mining=mining, dual=dual
        )
        for s, slice_ in enumerate(points):
            leaf = slice_.clone().requires_grad_()
            loss, fraction = evaluate_in_loops(leaf, labels, margin[s], mining, dual)
            loss.backward()
            torch.testing.assert_close(losses[s], loss.detach(), rtol=0, atol=1e-12)
            torch.testing.assert_close(gradient[s], leaf.grad, rtol=0, atol=1e-12)
            assert active[s].item() == pytest.approx(fraction, abs=1e-12)

    def test_hand_made_batch(self):
        """On a line, with 0, 0.5 and 2 in one class and 1 in another."""
        points = torch.tensor([0.0, 0.5, 2.0, 1.0]).reshape(1, 4, 1)
        labels, margin = torch.tensor([3, 3, 3, -3]), torch.tensor([0.5])
        hard = batch_triplet_losses(points, labels, margin, mining="batch-hard", dual=False)
        # D(a, p) - D(a, n) + 0.5: 4 - 1, 2.25 - 0.25, 4 - 1; the fourth anchor has no positive.
        assert hard[0].tolist() == pytest.approx([(3.5 + 2.5 + 3.5) / 3])
        dual = batch_triplet_losses(points, labels, margin, mining="batch-hard", dual=True)
        # D(a, p) - D(p, n) + 0.5: 4 - 1, 2.25 - 1, 4 - 1
        assert dual[0].tolist() == pytest.approx([(3.5 + 2.5 + 3.5 + 3.5 + 1.75 + 3.5) / 3])
        every = batch_triplet_losses(points, labels, margin, mining="batch-all", dual=False)
        # 0.25 - 1 (not active), 4 - 1; 0.25 - 0.25, 2.25 - 0.25; 4 - 1, 2.25 - 1
        assert every[0].tolist() == pytest.approx([(3.5 + 0.5 + 2.5 + 3.5 + 1.75) / 5])
        assert every[1].tolist() == pytest.approx([5 / 6])

    @pytest.mark.parametrize("mining", ["batch-all", "batch-hard"])
    def test_a_hinge_of_exactly_zero_is_not_active(self, mining):
        points = torch.tensor([0.0, 1.0, 2.0]).reshape(1, 3, 1)  # 1 - 4 + 3 and 1 - 1 + 3
        losses, active, _ = batch_triplet_losses(
            points, torch.tensor([0, 0, 1]), torch.tensor([3.0]), mining=mining, dual=False
        )
        assert active.tolist() == [0.5]
        assert losses.tolist() == [1.5 if mining == "batch-hard" else 3.0]

    @quick
    @given(batches())
    def test_over_all_triplets_dual_changes_nothing(self, batch):
        plain = batch_triplet_losses(*batch, mining="batch-all", dual=False)
        dual = batch_triplet_losses(*batch, mining="batch-all", dual=True)
        assert all(torch.equal(a, b) for a, b in zip(plain, dual, strict=True))

    @quick
    @given(batches(), minings, st.booleans(), st.integers(1, 200))
    def test_the_size_of_chunks_does_not_matter(self, batch, mining, dual, size):
        whole = batch_triplet_losses(*batch, mining=mining, dual=dual)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(triplet, "_CPU_CHUNK", size)
            in_chunks = batch_triplet_losses(*batch, mining=mining, dual=dual)
        for one, other in zip(whole, in_chunks, strict=True):
            torch.testing.assert_close(one, other, rtol=0, atol=1e-12)

    @quick
    @given(batches(), st.booleans())
    def test_sorting_finds_what_comparing_finds(self, batch, has_ties):
        """As on a GPU, where a batch is large."""
        points, labels, margin = batch
        if has_ties:
            points, margin = points.mul(2).round(), margin.mul(4).ceil()
        compared = batch_triplet_losses(points, labels, margin, mining="batch-all", dual=False)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(triplet, "_way_to_weigh", sorting)
            found = batch_triplet_losses(points, labels, margin, mining="batch-all", dual=False)
        for one, other in zip(compared, found, strict=True):
            torch.testing.assert_close(one, other, rtol=0, atol=1e-12)

    @pytest.mark.cuda
    @pytest.mark.parametrize("mining", ["batch-all", "batch-hard"])
    def test_a_gpu_is_asked_for_nothing(self, mining):
        """In a large batch, too, whose triplets are found in another way."""
        points = torch.randn(3, 300, 5, dtype=torch.float64)
        labels, margin = torch.arange(300) % 7, torch.tensor([0.1, 0.5, 1.0]).double()
        expected = batch_triplet_losses(points, labels, margin, mining=mining, dual=True)
        there = [tensor.cuda() for tensor in (points, labels, margin)]
        batch_triplet_losses(*there, mining=mining, dual=True)
        torch.cuda.set_sync_debug_mode("error")
        try:
            found = batch_triplet_losses(*there, mining=mining, dual=True)
        finally:
            torch.cuda.set_sync_debug_mode("default")
        for one, other in zip(expected, found, strict=True):
            torch.testing.assert_close(one, other.cpu(), rtol=1e-9, atol=1e-12)

    @quick
    @given(batches(), minings, st.booleans())
    def test_the_gradient_moves_no_slice_as_a_whole(self, batch, mining, dual):
        """Distances do not change when all points move by one vector."""
        _, _, gradient = batch_triplet_losses(*batch, mining=mining, dual=dual)
        torch.testing.assert_close(
            gradient.sum(1), torch.zeros_like(gradient[:, 0]), rtol=0, atol=1e-12
        )

    @pytest.mark.parametrize("mining", ["batch-all", "batch-hard"])
    @pytest.mark.parametrize("spread", [1e-2, 1e-4])
    def test_near_points_keep_their_precision(self, mining, spread):
        """Collapsed points need an exact gradient most, and products would lose it."""
        generator = torch.Generator().manual_seed(0)
        base = torch.tensor([0.6, -0.8, 0.0, 0.0])
        points = base + spread * torch.randn(3, 20, 4, generator=generator)
        labels, margin = torch.arange(20) % 4, torch.full((3,), 0.5)
        settings = {"mining": mining, "dual": True}
        _, _, single = batch_triplet_losses(points, labels, margin, **settings)
        _, _, double = batch_triplet_losses(points.double(), labels, margin.double(), **settings)
        torch.testing.assert_close(single.double(), double, rtol=1e-4, atol=1e-4 * spread)

    @pytest.mark.parametrize("mining", ["batch-all", "batch-hard"])
    def test_the_first_of_equal_candidates_counts(self, mining):
        """Coincident points are ties everywhere; the outcome is still one and the same."""
        points, labels = torch.ones(2, 9, 3), torch.arange(9) % 3
        losses, active, gradient = batch_triplet_losses(
            points, labels, torch.tensor([0.25, 0.5]), mining=mining, dual=True
        )
        expected = [0.25, 0.5] if mining == "batch-all" else [0.5, 1.0]
        assert losses.tolist() == pytest.approx(expected)
        assert active.tolist() == pytest.approx([1.0, 1.0])
        assert torch.equal(gradient, torch.zeros_like(gradient))

    @pytest.mark.parametrize("mining", ["batch-all", "batch-hard"])
    def test_nan_stays_visible(self, mining):
        points = torch.rand(2, 6, 3)
        points[1, 0, 0] = torch.nan
        losses, _, _ = batch_triplet_losses(
            points, torch.arange(6) % 2, torch.tensor([0.5, 0.5]), mining=mining, dual=True
        )
        assert losses.isnan().tolist() == [False, True]
