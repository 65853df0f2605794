"""Votes in place of labels: what several people said of a sample weighs its triplets."""

import pytest
import torch

from skfer.losses import MultiThresholdTripletLoss, normalize_slices


def naive_voted_loss(points, labels, votes, thresholds, mining, dual):
    """The weighted mean in loops, and the weighted fraction of hinges above 0."""
    slices, n = normalize_slices(points, len(thresholds)), len(labels)
    losses, fractions = [], []
    for s, tau in enumerate(thresholds):
        total = weight_of_active = weight_of_all = 0.0
        gap = [
            [float((slices[i, s] - slices[j, s]).square().sum()) for j in range(n)]
            for i in range(n)
        ]
        for a in range(n):
            same = others = [i for i in range(n) if i != a]
            if mining == "batch-hard":
                same = [p for p in range(n) if p != a and labels[p] == labels[a]]
                others = [m for m in range(n) if labels[m] != labels[a]]
            if mining == "batch-hard" and same and others:
                same, others = (
                    [max(same, key=gap[a].__getitem__)],
                    [min(others, key=gap[a].__getitem__)],
                )
            for p in same:
                for m in (other for other in others if other != p):
                    weight = float(votes[a] @ votes[p]) * (1 - float(votes[a] @ votes[m]))
                    sides = (
                        [gap[a][m], gap[p][m]] if dual and mining == "batch-hard" else [gap[a][m]]
                    )
                    for side in sides:
                        hinge = max(0.0, gap[a][p] - side + tau)
                        total += weight * hinge * len(sides)
                        weight_of_active += weight * (hinge > 0)
                        weight_of_all += weight
        of = weight_of_active if mining == "batch-all" else weight_of_all
        losses.append(total / of if of else 0.0)
        fractions.append(weight_of_active / weight_of_all if weight_of_all else 0.0)
    return sum(losses) / len(losses), sum(fractions) / len(fractions)


class TestVotes:
    @pytest.mark.parametrize("dual", [True, False])
    @pytest.mark.parametrize("mining", ["batch-all", "batch-hard"])
    @pytest.mark.parametrize("seed", range(3))
    def test_equals_plain_loops(self, seed, mining, dual):
        generator = torch.Generator().manual_seed(seed)
        points = torch.randn(9, 4, dtype=torch.float64, generator=generator)
        labels = torch.arange(9) % 3 if seed else torch.tensor([0, 0, 0, 0, 1, 1, 2, 3, 3])
        votes = torch.rand(9, 4, dtype=torch.float64, generator=generator)
        votes /= votes.sum(1, keepdim=True)
        loss = MultiThresholdTripletLoss([0.4, 1.1], mining=mining, dual=dual)
        value = loss(points, labels, votes=votes)
        expected, active = naive_voted_loss(points, labels, votes, [0.4, 1.1], mining, dual)
        assert value.item() == pytest.approx(expected, abs=1e-12)
        assert loss.stats["active_fraction"].item() == pytest.approx(active, abs=1e-12)

    @pytest.mark.parametrize("dual", [True, False])
    @pytest.mark.parametrize("mining", ["batch-all", "batch-hard"])
    def test_votes_of_one_mind_are_labels(self, mining, dual):
        points = torch.randn(12, 6, dtype=torch.float64, requires_grad=True)
        labels = torch.arange(12) % 4
        loss = MultiThresholdTripletLoss([0.3, 0.8, 1.5], mining=mining, dual=dual)
        plain, active = loss(points, labels), loss.stats["active_fraction"].item()
        voted = loss(points, labels, votes=torch.eye(4, dtype=torch.float64)[labels])
        assert voted.item() == pytest.approx(plain.item(), abs=1e-12)
        assert loss.stats["active_fraction"].item() == pytest.approx(active)
        gradients = [torch.autograd.grad(value, points)[0] for value in (plain, voted)]
        torch.testing.assert_close(*gradients)

    @pytest.mark.parametrize("dual", [True, False])
    @pytest.mark.parametrize("mining", ["batch-all", "batch-hard"])
    def test_a_sample_without_a_label_changes_nothing(self, mining, dual):
        generator = torch.Generator().manual_seed(0)
        points = torch.randn(8, 4, dtype=torch.float64, generator=generator, requires_grad=True)
        labels = torch.tensor([0, 0, 0, 1, 1, 1, -1, -1])
        votes = torch.rand(8, 2, dtype=torch.float64, generator=generator)
        votes /= votes.sum(1, keepdim=True)
        votes[6:] = 0
        loss = MultiThresholdTripletLoss([0.5, 1.5], mining=mining, dual=dual)
        expected, active = loss(points[:6], labels[:6], votes=votes[:6]), loss.stats
        value = loss(points, labels, votes=votes)
        assert value.item() == pytest.approx(expected.item(), abs=1e-12)
        assert loss.stats["active_fraction"].item() == pytest.approx(
            active["active_fraction"].item()
        )
        (gradient,) = torch.autograd.grad(value, points)
        assert not gradient[6:].any()
        torch.testing.assert_close(gradient, torch.autograd.grad(expected, points)[0])

    def test_a_given_triplet_without_a_label_weighs_nothing(self):
        points = torch.randn(4, 2, dtype=torch.float64)
        votes = torch.tensor([[1, 0], [1, 0], [0, 1], [0, 0]], dtype=torch.float64)
        loss, labels = MultiThresholdTripletLoss([4.0]), torch.tensor([0, 0, 1, -1])
        both = loss(points, labels, tuple(torch.tensor(i) for i in ([0, 0], [1, 1], [2, 3])), votes)
        one = loss(points, labels, tuple(torch.tensor([i]) for i in (0, 1, 2)), votes)
        assert both.item() == pytest.approx(one.item())
        none = loss(points, labels, tuple(torch.tensor([i]) for i in (0, 1, 3)), votes)
        assert none == 0

    @pytest.mark.parametrize("mining", ["batch-all", "batch-hard"])
    def test_slices_of_zeros_are_as_far_as_with_labels(self, mining):
        points = torch.tensor(
            [[1, 0.0, 0, 2], [0, 0, 3, 1], [0, 1, 0, 0], [0, 0, 0, 0]], requires_grad=True
        )
        labels = torch.tensor([0, 0, 1, 1])
        loss = MultiThresholdTripletLoss([0.5, 1.25], mining=mining)
        plain = loss(points, labels)
        voted = loss(points, labels, votes=torch.eye(2)[labels])
        assert voted.item() == pytest.approx(plain.item(), rel=1e-6)
        gradients = [torch.autograd.grad(value, points)[0] for value in (plain, voted)]
        torch.testing.assert_close(*gradients, rtol=1e-6, atol=1e-6)

    def test_all_triplets_are_not_kept(self):
        points = torch.randn(24, 8, dtype=torch.float64, requires_grad=True)
        labels = torch.arange(24) % 3
        votes = 0.2 / 3 + 0.8 * torch.eye(3, dtype=torch.float64)[labels]
        loss = MultiThresholdTripletLoss([0.5, 1.0, 1.5, 2.0])
        kept = []

        def keep(tensor):
            kept.append(tensor.numel())
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            loss(points, labels, votes=votes)
        assert max(kept) <= 4 * 24 * 24

    def test_without_a_triplet_it_is_zero(self):
        points = torch.randn(3, 4, requires_grad=True)
        for mining in ("batch-all", "batch-hard"):
            loss = MultiThresholdTripletLoss([0.5], mining=mining)
            value = loss(points, torch.arange(3), votes=torch.eye(3))
            (gradient,) = torch.autograd.grad(value, points)
            assert value == 0
            assert not gradient.any()

    def test_a_pair_on_which_opinions_differ_is_no_triplet(self):
        """It counts as positive and as negative, with each third sample and not with itself."""
        points = torch.tensor([[1.0, 0], [0, 1]], dtype=torch.float64)
        loss = MultiThresholdTripletLoss([0.5])
        halves = torch.full((2, 2), 0.5, dtype=torch.float64)
        assert loss(points, torch.arange(2), votes=halves) == 0
        assert loss.stats["active_fraction"] == 0

    def test_whom_the_votes_put_together_is_drawn_together(self):
        """Whatever the label says: three faces of one opinion, and one of another."""
        generator = torch.Generator().manual_seed(0)
        points = torch.randn(4, 6, dtype=torch.float64, generator=generator)
        votes = torch.eye(2, dtype=torch.float64)[[0, 0, 0, 1]]
        loss = MultiThresholdTripletLoss([0.5, 1.0])
        told = loss(points, torch.tensor([0, 0, 0, 1]))
        assert loss(points, torch.tensor([0, 1, 0, 1]), votes=votes).item() == pytest.approx(
            told.item()
        )
