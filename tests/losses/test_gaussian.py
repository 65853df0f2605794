import math
import pickle

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn.covariance import EmpiricalCovariance
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from skfer.losses import GaussianMetricLoss, mixup, mixup_within_classes


@st.composite
def batches(draw, dtype=torch.float64):
    """A batch with unequal, perhaps one-sample, classes whose labels are any integers."""
    n_classes = draw(st.integers(1, 6))
    n_samples = draw(st.integers(n_classes, 20))
    n_features = draw(st.integers(1, 9))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**32 - 1)))
    names = torch.randperm(50, generator=generator)[:n_classes] - 25
    places = torch.randint(n_classes, (n_samples,), generator=generator)
    places[:n_classes] = torch.arange(n_classes)
    embeddings = torch.randn(n_samples, n_features, generator=generator, dtype=dtype)
    return embeddings, names[places], generator


sigmas = st.floats(0.2, 3.0)
quick = settings(max_examples=40, deadline=None)


def definition(embeddings, labels, sigma, queries=None, targets=None):
    """The loss as it is written down, with `sigma` absolute, in plain loops."""
    classes = sorted(set(labels.tolist()))
    queries = embeddings if queries is None else queries
    means = [
        sum(f for f, y in zip(embeddings, labels, strict=True) if y == k)
        / sum(1 for y in labels if y == k)
        for k in classes
    ]
    total = 0.0
    for i, f in enumerate(queries):
        weights = [math.exp(-float(((f - m) ** 2).sum()) / (2 * sigma**2)) for m in means]
        for k, weight in zip(classes, weights, strict=True):
            target = float(labels[i] == k) if targets is None else float(targets[i, k])
            total += (weight / sum(weights) - target) ** 2
    return total / len(queries)


def gradient(loss, embeddings, labels):
    embeddings = embeddings.clone().requires_grad_()
    value = loss(embeddings, labels)
    value.backward()
    return value.detach(), embeddings.grad


class TestDefinition:
    @quick
    @given(batches(), sigmas)
    def test_equals_the_loop_over_classes(self, batch, sigma):
        embeddings, labels, _ = batch
        loss = GaussianMetricLoss(sigma, relative_sigma=False)
        expected = definition(embeddings, labels, sigma)
        assert loss(embeddings, labels).item() == pytest.approx(expected, abs=1e-12)

    @quick
    @given(batches(), sigmas)
    def test_soft_targets_at_queries_equal_the_loop(self, batch, sigma):
        embeddings, labels, generator = batch
        labels = labels.unique(return_inverse=True)[1]
        queries = torch.randn(7, embeddings.shape[1], generator=generator, dtype=torch.float64)
        targets = torch.rand(7, int(labels.max()) + 1, generator=generator, dtype=torch.float64)
        targets /= targets.sum(1, keepdim=True)
        loss = GaussianMetricLoss(sigma, relative_sigma=False)
        expected = definition(embeddings, labels, sigma, queries, targets)
        value = loss(embeddings, labels, queries=queries, targets=targets).item()
        assert value == pytest.approx(expected, abs=1e-12)

    @quick
    @given(batches(), sigmas)
    def test_posterior_is_that_of_a_discriminant_with_the_same_covariance(self, batch, sigma):
        embeddings, labels, _ = batch
        classes = labels.unique()
        assume(len(classes) > 1)
        # The peer wants more samples than classes.
        embeddings, labels = embeddings.repeat(2, 1), labels.repeat(2)

        class Isotropic(EmpiricalCovariance):
            def fit(self, X):
                self.covariance_ = sigma**2 * np.eye(X.shape[1])
                return self

        peer = LinearDiscriminantAnalysis(
            "lsqr",
            priors=np.full(len(classes), 1 / len(classes)),
            covariance_estimator=Isotropic(),
        )
        peer.fit(embeddings.numpy(), labels.numpy())
        loss = GaussianMetricLoss(sigma, relative_sigma=False)
        posterior = loss.log_posterior(embeddings, labels).exp().numpy()
        np.testing.assert_allclose(posterior, peer.predict_proba(embeddings.numpy()), atol=1e-9)

    def test_sigma_is_relative_to_a_standardized_embedding(self):
        embeddings = torch.randn(20, 16, generator=torch.Generator().manual_seed(0))
        labels = torch.arange(20) % 4
        relative = GaussianMetricLoss(0.5)(embeddings, labels)
        assert relative == GaussianMetricLoss(2.0, relative_sigma=False)(embeddings, labels)
        assert relative != GaussianMetricLoss(0.5, relative_sigma=False)(embeddings, labels)

    @quick
    @given(batches(), sigmas)
    def test_the_posterior_gives_the_same_value_and_gradient(self, batch, sigma):
        embeddings, labels, _ = batch
        loss = GaussianMetricLoss(sigma)

        def slow(embeddings, labels):
            onehot = (labels[:, None] == labels.unique()).double()
            posterior = loss.log_posterior(embeddings, labels).exp()
            return (posterior - onehot).square().sum(1).mean()

        for ours, theirs in zip(
            gradient(loss, embeddings, labels), gradient(slow, embeddings, labels), strict=True
        ):
            torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-12)


class TestMustHold:
    @quick
    @given(batches(), sigmas)
    def test_bounds(self, batch, sigma):
        embeddings, labels, _ = batch
        loss = GaussianMetricLoss(sigma)
        posterior = loss.log_posterior(embeddings, labels).exp()
        torch.testing.assert_close(posterior.sum(1), torch.ones(len(labels), dtype=torch.float64))
        assert 0 <= loss(embeddings, labels) <= 2
        assert 0 <= loss.stats["active_fraction"] <= 1

    @quick
    @given(batches(), st.floats(-1e15, 1e15))
    def test_equal_embeddings(self, batch, value):
        embeddings, labels, _ = batch
        expected = 1 - 1 / len(labels.unique())
        for dtype in (torch.float64, torch.float32):
            same = torch.full_like(embeddings, value, dtype=dtype)
            value_, grad = gradient(GaussianMetricLoss(), same, labels)
            assert value_.item() == pytest.approx(expected, abs=torch.finfo(dtype).eps * 4)
            assert not grad.any()

    @quick
    @given(batches(), st.floats(-100, 100), sigmas)
    def test_moving_turning_and_shuffling_change_nothing(self, batch, offset, sigma):
        embeddings, labels, generator = batch
        n_samples, n_features = embeddings.shape
        loss = GaussianMetricLoss(sigma)
        value, grad = gradient(loss, embeddings, labels)
        square = torch.randn(n_features, n_features, generator=generator, dtype=torch.float64)
        turn = torch.linalg.qr(square)[0]
        order = torch.randperm(n_samples, generator=generator)
        moved_value, moved_grad = gradient(loss, embeddings[order] @ turn + offset, labels[order])
        torch.testing.assert_close(moved_value, value, rtol=0, atol=1e-10)
        torch.testing.assert_close(moved_grad, grad[order] @ turn, rtol=0, atol=1e-10)

    @quick
    @given(batches())
    def test_renaming_the_classes_changes_nothing(self, batch):
        embeddings, labels, generator = batch
        renamed = (torch.randperm(50, generator=generator) * 7 - 100)[labels + 25]
        loss = GaussianMetricLoss()
        assert loss(embeddings, renamed).item() == pytest.approx(
            loss(embeddings, labels).item(), abs=1e-14
        )

    @quick
    @given(batches(), sigmas, st.floats(1e-6, 1e6), st.booleans())
    def test_embeddings_and_sigma_scaled_together(self, batch, sigma, factor, relative):
        embeddings, labels, _ = batch
        value = GaussianMetricLoss(sigma, relative_sigma=relative)(embeddings, labels)
        scaled = GaussianMetricLoss(sigma * factor, relative_sigma=relative)(
            embeddings * factor, labels
        )
        torch.testing.assert_close(scaled, value, rtol=0, atol=1e-11)

    @quick
    @given(batches(), sigmas)
    def test_classes_far_apart_leave_nothing(self, batch, sigma):
        embeddings, labels, _ = batch
        places = labels.unique(return_inverse=True)[1]
        loss = GaussianMetricLoss(sigma)
        values = [loss(embeddings + distance * places[:, None], labels) for distance in (30, 300)]
        assert values[1] <= values[0] + 1e-12
        assert values[1] < 1e-12
        assert loss.stats["active_fraction"] == 0

    @quick
    @given(batches(torch.float32), st.floats(-38, 38.5), st.sampled_from([1e-20, 0.01, 0.5, 3.0]))
    def test_large_embeddings_stay_finite(self, batch, exponent, sigma):
        embeddings, labels, _ = batch
        for relative in (True, False):
            loss = GaussianMetricLoss(sigma, relative_sigma=relative)
            huge = (embeddings.double() * 10**exponent).clamp(-3.4e38, 3.4e38).float()
            value, grad = gradient(loss, huge, labels)
            assert 0 <= value <= 2
            assert grad.isfinite().all()
            assert not loss.log_posterior(huge, labels).isnan().any()

    @quick
    @given(batches(torch.float32), sigmas, st.integers(-100, 120))
    def test_huge_embeddings_and_sigma_scaled_together(self, batch, sigma, exponent):
        embeddings, labels, generator = batch
        queries = torch.randn(5, embeddings.shape[1], generator=generator)
        factor = 2.0**exponent
        small, large = (
            GaussianMetricLoss(s, relative_sigma=False) for s in (sigma, sigma * factor)
        )
        value, grad = gradient(small, embeddings, labels)
        scaled_value, scaled_grad = gradient(large, embeddings * factor, labels)
        torch.testing.assert_close(scaled_value, value, rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(scaled_grad * factor, grad, rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(
            large.log_posterior(embeddings * factor, labels, queries=queries * factor),
            small.log_posterior(embeddings, labels, queries=queries),
            rtol=1e-5,
            atol=1e-5,
        )

    @quick
    @given(batches(), sigmas)
    def test_absent_classes_do_not_count(self, batch, sigma):
        embeddings, labels, _ = batch
        places = labels.unique(return_inverse=True)[1]
        present = torch.arange(int(places.max()) + 1) * 2 + 1
        loss = GaussianMetricLoss(sigma)
        n_classes = int(present[-1]) + 3
        targets = torch.zeros(len(labels), n_classes, dtype=torch.float64)
        targets[torch.arange(len(labels)), present[places]] = 1
        value = loss(embeddings, present[places], targets=targets)
        torch.testing.assert_close(value, loss(embeddings, labels), rtol=0, atol=1e-14)
        full = loss.log_posterior(embeddings, present[places], n_classes=n_classes)
        torch.testing.assert_close(full[:, present], loss.log_posterior(embeddings, labels))
        absent = torch.ones(n_classes, dtype=torch.bool)
        absent[present] = False
        assert (full[:, absent] == -torch.inf).all()

    @quick
    @given(batches(torch.float32))
    def test_float32_is_close_to_float64(self, batch):
        embeddings, labels, _ = batch
        loss = GaussianMetricLoss()
        value, grad = gradient(loss, embeddings + 100, labels)
        exact_value, exact_grad = gradient(loss, (embeddings + 100).double(), labels)
        assert value.dtype == torch.float32
        torch.testing.assert_close(value.double(), exact_value, rtol=0, atol=1e-5)
        torch.testing.assert_close(grad.double(), exact_grad, rtol=0, atol=1e-5)


class TestByHand:
    def test_two_points(self):
        # Squared distance 4 and sigma 1: the other class has odds exp(-2).
        wrong = 1 / (1 + math.exp(2))
        loss = GaussianMetricLoss(1.0, relative_sigma=False)
        value = loss(torch.tensor([[0.0], [2.0]]), torch.tensor([8, -3]))
        assert value.item() == pytest.approx(2 * wrong**2, rel=1e-6)

    def test_the_mean_takes_part_in_the_gradient(self):
        # One class alone has posterior 1 whatever it does.
        value, grad = gradient(GaussianMetricLoss(), torch.randn(5, 3), torch.zeros(5).long())
        assert value == 0
        assert not grad.any()
        # A class of one is its own mean: pulling it moves both.
        points = torch.tensor([[0.0], [1.0]], dtype=torch.float64)
        _, grad = gradient(GaussianMetricLoss(), points, torch.tensor([0, 1]))
        assert grad[0] == pytest.approx(-grad[1].item())
        assert grad[0] > 0

    def test_active_fraction(self):
        loss = GaussianMetricLoss(1.0, relative_sigma=False)
        points = torch.tensor([[0.0], [0.0], [9.0], [10.0], [10.0]])
        loss(points, torch.tensor([0, 0, 0, 1, 1]))
        assert loss.stats["active_fraction"].item() == pytest.approx(0.2)
        assert not loss.stats["active_fraction"].requires_grad

    def test_a_target_that_is_met_leaves_nothing(self):
        means = torch.tensor([[-1.0], [1.0]])
        loss = GaussianMetricLoss()
        halfway = {"queries": torch.zeros(1, 1), "targets": torch.tensor([[0.5, 0.5]])}
        assert loss(means, torch.arange(2), **halfway) == 0
        assert loss.stats["active_fraction"] == 0


class TestGradient:
    def test_gradcheck(self):
        generator = torch.Generator().manual_seed(0)
        embeddings = torch.randn(9, 4, generator=generator, dtype=torch.float64)
        labels = torch.tensor([0, 0, 1, 1, 1, 3, 3, 3, 3])
        loss = GaussianMetricLoss(0.6)
        assert torch.autograd.gradcheck(lambda f: loss(f, labels), embeddings.requires_grad_())

    def test_gradcheck_with_queries_and_targets(self):
        generator = torch.Generator().manual_seed(1)
        embeddings = torch.randn(7, 3, generator=generator, dtype=torch.float64)
        queries = torch.randn(5, 3, generator=generator, dtype=torch.float64)
        targets = torch.rand(5, 4, generator=generator, dtype=torch.float64)
        labels = torch.tensor([0, 0, 1, 3, 3, 3, 1])
        loss = GaussianMetricLoss(0.6)

        def value(embeddings, queries, targets):
            return loss(embeddings, labels, queries=queries, targets=targets)

        inputs = [part.requires_grad_() for part in (embeddings, queries, targets)]
        assert torch.autograd.gradcheck(value, inputs)

    def test_gradcheck_of_the_posterior(self):
        embeddings = torch.randn(
            6, 3, generator=torch.Generator().manual_seed(2), dtype=torch.float64
        )
        labels = torch.arange(6) % 3
        loss = GaussianMetricLoss(0.6)
        assert torch.autograd.gradcheck(
            lambda f: loss.log_posterior(f, labels), embeddings.requires_grad_()
        )

    def test_only_what_is_asked_for(self):
        embeddings, labels = torch.randn(6, 3), torch.arange(6) % 2
        queries = torch.randn(4, 3, requires_grad=True)
        GaussianMetricLoss()(
            embeddings, labels, queries=queries, targets=torch.eye(2)[[0, 1, 1, 0]]
        )
        value = GaussianMetricLoss()(
            embeddings, labels, queries=queries, targets=torch.eye(2)[[0, 1, 1, 0]]
        )
        value.backward()
        assert queries.grad.any()
        with torch.no_grad():
            assert not GaussianMetricLoss()(embeddings, labels).requires_grad


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_float32(dtype):
    embeddings = torch.randn(12, 8, generator=torch.Generator().manual_seed(0)).to(dtype)
    labels = torch.arange(12) % 3
    value, grad = gradient(GaussianMetricLoss(), embeddings, labels)
    assert value.dtype == torch.float32
    assert grad.dtype == dtype
    assert value == GaussianMetricLoss()(embeddings.float(), labels)


def test_mixed_precision_changes_nothing():
    embeddings = torch.randn(12, 8, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(12) % 3
    loss = GaussianMetricLoss()
    expected = gradient(loss, embeddings, labels)
    posterior = loss.log_posterior(embeddings, labels)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        torch.testing.assert_close(gradient(loss, embeddings, labels), expected, rtol=0, atol=0)
        torch.testing.assert_close(
            loss.log_posterior(embeddings, labels), posterior, rtol=0, atol=0
        )


def test_single_precision_is_kept():
    embeddings = torch.randn(12, 8, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(12) % 3
    loss = GaussianMetricLoss()
    torch.testing.assert_close(
        loss.log_posterior(embeddings, labels).double(),
        loss.log_posterior(embeddings.double(), labels),
        rtol=1e-5,
        atol=1e-5,
    )
    assert loss(embeddings, labels).item() == pytest.approx(
        loss(embeddings.double(), labels).item()
    )


def test_same_input_same_bits():
    embeddings = torch.randn(640, 64, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(640) % 28
    first, second = (gradient(GaussianMetricLoss(), embeddings, labels) for _ in range(2))
    assert all(torch.equal(one, other) for one, other in zip(first, second, strict=True))


def test_pickles():
    loss = GaussianMetricLoss(0.7, relative_sigma=False)
    embeddings, labels = torch.randn(6, 3), torch.arange(6) % 2
    expected = loss(embeddings, labels)
    again = pickle.loads(pickle.dumps(loss))
    assert again.stats == {}
    assert again(embeddings, labels) == expected
    assert again.stats == loss.stats
    assert repr(again) == "GaussianMetricLoss(sigma=0.7, relative_sigma=False)"


def test_what_the_latest_call_saw_can_be_told_to_it():
    """As a recording does, whose calls the loss does not see."""
    loss = GaussianMetricLoss()
    loss(torch.randn(6, 3), torch.arange(6) % 2)
    loss.stats = {"active_fraction": torch.tensor(0.5)}
    assert loss.stats == {"active_fraction": torch.tensor(0.5)}
    assert pickle.loads(pickle.dumps(loss)).stats == {}
    loss(torch.zeros(6, 3), torch.arange(6) % 2)
    assert loss.stats["active_fraction"] != 0.5


class TestMixup:
    @quick
    @given(batches())
    def test_between_the_samples(self, batch):
        embeddings, labels, generator = batch
        targets = (labels[:, None] == labels.unique()).double()
        partners = torch.randint(len(labels), labels.shape, generator=generator)
        shares = torch.rand(len(labels), generator=generator, dtype=torch.float64)
        mixed, mixed_targets = mixup(embeddings, targets, partners, shares)
        for i, (partner, share) in enumerate(zip(partners, shares, strict=True)):
            for out, given_ in ((mixed, embeddings), (mixed_targets, targets)):
                expected = share * given_[i] + (1 - share) * given_[partner]
                torch.testing.assert_close(out[i], expected, rtol=0, atol=1e-14)

    def test_a_share_of_one_changes_nothing(self):
        embeddings, labels = torch.randn(8, 3), torch.arange(8) % 2
        targets = torch.eye(2)[labels]
        queries, mixed = mixup(embeddings, targets, torch.arange(8).flip(0), torch.ones(8))
        loss = GaussianMetricLoss()
        torch.testing.assert_close(
            loss(embeddings, labels, queries=queries, targets=mixed), loss(embeddings, labels)
        )


class TestMixupWithinClasses:
    @quick
    @given(batches(), st.floats(0, 1))
    def test_is_the_mixing_of_numbers_in_loops(self, batch, share):
        """What the number of a class still equals a class after mixing, unless by chance."""
        embeddings, labels, generator = batch
        partners = torch.randperm(len(labels), generator=generator)
        mixed, kept = mixup_within_classes(embeddings, labels, partners, share)
        pairs = [(i, j) for i, j in enumerate(partners.tolist()) if labels[i] == labels[j]]
        assert kept.tolist() == [labels[i] for i, _ in pairs]
        assert mixed.shape == (len(pairs), embeddings.shape[1])
        for point, (i, j) in zip(mixed, pairs, strict=True):
            expected = share * embeddings[i] + (1 - share) * embeddings[j]
            torch.testing.assert_close(point, expected, rtol=0, atol=1e-14)

    def test_the_loss_takes_means_of_mixtures(self):
        embeddings = torch.tensor([[0.0], [8.0], [20.0], [24.0]], dtype=torch.float64)
        labels = torch.tensor([0, 0, 7, 7])
        mixed, kept = mixup_within_classes(embeddings, labels, torch.tensor([1, 1, 2, 2]), 0.5)
        assert mixed.flatten().tolist() == [4, 8, 20, 22]
        value = GaussianMetricLoss(5.0, relative_sigma=False)(mixed, kept)
        expected = definition(mixed, kept, 5.0)
        assert value.item() == pytest.approx(expected, abs=1e-12)

    def test_with_oneself_nothing_changes(self):
        embeddings, labels = torch.randn(8, 3), torch.arange(8) % 2
        mixed, kept = mixup_within_classes(embeddings, labels, torch.arange(8), 0.3)
        assert torch.equal(kept, labels)
        torch.testing.assert_close(mixed, embeddings)

    def test_no_pair_of_one_class(self):
        mixed, kept = mixup_within_classes(
            torch.ones(2, 3), torch.arange(2), torch.tensor([1, 0]), 0.3
        )
        assert mixed.shape == (0, 3)
        assert kept.shape == (0,)

    def test_gradient(self):
        embeddings = torch.randn(6, 2, dtype=torch.float64, requires_grad=True)
        labels, partners = torch.arange(6) % 2, torch.tensor([2, 0, 4, 5, 1, 3])
        assert torch.autograd.gradcheck(
            lambda f: mixup_within_classes(f, labels, partners, 0.3)[0], embeddings
        )
