"""Whatever is public refuses odd arguments by name."""

import pytest
import torch
from helpers.arguments import Case

import skfer.losses
from skfer.losses import (
    GaussianMetricLoss,
    MultiThresholdTripletLoss,
    TripletCenterLoss,
    max_threshold,
    mixup,
    mixup_within_classes,
    negative_indices,
    normalize_slices,
    slice_thresholds,
    triplet_hinges,
)

F = torch.randn(6, 4, generator=torch.Generator().manual_seed(0))
Y = torch.arange(6) % 3
ONEHOT = torch.eye(3)[Y]
BATCH = {"embeddings": F, "labels": Y}
TRIPLETS = dict.fromkeys(("anchors", "positives", "negatives"), F)
CHOICE = {"negatives": "prediction", "synthesis_fraction": 0.5, "synthesis_size": 2}
COMPANIONS = {"logits": ONEHOT, "attention": F.sigmoid()}
CENTER = TripletCenterLoss(3, 4, negatives="prediction")

CASES = {
    "GaussianMetricLoss": Case(
        GaussianMetricLoss,
        {"sigma": 1.0, "relative_sigma": True},
        sigma="2.5",
        relative_sigma="True",
    ),
    "GaussianMetricLoss.forward": Case(
        GaussianMetricLoss().forward,
        {**BATCH, "queries": F, "targets": ONEHOT, "n_classes": 3},
        queries="None",
        targets="",
        n_classes="None",
    ),
    "GaussianMetricLoss.log_posterior": Case(
        GaussianMetricLoss().log_posterior,
        {**BATCH, "queries": F, "n_classes": 3},
        queries="None",
        n_classes="None",
    ),
    "MultiThresholdTripletLoss": Case(
        MultiThresholdTripletLoss,
        {"thresholds": [0.5, 1.0], "dual": True, "mining": "batch-all"},
        dual="True",
    ),
    "MultiThresholdTripletLoss.forward": Case(
        MultiThresholdTripletLoss([0.5, 1.0]).forward,
        {**BATCH, "triplets": (Y, Y, Y), "votes": ONEHOT},
        votes="None",
        triplets="None",
    ),
    "TripletCenterLoss": Case(
        TripletCenterLoss,
        {"n_classes": 3, "embedding_dim": 4, "margin": 0.5, **CHOICE},
        margin="0 2.5",
        synthesis_fraction="0",
    ),
    "TripletCenterLoss.forward": Case(
        CENTER.forward,
        {**BATCH, **COMPANIONS, "weights": F[:, 0].sigmoid()},
        attention="None",
        weights="None",
    ),
    "TripletCenterLoss.set_centers": Case(CENTER.set_centers, BATCH),
    "max_threshold": Case(max_threshold, {"n_classes": 3}),
    "mixup": Case(
        mixup,
        {"embeddings": F, "targets": ONEHOT, "partners": Y, "shares": F[:, 0].sigmoid()},
    ),
    "mixup_within_classes": Case(
        mixup_within_classes, {**BATCH, "partners": Y, "share": 0.5}, share="0"
    ),
    "negative_indices": Case(
        negative_indices,
        {"centers": F[:3], **BATCH, **CHOICE, **COMPANIONS},
        synthesis_fraction="0",
        attention="None",
    ),
    "normalize_slices": Case(normalize_slices, {"embeddings": F, "n_slices": 2}),
    "slice_thresholds": Case(slice_thresholds, {"low": 0.5, "high": 1.0, "n": 4}, high="2.5"),
    "triplet_hinges": Case(
        triplet_hinges,
        {**TRIPLETS, "margin": 0.5, "dual": True},
        margin="-1 0 2.5",
        dual="True",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_odd_arguments_are_refused_by_name(name):
    case = CASES[name]
    assert case.covers()
    faults = [fault for argument in case.valid for fault in case.faults(argument)]
    assert not faults, "\n".join(faults)


def test_all_that_is_public_is_tried():
    assert {name.partition(".")[0] for name in CASES} == set(skfer.losses.__all__)
