"""How batches are drawn and when a training stops."""

import numpy as np

from helpers.odd import Call
from skfer.training import (
    AverageWeights,
    BalancedBatchSampler,
    ShuffledBatchSampler,
    StopAtBest,
    SubsetSampler,
    find_schedule,
    multiplies_bfloat16,
)

CODES = np.array([0, 1, 0, 1, 2, 2, -1, -1])


def drawn_by(sampler, /, **valid):
    """Return a call that makes a sampler and draws a pass."""
    return Call(lambda **arguments: list(sampler(**arguments)), sampler, **valid)


CALLS = {
    "AverageWeights": Call(lambda skip: AverageWeights(skip).skip, AverageWeights, skip=2),
    "BalancedBatchSampler": drawn_by(
        BalancedBatchSampler,
        labels=CODES,
        classes_per_batch=2,
        samples_per_class=2,
        seed=0,
        n_unlabeled=1,
    ),
    "ShuffledBatchSampler": drawn_by(ShuffledBatchSampler, n_samples=9, batch_size=4, seed=0),
    "SubsetSampler": drawn_by(
        SubsetSampler, sampler=ShuffledBatchSampler(3, batch_size=2, seed=0), subset=np.arange(3)
    ),
    "StopAtBest": Call(lambda patience: StopAtBest(patience).patience, StopAtBest, patience=3),
    "find_schedule": Call(find_schedule, name="auto", may_stop=False),
    "multiplies_bfloat16": Call(multiplies_bfloat16, device="cpu"),
}
# What a training is made of inside: an embedder's own hooks get these, and hand them on.
ELSEWHERE = {
    "Batches",
    "Checkpoint",
    "ImageSource",
    "MetricNet",
    "Objective",
    "PictureSource",
    "RowSource",
    "SamplePart",
    "StopTraining",
    "TrainingBar",
    "TrainingData",
    "World",
    "autocast",
    "find_world",
    "on_cpu",
    "one_at_a_time",
    "plain_modes",
    "release_pages",
    "restart_stopping",
    "run_network",
    "seeded",
    "spread",
}
