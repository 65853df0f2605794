import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pytorch_metric_learning.distances import LpDistance
from pytorch_metric_learning.losses import TripletMarginLoss
from pytorch_metric_learning.miners import BatchHardMiner
from pytorch_metric_learning.reducers import MeanReducer

from skfer.losses import TripletCenterLoss, negative_indices

STRATEGIES = ("nearest", "fully-synthesized", "semi-synthesized", "prediction")
quick = settings(max_examples=40, deadline=None)


@st.composite
def batches(draw, dtype=torch.float64, min_classes=2, max_classes=6):
    """Embeddings, labels, centers, logits and (perhaps) attention."""
    n_classes = draw(st.integers(min_classes, max_classes))
    n_samples = draw(st.integers(1, 12))
    n_features = draw(st.integers(1, 9))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**32 - 1)))

    def normals(*shape):
        return torch.randn(*shape, generator=generator, dtype=torch.float64).to(dtype)

    batch = {
        "embeddings": normals(n_samples, n_features),
        "labels": torch.randint(n_classes, (n_samples,), generator=generator),
        "centers": normals(n_classes, n_features),
        "logits": normals(n_samples, n_classes),
        "attention": None,
    }
    if draw(st.booleans()):
        batch["attention"] = normals(n_samples, n_features).sigmoid()
    return batch, generator


strategies = st.sampled_from(STRATEGIES)
fractions = st.floats(0, 1)
sizes = st.integers(1, 5)
margins = st.floats(0, 2)


def evaluate(batch, backward=False, **settings_):
    """Return the loss of a batch, or with `backward` the loss and all gradients."""
    loss = TripletCenterLoss(*batch["centers"].shape, **{"synthesis_size": 1} | settings_)
    loss.centers.data = batch["centers"].clone()
    arguments = {name: part for name, part in batch.items() if name != "centers"}
    if not backward:
        return loss(**arguments).detach()
    leaves = {"centers": loss.centers}
    for name in ("embeddings", "attention"):
        if arguments[name] is not None:
            leaves[name] = arguments[name] = arguments[name].clone().requires_grad_()
    value = loss(**arguments)
    value.backward()
    return value.detach(), {name: leaf.grad for name, leaf in leaves.items()}


def indices_of(batch, **settings_):
    return negative_indices(**batch, **{"synthesis_size": 1} | settings_)


def naive_indices(batch, i, negatives, fraction, size=1):
    """The class of every coordinate of one sample's negative point, in plain loops."""
    f, y = batch["embeddings"][i].tolist(), int(batch["labels"][i])
    centers = batch["centers"].tolist()
    n_features = len(f)
    a = [1.0] * n_features if batch["attention"] is None else batch["attention"][i].tolist()
    others = [k for k in range(len(centers)) if k != y]
    if negatives == "prediction":
        return [max(others, key=lambda k: batch["logits"][i, k].item())] * n_features

    def nearest_in(columns):
        return min(others, key=lambda k: sum(a[j] * (f[j] - centers[k][j]) ** 2 for j in columns))

    nearest = nearest_in(range(n_features))
    pieces = [range(n_features)[j : j + size] for j in range(0, n_features, size)]
    best = [nearest_in(piece) for piece in pieces]
    if negatives == "nearest":
        fraction = 0
    if negatives == "fully-synthesized":
        fraction = 1

    def rank(k):
        differences = [abs(centers[nearest][j] - centers[best[k]][j]) for j in pieces[k]]
        return -sum(a[j] for j in pieces[k]), -sum(differences), k

    ranking = sorted(range(len(pieces)), key=rank)
    chosen = set(ranking[: math.floor(fraction * len(pieces) + 0.5)])
    return [best[j // size] if j // size in chosen else nearest for j in range(n_features)]


def naive_loss(batch, negatives, fraction, margin, size=1):
    total = 0.0
    for i in range(len(batch["labels"])):
        f, y = batch["embeddings"][i], int(batch["labels"][i])
        attention = batch["attention"]
        a = [1.0] * len(f) if attention is None else attention[i].tolist()
        picked = naive_indices(batch, i, negatives, fraction, size)
        own = negative = 0.0
        for j, k in enumerate(picked):
            own += a[j] * float(f[j] - batch["centers"][y, j]) ** 2
            negative += a[j] * float(f[j] - batch["centers"][k, j]) ** 2
        total += max(0.0, (own - negative) / len(f) + margin)
    return total / len(batch["labels"])


def test_weights_of_samples():
    """A mean that a sample of weight 2 enters twice, and one of weight 0 not at all."""
    loss = TripletCenterLoss(3, 4)
    points, labels = torch.randn(4, 4), torch.tensor([0, 1, 2, 0])
    weighted = loss(points, labels, weights=torch.tensor([2.0, 1, 0, 1]))
    rows = torch.tensor([0, 0, 1, 3])
    torch.testing.assert_close(weighted, loss(points[rows], labels[rows]))
    assert loss(points, labels, weights=torch.zeros(4)) == 0


class TestDefinition:
    @quick
    @given(batches(), strategies, fractions, margins, sizes)
    def test_equals_plain_loops(self, drawn, negatives, fraction, margin, size):
        batch, _ = drawn
        choice = {"negatives": negatives, "synthesis_fraction": fraction, "synthesis_size": size}
        indices = indices_of(batch, **choice)
        expected = [
            naive_indices(batch, i, negatives, fraction, size) for i in range(len(batch["labels"]))
        ]
        assert indices.tolist() == expected
        value = evaluate(batch, **choice, margin=margin)
        assert value.item() == pytest.approx(
            naive_loss(batch, negatives, fraction, margin, size), abs=1e-12
        )

    @quick
    @given(batches(), fractions)
    def test_one_piece_is_the_nearest_center(self, drawn, fraction):
        batch, _ = drawn
        for negatives in ("fully-synthesized", "semi-synthesized"):
            choice = {"negatives": negatives, "synthesis_fraction": fraction}
            indices = indices_of(batch, **choice, synthesis_size=9)
            assert torch.equal(indices, indices_of(batch, negatives="nearest"))

    @quick
    @given(batches(), fractions)
    def test_ties_are_settled_as_in_plain_loops(self, drawn, fraction):
        batch, _ = drawn
        # Whole numbers leave many candidates equally far apart, and half-open attention ties too.
        batch["centers"] = batch["centers"].round()
        if batch["attention"] is not None:
            batch["attention"] = batch["attention"].round() / 2 + 0.25
        indices = indices_of(batch, negatives="semi-synthesized", synthesis_fraction=fraction)
        points = batch["centers"].gather(0, indices)
        for i in range(len(points)):
            expected = naive_indices(batch, i, "semi-synthesized", fraction)
            columns = torch.arange(points.shape[1])
            assert torch.equal(points[i], batch["centers"][expected, columns])

    @quick
    @given(batches(), margins)
    def test_nearest_equals_the_peer(self, drawn, margin):
        batch, _ = drawn
        batch["attention"] = None
        n_classes, n_features = batch["centers"].shape
        value, grads = evaluate(batch, True, negatives="nearest", margin=margin)
        distance = LpDistance(normalize_embeddings=False, p=2, power=2)
        peer = TripletMarginLoss(
            margin=margin * n_features, distance=distance, reducer=MeanReducer()
        )
        f, c = (batch[name].clone().requires_grad_() for name in ("embeddings", "centers"))
        arguments = (f, batch["labels"])
        references = {"ref_emb": c, "ref_labels": torch.arange(n_classes)}
        triplets = BatchHardMiner(distance=distance)(*arguments, **references)
        expected = peer(*arguments, triplets, **references) / n_features
        expected.backward()
        torch.testing.assert_close(value, expected.detach(), rtol=0, atol=1e-10)
        torch.testing.assert_close(grads["embeddings"], f.grad, rtol=0, atol=1e-10)
        torch.testing.assert_close(grads["centers"], c.grad, rtol=0, atol=1e-10)

    @quick
    @given(batches(), strategies, fractions)
    def test_a_single_place_in_the_gradient_for_each_center(self, drawn, negatives, fraction):
        # Own and negative centers learn: their gradients balance those of the embeddings.
        batch, _ = drawn
        _, grads = evaluate(batch, True, negatives=negatives, synthesis_fraction=fraction)
        torch.testing.assert_close(
            grads["centers"].sum(0), -grads["embeddings"].sum(0), rtol=0, atol=1e-12
        )


class TestMustHold:
    @quick
    @given(batches(), fractions, fractions, margins, sizes)
    def test_harder_strategies_lose_more(self, drawn, one, other, margin, size):
        batch, _ = drawn
        low, high = sorted([one, other])
        settings_ = {"margin": margin, "synthesis_size": size}

        def value(negatives, fraction=0.5):
            return evaluate(batch, negatives=negatives, synthesis_fraction=fraction, **settings_)

        values = [
            torch.zeros((), dtype=torch.float64),
            value("prediction"),
            value("nearest"),
            value("semi-synthesized", low),
            value("semi-synthesized", high),
            value("fully-synthesized"),
        ]
        for easier, harder in itertools.pairwise(values):
            assert harder >= easier - 1e-12

    @quick
    @given(batches())
    def test_the_ends_of_the_fraction(self, drawn):
        batch, _ = drawn
        for fraction, negatives in ((0.0, "nearest"), (1.0, "fully-synthesized")):
            semi = indices_of(batch, negatives="semi-synthesized", synthesis_fraction=fraction)
            assert torch.equal(semi, indices_of(batch, negatives=negatives))

    @quick
    @given(batches(max_classes=2), fractions)
    def test_two_classes_leave_no_choice(self, drawn, fraction):
        batch, _ = drawn
        values = [
            evaluate(batch, negatives=negatives, synthesis_fraction=fraction)
            for negatives in STRATEGIES
        ]
        assert all(value == values[0] for value in values)

    @quick
    @given(batches(), strategies, fractions, st.sampled_from([0.0, 1.0, 1e8]))
    def test_never_the_own_center(self, drawn, negatives, fraction, scale):
        batch, _ = drawn
        batch = {**batch, "embeddings": batch["embeddings"] * scale}
        indices = indices_of(batch, negatives=negatives, synthesis_fraction=fraction)
        assert indices.shape == batch["embeddings"].shape
        assert not (indices == batch["labels"][:, None]).any()
        assert ((indices >= 0) & (indices < len(batch["centers"]))).all()

    @quick
    @given(batches(), strategies)
    def test_never_the_own_center_by_attention_or_logits_at_their_ends(self, drawn, negatives):
        batch, _ = drawn
        batch = {
            **batch,
            "attention": torch.zeros_like(batch["embeddings"]),
            "logits": torch.full_like(batch["logits"], -torch.inf),
        }
        indices = indices_of(batch, negatives=negatives)
        assert not (indices == batch["labels"][:, None]).any()

    @quick
    @given(batches(), strategies, fractions, st.floats(-100, 100))
    def test_moving_all_changes_nothing(self, drawn, negatives, fraction, offset):
        batch, generator = drawn
        n_features = batch["centers"].shape[1]
        offset = offset * torch.randn(n_features, generator=generator, dtype=torch.float64)
        moved = {name: batch[name] + offset for name in ("embeddings", "centers")}
        settings_ = {"negatives": negatives, "synthesis_fraction": fraction}
        value, grads = evaluate(batch, True, **settings_)
        moved_value, moved_grads = evaluate({**batch, **moved}, True, **settings_)
        torch.testing.assert_close(moved_value, value, rtol=0, atol=1e-9)
        torch.testing.assert_close(moved_grads, grads, rtol=0, atol=1e-9)

    @quick
    @given(batches(), strategies, fractions)
    def test_order_and_names_change_nothing(self, drawn, negatives, fraction):
        batch, generator = drawn
        order = torch.randperm(len(batch["labels"]), generator=generator)
        names = torch.randperm(len(batch["centers"]), generator=generator)
        renamed = {
            "embeddings": batch["embeddings"][order],
            "labels": names[batch["labels"][order]],
            "centers": torch.empty_like(batch["centers"]).index_copy(0, names, batch["centers"]),
            "logits": torch.empty_like(batch["logits"]).index_copy(1, names, batch["logits"])[
                order
            ],
            "attention": None if batch["attention"] is None else batch["attention"][order],
        }
        settings_ = {"negatives": negatives, "synthesis_fraction": fraction}
        value, grads = evaluate(batch, True, **settings_)
        new_value, new_grads = evaluate(renamed, True, **settings_)
        torch.testing.assert_close(new_value, value, rtol=0, atol=1e-12)
        torch.testing.assert_close(
            new_grads["embeddings"], grads["embeddings"][order], rtol=0, atol=1e-12
        )
        torch.testing.assert_close(
            new_grads["centers"][names], grads["centers"], rtol=0, atol=1e-12
        )

    @quick
    @given(batches(), strategies, fractions)
    def test_attention_of_one_is_none(self, drawn, negatives, fraction):
        batch, _ = drawn
        ones = torch.ones_like(batch["embeddings"])
        settings_ = {"negatives": negatives, "synthesis_fraction": fraction}
        weighted = evaluate({**batch, "attention": ones}, **settings_)
        plain = evaluate({**batch, "attention": None}, **settings_)
        torch.testing.assert_close(weighted, plain, rtol=0, atol=1e-12)

    @quick
    @given(batches(), strategies, st.integers(2, 4))
    def test_one_scale_for_every_length(self, drawn, negatives, times):
        batch, _ = drawn
        longer = {name: batch[name].repeat(1, times) for name in ("embeddings", "centers")}
        if batch["attention"] is not None:
            longer["attention"] = batch["attention"].repeat(1, times)
        value = evaluate(batch, negatives=negatives, synthesis_fraction=1)
        torch.testing.assert_close(
            evaluate({**batch, **longer}, negatives=negatives, synthesis_fraction=1),
            value,
            rtol=0,
            atol=1e-12,
        )

    @quick
    @given(batches(torch.float32), strategies, st.floats(0, 38.5), st.booleans())
    def test_large_embeddings_stay_finite(self, drawn, negatives, exponent, centers_too):
        batch, _ = drawn
        for name in ("embeddings", "centers") if centers_too else ("embeddings",):
            batch[name] = (batch[name].double() * 10**exponent).clamp(-3.4e38, 3.4e38).float()
        value, grads = evaluate(batch, True, negatives=negatives)
        assert value.isfinite()
        assert value >= 0
        assert all(grad.isfinite().all() for grad in grads.values())

    @quick
    @given(batches(torch.float32), strategies, fractions, st.integers(30, 120))
    def test_large_embeddings_keep_their_negatives(self, drawn, negatives, fraction, exponent):
        batch, _ = drawn
        settings_ = {"negatives": negatives, "synthesis_fraction": fraction}
        expected = indices_of(batch, **settings_)
        for name in ("embeddings", "centers"):
            batch[name] = batch[name] * 2.0**exponent
        assert torch.equal(indices_of(batch, **settings_), expected)

    @quick
    @given(batches(torch.float32), strategies)
    def test_ordinary_embeddings_round_as_squares_do(self, drawn, negatives):
        # A training makes the last bit visible: results must not depend on the other way.
        batch, _ = drawn
        own = batch["centers"][batch["labels"]]
        negative = batch["centers"].gather(0, indices_of(batch, negatives=negatives))
        f, attention = batch["embeddings"], batch["attention"]
        terms = (f - own).square() - (f - negative).square()
        terms = terms if attention is None else terms * attention
        expected = (terms.mean(1) + 0.5).clamp_min(0).mean()
        assert torch.equal(evaluate(batch, negatives=negatives), expected)

    def test_a_point_whose_square_overflows(self):
        # (f - 0)^2 - (f - 1)^2 = 2 f - 1
        loss = TripletCenterLoss(2, 1, margin=0.0)
        loss.set_centers(torch.tensor([[0.0], [1.0]]), torch.arange(2))
        points = torch.tensor([[1e25]], requires_grad=True)
        value = loss(points, torch.tensor([0]))
        value.backward()
        assert value.item() == pytest.approx(2e25)
        assert points.grad.item() == 2
        assert loss.centers.grad.flatten().tolist() == pytest.approx([-2e25, 2e25])


@pytest.mark.parametrize("negatives", STRATEGIES)
def test_same_input_same_bits(negatives):
    generator = torch.Generator().manual_seed(0)
    batch = {
        "embeddings": torch.randn(640, 64, generator=generator),
        "labels": torch.arange(640) % 28,
        "centers": torch.randn(28, 64, generator=generator),
        "logits": torch.randn(640, 28, generator=generator),
        "attention": torch.rand(640, 64, generator=generator),
    }
    (one, grads), (again, grads_again) = (
        evaluate(batch, True, negatives=negatives) for _ in range(2)
    )
    assert torch.equal(one, again)
    assert all(torch.equal(grads[name], grads_again[name]) for name in grads)
