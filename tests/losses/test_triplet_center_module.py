"""The triplet-center loss by hand, its centers, gradients, precision and errors."""

import math
import pickle

import pytest
import torch

from skfer.losses import TripletCenterLoss, negative_indices
from skfer.losses.triplet_center import _masked_sums, _scatter_sums

STRATEGIES = ("nearest", "fully-synthesized", "semi-synthesized", "prediction")


class TestByHand:
    centers = torch.tensor([[0.0, 0.0, 0.0, 0.0], [3.0, 1.0, 9.0, 3.0], [1.0, 4.0, 2.0, 8.0]])
    origin = torch.zeros(1, 4)
    label = torch.tensor([0])

    def choose(self, negatives, **arguments):
        arguments = {"negatives": negatives, "synthesis_size": 1} | arguments
        return negative_indices(self.origin, self.centers, self.label, **arguments)[0].tolist()

    def test_pieces_of_two(self):
        """The squared distances of the pieces are 26 and 49 to center 1, 65 and 20 to center 2."""
        centers = torch.tensor([[0.0] * 4, [1.0, 5, 7, 0], [4.0, 7, 2, 4]])
        whole = {"negatives": "fully-synthesized", "synthesis_size": 2}
        chosen = negative_indices(self.origin, centers, self.label, **whole)
        assert chosen.tolist() == [[1, 1, 2, 2]]
        attention = torch.tensor([[1.0, 0, 0, 1]])  # distances 1 and 0, 16 and 16
        chosen = negative_indices(self.origin, centers, self.label, **whole, attention=attention)
        assert chosen.tolist() == [[1, 1, 1, 1]]
        three = {**whole, "synthesis_size": 3}  # 75 and 69, then 0 and 16
        chosen = negative_indices(self.origin, centers, self.label, **three)
        assert chosen.tolist() == [[2, 2, 2, 1]]

    def test_strategies(self):
        # Squared distances: 100 to center 1, 85 to center 2.
        logits = torch.tensor([[9.0, 2.0, 1.0]])
        assert self.choose("nearest") == [2, 2, 2, 2]
        assert self.choose("fully-synthesized") == [2, 1, 2, 1]
        assert self.choose("prediction", logits=logits) == [1, 1, 1, 1]

    @pytest.mark.parametrize(
        ("fraction", "expected"),
        # The candidates differ by 0, 3, 0 and 5.
        [(0.0, [2, 2, 2, 2]), (0.12, [2, 2, 2, 2]), (0.125, [2, 2, 2, 1]), (0.5, [2, 1, 2, 1])],
    )
    def test_the_larger_difference_goes_first(self, fraction, expected):
        assert self.choose("semi-synthesized", synthesis_fraction=fraction) == expected

    def test_the_larger_attention_goes_before(self):
        attention = torch.tensor([[0.1, 0.9, 0.1, 0.8]])
        chosen = self.choose("semi-synthesized", synthesis_fraction=0.25, attention=attention)
        # Attention makes center 1 the nearest, and coordinate 1 the first to be synthesized.
        assert chosen == [1, 1, 1, 1]
        chosen = self.choose("semi-synthesized", synthesis_fraction=1, attention=attention)
        assert chosen == [2, 1, 2, 1]

    def test_among_equals_the_first(self):
        centers = torch.tensor([[0.0] * 3, [1.0, 1.0, 3.0], [2.0, 2.0, 0.5], [9.0] * 3])
        choose = {"negatives": "semi-synthesized", "synthesis_fraction": 1 / 3}
        choose["synthesis_size"] = 1
        origin = torch.zeros(1, 3)
        # Center 2 is the nearest; synthesis would change coordinates 0 and 1 by 1 each.
        assert negative_indices(origin, centers, self.label, **choose).tolist() == [[1, 2, 2]]

    def test_round_half_up(self):
        # 0.29 * 50 is a hair less than 14.5.
        generator = torch.Generator().manual_seed(0)
        f, centers = torch.zeros(1, 50), torch.randn(9, 50, generator=generator)
        choose = {"negatives": "semi-synthesized", "synthesis_fraction": 0.29, "synthesis_size": 1}
        semi = negative_indices(f, centers, self.label, **choose)
        full = negative_indices(f, centers, self.label, synthesis_size=1)
        nearest = negative_indices(f, centers, self.label, negatives="nearest")
        moved = (semi != nearest).sum()
        assert moved == 15
        assert (full != nearest).sum() > 15

    def test_value(self):
        loss = TripletCenterLoss(3, 4, margin=2.0, synthesis_size=1)
        loss.centers.data = self.centers
        # The synthesized point is (1, 1, 2, 3): at 15 / 4 from the origin, at 17 / 4 less 2.
        assert loss(self.origin, self.label) == 0
        assert loss.stats["active_fraction"] == 0
        loss.margin = 4.0
        assert loss(self.origin, self.label) == 0.25
        assert loss.stats["active_fraction"] == 1
        assert not loss.stats["active_fraction"].requires_grad


def test_a_point_is_made_coordinate_by_coordinate_unless_pieces_are_asked_for():
    """Also where an embedding has no more coordinates than a piece of the embedder."""
    centers = torch.tensor([[0.0, 0.0], [3.0, 1.0], [1.0, 3.0]])
    origin, labels = torch.zeros(1, 2), torch.tensor([0])
    assert negative_indices(origin, centers, labels).tolist() == [[2, 1]]
    nearest = negative_indices(origin, centers, labels, negatives="nearest")
    for size in (2, 8):
        of_pieces = negative_indices(origin, centers, labels, synthesis_size=size)
        assert torch.equal(of_pieces, nearest)
    loss = TripletCenterLoss(3, 2, margin=4.0)
    loss.set_centers(centers, torch.arange(3))
    assert loss(origin, labels) == 3  # 5 of the nearest center would keep the margin


class TestCenters:
    def test_start_at_the_class_means(self):
        loss = TripletCenterLoss(3, 2)
        loss.centers.data[1] = 7
        embeddings = torch.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 5.0]], requires_grad=True)
        loss.set_centers(embeddings, torch.tensor([2, 2, 0]))
        assert loss.centers.tolist() == [[5, 5], [7, 7], [2, 3]]
        assert loss.centers.requires_grad
        assert loss.centers.grad_fn is None

    def test_many_samples_far_from_zero_lose_no_digits(self):
        labels = torch.arange(100_000) % 2
        points = torch.randn(100_000, 2, generator=torch.Generator().manual_seed(0)) + 1000
        loss = TripletCenterLoss(2, 2)
        loss.set_centers(points, labels)
        exact = torch.stack([points[labels == k].double().mean(0) for k in (0, 1)])
        torch.testing.assert_close(loss.centers.double(), exact, rtol=2e-7, atol=0)
        huge = 3e38 * (1 - 2 * (torch.arange(5000)[:, None] // 2 % 2)).float().expand(-1, 2)
        loss.set_centers(huge, labels[:5000])
        assert loss.centers.isfinite().all()

    def test_from_half_precision(self):
        loss = TripletCenterLoss(2, 2)
        loss.set_centers(torch.ones(3, 2).half(), torch.tensor([1, 1, 1]))
        assert loss.centers.dtype == torch.float32
        assert loss.centers.tolist() == [[0, 0], [1, 1]]

    def test_autocast_changes_nothing(self):
        points, labels = torch.randn(6, 4), torch.arange(6) % 2
        plain, mixed = TripletCenterLoss(3, 4), TripletCenterLoss(3, 4)
        plain.set_centers(points, labels)
        with torch.autocast("cpu", torch.bfloat16):
            mixed.set_centers(points, labels)
        assert torch.equal(mixed.centers, plain.centers)

    def test_learn(self):
        loss = TripletCenterLoss(3, 4, margin=1.0)
        generator = torch.Generator().manual_seed(0)
        labels = torch.arange(30) % 3
        embeddings = torch.randn(3, 4, generator=generator)[labels] * 2
        embeddings = embeddings + 0.1 * torch.randn(30, 4, generator=generator)
        optimizer = torch.optim.SGD(loss.parameters(), lr=0.5)
        first = loss(embeddings, labels).item()
        for _ in range(50):
            optimizer.zero_grad()
            loss(embeddings, labels).backward()
            optimizer.step()
        assert loss(embeddings, labels) < first / 2


class TestGradient:
    @pytest.mark.parametrize("negatives", STRATEGIES)
    @pytest.mark.parametrize("weighted", [False, True])
    def test_gradcheck(self, negatives, weighted):
        generator = torch.Generator().manual_seed(0)
        f, centers, attention = (
            torch.rand(n, 5, generator=generator, dtype=torch.float64) for n in (6, 4, 6)
        )
        labels = torch.tensor([0, 0, 1, 3, 3, 3])
        logits = torch.randn(6, 4, generator=generator)
        loss = TripletCenterLoss(4, 5, negatives=negatives).double()

        def value(f, centers, attention):
            parameters = {"centers": centers}
            arguments = (f, labels, logits, attention if weighted else None)
            return torch.func.functional_call(loss, parameters, arguments)

        inputs = [part.requires_grad_() for part in (f, centers, attention)]
        if not weighted:
            inputs[2].requires_grad_(False)
        assert torch.autograd.gradcheck(value, inputs)
        assert torch.autograd.gradgradcheck(value, inputs)

    def test_the_logits_get_none(self):
        logits = torch.randn(4, 3, requires_grad=True)
        loss = TripletCenterLoss(3, 2, negatives="prediction")
        loss(torch.randn(4, 2), torch.arange(4) % 3, logits).backward()
        assert logits.grad is None

    def test_both_ways_to_sum_by_class_agree(self):
        generator = torch.Generator().manual_seed(0)
        values = torch.randn(20, 3, generator=generator, dtype=torch.float64)
        indices = torch.randint(4, (20, 3), generator=generator)
        torch.testing.assert_close(
            _masked_sums(values, indices, 5), _scatter_sums(values, indices, 5)
        )


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("negatives", STRATEGIES)
def test_half_precision_is_computed_in_float32(dtype, negatives):
    generator = torch.Generator().manual_seed(0)
    f, logits = (torch.randn(6, n, generator=generator).to(dtype) for n in (4, 3))
    labels = torch.arange(6) % 3
    attention = torch.rand(6, 4, generator=generator).to(dtype)
    loss = TripletCenterLoss(3, 4, negatives=negatives)
    loss.centers.data.normal_(generator=generator)
    value = loss(f.requires_grad_(), labels, logits, attention)
    value.backward()
    assert value.dtype == torch.float32
    assert f.grad.dtype == dtype
    assert value == loss(f.float(), labels, logits.float(), attention.float())


def test_mixed_precision_changes_nothing():
    generator = torch.Generator().manual_seed(0)
    f, attention = torch.randn(6, 4, generator=generator), torch.rand(6, 4, generator=generator)
    labels = torch.arange(6) % 3
    for negatives in STRATEGIES:
        loss = TripletCenterLoss(3, 4, negatives=negatives)
        loss.centers.data.normal_(generator=generator)
        logits = f @ loss.centers.detach().T
        expected = loss(f, labels, logits, attention)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            assert loss(f, labels, logits, attention) == expected


def test_pickles():
    loss = TripletCenterLoss(3, 2, margin=0.25, negatives="nearest")
    loss(torch.randn(4, 2), torch.arange(4) % 3)
    again = pickle.loads(pickle.dumps(loss))
    assert repr(again) == repr(loss)
    assert torch.equal(again.centers, loss.centers)


class TestErrors:
    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"n_classes": 1}, "n_classes must be a whole number of at least 2"),
            ({"embedding_dim": 0}, "embedding_dim must be a whole number of at least 1"),
            ({"margin": -0.1}, "margin must be a finite number of at least 0"),
            ({"margin": math.nan}, "margin must be a finite number of at least 0"),
            ({"negatives": "hardest"}, r"negatives must be one of .* got 'hardest'"),
            (
                {"synthesis_fraction": 1.5},
                "synthesis_fraction must be .* of at most 1, got 1.5",
            ),
        ],
    )
    def test_parameters(self, arguments, message):
        with pytest.raises(ValueError, match=message):
            TripletCenterLoss(**{"n_classes": 3, "embedding_dim": 2, **arguments})

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"embeddings": torch.ones(4, 5)}, "embeddings must have 2 features, got 5"),
            ({"embeddings": torch.ones(4, 2).long()}, "embeddings must be a floating-point tensor"),
            ({"labels": torch.tensor([0, 1, 2, 3])}, "labels must be class indices from 0 to 2"),
            ({"labels": torch.tensor([0, 1, 2, -1])}, "got -1 to 2"),
            ({"labels": torch.arange(3)}, r"labels must be a tensor of shape \(4,\)"),
            ({"logits": torch.ones(4, 2)}, r"logits must be .* of shape \(4, 3\)"),
            (
                {"logits": None},
                "logits must be given for negatives='prediction'.*TripletCenterEmbedder",
            ),
            ({"attention": torch.ones(4, 1)}, r"attention must be .* of shape \(4, 2\)"),
        ],
    )
    def test_call(self, arguments, message):
        loss = TripletCenterLoss(3, 2, negatives="prediction")
        valid = {
            "embeddings": torch.ones(4, 2),
            "labels": torch.zeros(4).long(),
            "logits": torch.ones(4, 3),
        }
        with pytest.raises(ValueError, match=message):
            loss(**{**valid, **arguments})

    @pytest.mark.parametrize("odd", [-1.0, math.nan, math.inf])
    def test_weights(self, odd):
        loss, points = TripletCenterLoss(3, 4), torch.randn(3, 4)
        with pytest.raises(ValueError, match="weights must be finite numbers >= 0, got"):
            loss(points, torch.arange(3), weights=torch.tensor([1.0, odd, 0.0]))

    def test_set_centers(self):
        with pytest.raises(ValueError, match="labels must be class indices from 0 to 2"):
            TripletCenterLoss(3, 2).set_centers(torch.ones(1, 2), torch.tensor([3]))
