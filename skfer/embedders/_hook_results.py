"""Checks what the hooks of an embedder return, which a user may override."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from skorch.callbacks import Callback

from skfer._typing import NDArray
from skfer.exceptions import ArgumentError
from skfer.nets import EmbeddingNet
from skfer.nets.making import refuse_batch_statistics
from skfer.training import Objective, SubsetSampler, TrainingData
from skfer.validation import shown


def checked_network(network: Any) -> EmbeddingNet:
    """Return what ``make_network`` returned, to be trained; a fitted one is taken as it is."""
    if not isinstance(network, EmbeddingNet):
        raise ArgumentError(
            "make_network returned {}: return a skfer.nets.EmbeddingNet, such as "
            "super().make_network().",
            shown(network),
        )
    refuse_batch_statistics(network)
    return network


def checked_objective(objective: Any) -> Objective:
    """Return what ``make_objective`` returned, as it is before any training."""
    if not isinstance(objective, Objective):
        raise ArgumentError(
            "make_objective returned {}: return a skfer.training.Objective, such as "
            "Objective(loss, self.classification_weight).",
            shown(objective),
        )
    objective._note_start()
    return objective


def checked_labels(labels: Any, data: TrainingData) -> NDArray[np.intp]:
    """Return what ``prepare_training`` returned, a label for each sample."""
    if np.shape(labels) != data.codes.shape:
        raise ArgumentError(
            "prepare_training returned {}: return an array of {} labels, one of each sample, such "
            "as data.codes.",
            shown(labels),
            len(data.codes),
        )
    return labels


def checked_list(callbacks: Any) -> list[Callback]:
    """Return what ``make_callbacks`` returned."""
    several = list(callbacks) if isinstance(callbacks, Iterable) else [None]
    if not all(isinstance(callback, Callback) for callback in several):
        raise ArgumentError(
            "make_callbacks returned {}: return a list of callbacks of skorch, made and without "
            "names; an empty one for none.",
            shown(callbacks),
        )
    return several


def checked_sampler(sampler: Any) -> Any:
    """Return what ``make_sampler`` returned."""
    if hasattr(sampler, "__len__") and not len(sampler):
        raise ArgumentError(
            "make_sampler returned {}, which has a length of 0: a pass needs a batch at least.",
            shown(sampler),
        )
    return sampler


def covering_batches(sampler: SubsetSampler) -> list[NDArray[np.intp]]:
    """Return batches, to validate on, of a sampler over what ``make_sampler`` returned."""
    if not callable(getattr(sampler.sampler, "covering", None)):
        raise ArgumentError(
            "make_sampler returned {}, which has no method covering: early_stopping validates on "
            "its batches. Let it return a list of index arrays in which each sample occurs, as "
            "that of skfer.training.BalancedBatchSampler does.",
            shown(sampler.sampler),
        )
    return sampler.covering()
