"""Pseudo-labels: which class samples without a label seem to have while the network learns."""

import copy
from typing import Any

import numpy as np
import torch
from skorch.callbacks import Callback
from torch import Tensor, nn

from skfer._typing import NDArray
from skfer.embedders.gaussian._mixture import (
    Codes,
    Components,
    class_posterior,
    likeliest_component,
)
from skfer.losses import GaussianMetricLoss
from skfer.validation import UNLABELED

HORIZON = 1 / 20
"""Over which fraction of the training the weights of the network are averaged."""
INERTIA = 0.6
"""How much of the soft pseudo-labels of the last epoch is kept."""


class PseudoLabeler:
    """Gives pseudo-labels to samples without a label, anew in every epoch.

    The soft pseudo-labels, posteriors of the classes, are averaged over the epochs ("temporal
    ensembling" [1]_), since in the middle of its training a network is sure and wrong too often.
    They are weighted so that the classes have the shares that they have among the labels
    ("distribution alignment" [2]_).

    Parameters
    ----------
    codes : array of int of shape (n,)
        Class of each sample, -1 for those without a label.
    n_classes : int
        Number of classes.
    threshold : float
        Above which posterior a class becomes a pseudo-label.

    Attributes
    ----------
    classes : array of int of shape (n,)
        Class of each sample: its own, or its pseudo-label, or -1.
    soft_labels : array of shape (n_unlabeled, n_classes)
        Averaged posteriors of the samples without a label.

    References
    ----------
    .. [1] S. Laine, T. Aila, "Temporal ensembling for semi-supervised learning", ICLR 2017.
    .. [2] D. Berthelot et al., "ReMixMatch: semi-supervised learning with distribution matching and
       augmentation anchoring", ICLR 2020.
    """

    def __init__(self, codes: Codes, n_classes: int, threshold: float) -> None:
        self._is_unlabeled = codes < 0
        self._n_classes = n_classes
        self._threshold = threshold
        self.soft_labels: NDArray[np.floating] = np.empty((0, n_classes))
        self.classes = codes.copy()

    def update(
        self,
        points: NDArray[np.float32],
        logits: NDArray[np.float32] | None,
        components: Components,
        loss: GaussianMetricLoss,
    ) -> tuple[Codes, NDArray[np.bool_]]:
        """Give new pseudo-labels.

        Parameters
        ----------
        points : array of shape (n, n_features)
            Embeddings of the samples.
        logits : array of shape (n, n_classes) or None
            Output of the classifier, if there is one.
        components : Components
            Component of each labeled sample, and class of each component.
        loss : GaussianMetricLoss
            Gives the posterior around the means of the labeled samples.

        Returns
        -------
        labels : array of int of shape (n,)
            Components: those of the labeled samples, and pseudo-labels, or -1 where no class is
            sure.
        is_pseudo : array of bool of shape (n,)
            Where they are pseudo-labels.
        """
        joint = self._log_posterior(points, components, loss)
        posterior = class_posterior(joint, components.classes, self._n_classes)
        if logits is not None:
            scores = torch.from_numpy(logits[self._is_unlabeled])
            posterior = (posterior + scores.softmax(1).numpy()) / 2
        before = self.soft_labels if len(self.soft_labels) else posterior
        self.soft_labels = INERTIA * before + (1 - INERTIA) * posterior
        aligned = self.aligned()
        sure = aligned.max(axis=1) > self._threshold
        classes = np.where(sure, aligned.argmax(axis=1), UNLABELED)
        self.classes[self._is_unlabeled] = classes
        labels = components.labels.copy()
        found = likeliest_component(joint, components.classes, classes)
        labels[self._is_unlabeled] = np.where(sure, found, UNLABELED)
        is_pseudo = np.zeros(len(labels), dtype=bool)
        is_pseudo[self._is_unlabeled] = sure
        return labels, is_pseudo

    def state_dict(self) -> dict[str, Any]:
        """Return the pseudo-labels so far."""
        return {"classes": self.classes, "soft_labels": self.soft_labels}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where another training was."""
        self.classes, self.soft_labels = state["classes"].numpy(), state["soft_labels"].numpy()

    def aligned(self) -> NDArray[np.floating]:
        """Return the soft pseudo-labels, less of a class that they have more of than the labels do.

        Otherwise, a class that is chosen too often would be trained on too often, and chosen more
        often still.

        Returns
        -------
        array of shape (n_unlabeled, n_classes)
            Rows sum to 1.
        """
        counts = np.bincount(self.classes[~self._is_unlabeled], minlength=self._n_classes)
        # The labeled samples count too: a few unlabeled ones alone would each be drawn to the mean.
        share = (self.soft_labels.sum(axis=0) + counts) / len(self.classes)
        weights = counts / counts.sum() / np.where(counts > 0, share, 1)
        aligned = self.soft_labels * weights
        return aligned / aligned.sum(axis=1, keepdims=True)

    def _log_posterior(
        self, points: NDArray[np.float32], components: Components, loss: GaussianMetricLoss
    ) -> NDArray[np.float64]:
        """Return log posteriors of components; more of them make a class no more probable."""
        labels, classes = components
        is_labeled = ~self._is_unlabeled
        logarithms = loss.log_posterior(
            torch.from_numpy(points[is_labeled]),
            torch.from_numpy(labels[is_labeled]),
            queries=torch.from_numpy(points[self._is_unlabeled]),
            n_classes=len(classes),
        )
        return logarithms.double().numpy() - np.log(np.bincount(classes)[classes])


class WeightAverage(Callback):
    """Keeps a network whose weights are a moving average of those in training ("mean teacher").

    Attributes
    ----------
    module : nn.Module
        The network with averaged weights; None outside a training.

    References
    ----------
    .. [1] A. Tarvainen, H. Valpola, "Mean teachers are better role models: weight-averaged
       consistency targets improve semi-supervised deep learning results", NeurIPS 2017.
    """

    module: nn.Module | None = None

    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
        """Start from the present weights."""
        self.module = copy.deepcopy(net.module_)
        self._pace = 1 / max(1.0, net.n_steps * HORIZON)

    @torch.no_grad()
    def on_batch_end(self, net: Any, training: bool = False, **kwargs: Any) -> None:
        """Follow the weights after a step."""
        if not training:
            return
        averages, weights = _tensors(self.module), _tensors(net.module_)
        pairs = [(a, w) for a, w in zip(averages, weights, strict=True) if a.is_floating_point()]
        torch._foreach_lerp_([a for a, _ in pairs], [w for _, w in pairs], self._pace)
        for average, weight in zip(averages, weights, strict=True):
            if not average.is_floating_point():
                average.copy_(weight)  # counts and indices have no mean

    def state_dict(self) -> dict[str, Any]:
        """Return the averaged weights."""
        return {"tensors": [] if self.module is None else _tensors(self.module)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Set the averaged weights."""
        with torch.no_grad():
            for average, kept in zip(_tensors(self.module), state["tensors"], strict=False):
                average.copy_(kept)

    def on_train_end(self, net: Any, **kwargs: Any) -> None:
        """Let go of the network."""
        self.module = None


def _tensors(module: Any) -> list[Tensor]:
    return [*module.parameters(), *module.buffers()]
