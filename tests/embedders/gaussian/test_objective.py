"""What the Gaussian embedder minimizes."""

import numpy as np
import pytest
import torch

from skfer.embedders.gaussian._objective import GaussianObjective
from skfer.losses import GaussianMetricLoss, mixup_within_classes
from skfer.nets import Embedded


def _objective(weight=0.0, mixup=None):
    return GaussianObjective(GaussianMetricLoss(), weight, n_classes=3, mixup=mixup)


def _batch(seed=0, n=30, d=6):
    points = torch.randn(n, d, generator=torch.Generator().manual_seed(seed)).double()
    return points, torch.arange(n) % 3


def test_labeled_batches_have_the_plain_loss():
    points, codes = _batch()
    assert _objective()(Embedded(points), codes) == GaussianMetricLoss()(points, codes)


def test_cross_entropy_is_on_classes():
    points, codes = _batch()
    logits = torch.randn(30, 2, generator=torch.Generator().manual_seed(1)).double()
    objective = _objective(weight=2.0)
    objective.set_component_classes(np.array([0, 1, 1]))
    expected = torch.nn.functional.cross_entropy(logits, codes.clamp(max=1))
    total = objective(Embedded(points, logits), codes)
    metric = objective.metric(Embedded(points), codes)
    torch.testing.assert_close(total, metric + 2 * expected)


def test_as_many_components_stay_where_they_were():
    objective = _objective()
    before = objective.component_classes
    objective.set_component_classes(np.arange(len(before))[::-1])
    assert objective.component_classes is before
    assert before.tolist() == list(range(len(before)))[::-1]


def test_unlabeled_samples_without_a_pseudo_label_do_not_count():
    points, codes = _batch()
    points.requires_grad_()
    codes[::2] = -1
    is_pseudo = torch.zeros(30, dtype=torch.bool)
    _objective()(Embedded(points), codes, is_pseudo=is_pseudo).backward()
    assert (points.grad[::2] == 0).all()
    assert (points.grad[1::2] != 0).any()


def test_pseudo_labeled_samples_count_as_much_as_labeled_ones_and_move_no_mean():
    points, codes = _batch()
    points.requires_grad_()
    logits = torch.randn(30, 3, generator=torch.Generator().manual_seed(1)).double()
    # Twenty with a label, six with a pseudo-label, four without either.
    number = torch.arange(30)
    labels = torch.where(number < 26, codes, -1)
    is_pseudo = (number >= 20) & (number < 26)
    loss = _objective(weight=2.0)(Embedded(points, logits), labels, is_pseudo=is_pseudo)
    labeled, pseudo = slice(0, 20), slice(20, 26)
    plain = GaussianMetricLoss()
    pseudo_loss = plain(
        points[labeled],
        codes[labeled],
        queries=points[pseudo],
        targets=torch.eye(3).double()[codes[pseudo]],
    )
    cross_entropy = torch.nn.functional.cross_entropy
    expected = plain(points[labeled], codes[labeled]) + 0.3 * pseudo_loss
    expected = expected + 2 * cross_entropy(logits[labeled], codes[labeled])
    expected = expected + 2 * 0.3 * cross_entropy(logits[pseudo], codes[pseudo])
    torch.testing.assert_close(loss, expected)
    loss.backward()
    assert (points.grad[26:] == 0).all()


def test_a_single_pseudo_labeled_sample_counts_as_one():
    points = torch.zeros(30, 8, requires_grad=True)
    logits = torch.zeros(30, 3, requires_grad=True)
    labels = torch.arange(30) % 3
    _objective(weight=1.0)(
        Embedded(points, logits), labels, is_pseudo=torch.arange(30) == 0
    ).backward()
    sizes = logits.grad.abs().sum(1)
    torch.testing.assert_close(sizes, sizes[1].expand(30))


def test_many_pseudo_labeled_samples_count_no_more_than_labeled_ones():
    """They are more than those here, and weigh as much as one each of theirs, not more."""
    points, labels = _batch()
    objective, is_pseudo = _objective(), torch.arange(30) >= 6
    pseudo = {"queries": points[6:], "targets": torch.eye(3).double()[labels[6:]]}
    plain = GaussianMetricLoss()
    expected = plain(points[:6], labels[:6]) + plain(points[:6], labels[:6], **pseudo)
    found = objective(Embedded(points), labels, is_pseudo=is_pseudo)
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("weight", [0.0, 1.0])
@pytest.mark.parametrize("mixup", [None, 2.0, "batch"])
def test_votes_are_heeded_by_whatever_has_targets(weight, mixup):
    assert _objective(weight, mixup).heeds_votes == (weight > 0 or mixup != "batch")


def test_mixtures_and_looks_at_embeddings_are_not_recorded():
    assert _objective().is_recordable(bounded=True)
    assert not _objective().is_recordable(bounded=False)
    assert not _objective(mixup=2.0).is_recordable(bounded=True)


def test_mixup_is_for_training_alone():
    points, codes = _batch()
    objective = _objective(mixup=2.0)
    plain = GaussianMetricLoss()(points, codes)
    assert objective.eval()(Embedded(points), codes) == plain
    torch.manual_seed(0)
    mixed = objective.train()(Embedded(points), codes)
    assert mixed != plain
    torch.manual_seed(0)
    assert objective(Embedded(points), codes) == mixed


def test_mixup_by_batch_is_of_pairs_of_one_class(monkeypatch):
    """Around the means of the mixtures; without such a pair the loss and its gradient are 0."""
    points = torch.randn(6, 2, requires_grad=True)
    labels = torch.tensor([0, 0, 1, 1, 2, 2])
    objective = _objective(mixup="batch").train()
    monkeypatch.setattr(torch, "randperm", lambda n, **_: torch.tensor([1, 0, 2, 4, 3, 5]))
    torch.manual_seed(0)
    value = objective(Embedded(points), labels)
    torch.manual_seed(0)
    share = torch.distributions.Beta(*points.new_tensor([2.0, 2.0])).sample((1,)).item()
    mixed, kept = mixup_within_classes(points, labels, torch.tensor([1, 0, 2, 4, 3, 5]), share)
    assert kept.tolist() == [0, 0, 1, 2]
    torch.testing.assert_close(value, GaussianMetricLoss()(mixed, kept))
    monkeypatch.setattr(torch, "randperm", lambda n, **_: torch.tensor([2, 3, 4, 5, 0, 1]))
    nothing = objective(Embedded(points), labels)
    assert nothing == 0
    assert not torch.autograd.grad(nothing, points)[0].any()


def test_votes_are_the_targets_of_the_posterior():
    """Around the means of the labels; once classes are split, the labels are."""
    points, codes = _batch()
    votes = torch.rand(30, 3, generator=torch.Generator().manual_seed(1)).double()
    votes /= votes.sum(1, keepdim=True)
    objective = _objective()
    expected = GaussianMetricLoss()(points, codes, queries=points, targets=votes)
    assert objective(Embedded(points), codes, votes) == expected
    is_pseudo = torch.zeros(30, dtype=torch.bool)
    assert objective(Embedded(points), codes, votes, is_pseudo) == expected
    objective.set_component_classes(np.array([0, 0, 1, 2]))
    assert objective(Embedded(points), codes, votes) == GaussianMetricLoss()(points, codes)
