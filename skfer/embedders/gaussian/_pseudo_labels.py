"""What is guessed of samples without a label while the network learns."""

from __future__ import annotations

import copy

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from skfer.embedders._labels import UNLABELED
from skfer.embedders.gaussian._mixture import class_posterior, likeliest_component
from skfer.losses import GaussianMetricLoss

HORIZON = 1 / 20
"""Over which fraction of the training the teacher's weights are averaged."""
INERTIA = 0.6
"""How much of what was believed in the last epoch stays."""

Codes = NDArray[np.intp]


def as_guess(codes: Codes) -> Codes:
    """Mark codes as guessed: -2 for class 0, and on downwards; -1 stays what is not known."""
    return np.where(codes < 0, UNLABELED, UNLABELED - 1 - codes)


def from_guess(labels: Tensor) -> Tensor:
    """Return the codes of guessed labels."""
    return UNLABELED - 1 - labels


class Teacher:
    """Guesses the labels of strangers, samples without one, by a network that changes slowly.

    Its weights are a moving average of the learning network's ("mean teacher"), and what it
    believes of each stranger is one over the epochs ("temporal ensembling"): a network in the
    middle of its training is sure of itself and wrong too often. The classes are taken to have the
    same shares among strangers as among the others ("distribution alignment").

    Parameters
    ----------
    module : EmbeddingNet
        The network that learns.
    codes : array of int of shape (n,)
        Class of each sample, -1 for strangers.
    n_classes : int
        Number of classes.
    n_steps : int
        How many steps the training will have.
    threshold : float
        From which posterior a guess is trained on.

    Attributes
    ----------
    classes : array of int of shape (n,)
        Class of each sample: its own, or the one that is guessed, or -1.
    module : nn.Module
        The network with averaged weights.

    References
    ----------
    .. [1] A. Tarvainen, H. Valpola, "Mean teachers are better role models", NeurIPS 2017.
    .. [2] S. Laine, T. Aila, "Temporal ensembling for semi-supervised learning", ICLR 2017.
    .. [3] D. Berthelot et al., "ReMixMatch", ICLR 2020.
    """

    def __init__(
        self, module: nn.Module, codes: Codes, n_classes: int, n_steps: int, threshold: float
    ) -> None:
        self._learner = module
        self.module = copy.deepcopy(module)
        self._pace = 1 / max(1.0, n_steps * HORIZON)
        self._strangers = codes < 0
        self._n_classes = n_classes
        self._threshold = threshold
        self._beliefs: NDArray[np.floating] = np.empty((0, n_classes))
        self.classes = codes.copy()

    @torch.no_grad()
    def follow(self) -> None:
        """Take a step after the learning network."""
        mine, theirs = _tensors(self.module), _tensors(self._learner)
        numbers = [(a, b) for a, b in zip(mine, theirs, strict=True) if a.is_floating_point()]
        torch._foreach_lerp_([a for a, _ in numbers], [b for _, b in numbers], self._pace)
        for a, b in zip(mine, theirs, strict=True):
            if not a.is_floating_point():
                a.copy_(b)  # counts and indices have no mean

    def guess(
        self,
        points: NDArray[np.float32],
        logits: NDArray[np.float32] | None,
        labels: Codes,
        owners: Codes,
        loss: GaussianMetricLoss,
    ) -> Codes:
        """Guess anew.

        Parameters
        ----------
        points : array of shape (n, n_features)
            Where the teacher's network puts the samples.
        logits : array of shape (n, n_classes) or None
            Its classifier's output, if it has one.
        labels : array of int of shape (n,)
            (Sub-)class of each sample with a label.
        owners : array of int of shape (n_subclasses,)
            Class of each sub-class.
        loss : GaussianMetricLoss
            Gives the posterior around the means of the samples with a label.

        Returns
        -------
        array of int of shape (n,)
            The labels; those of strangers are guesses of sub-classes (see :func:`as_guess`), or
            -1 where the teacher is not sure.
        """
        joint = self._joint(points, labels, owners, loss)
        posterior = class_posterior(joint, owners, self._n_classes)
        if logits is not None:
            scores = torch.from_numpy(logits[self._strangers])
            posterior = (posterior + scores.softmax(1).numpy()) / 2
        before = self._beliefs if len(self._beliefs) else posterior
        self._beliefs = INERTIA * before + (1 - INERTIA) * posterior
        aligned = self._aligned()
        sure = aligned.max(axis=1) > self._threshold
        found = np.where(sure, aligned.argmax(axis=1), UNLABELED)
        self.classes[self._strangers] = found
        parts = likeliest_component(joint, owners, found)
        guessed = labels.copy()
        guessed[self._strangers] = as_guess(np.where(sure, parts, UNLABELED))
        return guessed

    def _aligned(self) -> NDArray[np.floating]:
        """Return the beliefs, less in a class the more of it is believed than labels tell of.

        A class that is guessed too often is trained on too often, and guessed more often still.
        """
        known = np.bincount(self.classes[~self._strangers], minlength=self._n_classes)
        # With the labelled ones, or few strangers would each be taken for the mean.
        share = (self._beliefs.sum(axis=0) + known) / len(self.classes)
        weights = known / known.sum() / np.where(known > 0, share, 1)
        aligned = self._beliefs * weights
        return aligned / aligned.sum(axis=1, keepdims=True)

    def _joint(
        self, points: NDArray[np.float32], labels: Codes, owners: Codes, loss: GaussianMetricLoss
    ) -> NDArray[np.float64]:
        """Return log posteriors of sub-classes, to whose number a class owes nothing."""
        known = ~self._strangers
        logarithms = loss.log_posterior(
            torch.from_numpy(points[known]),
            torch.from_numpy(labels[known]),
            queries=torch.from_numpy(points[self._strangers]),
            n_classes=len(owners),
        )
        return logarithms.double().numpy() - np.log(np.bincount(owners)[owners])


def _tensors(module: nn.Module) -> list[Tensor]:
    return [*module.parameters(), *module.buffers()]
