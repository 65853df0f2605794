"""What changes between the epochs of a training: sub-classes and pseudo-labels."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from skorch.callbacks import Callback
from torch import nn

from skfer._typing import NDArray
from skfer.embedders.fitting._features import pooled_features
from skfer.embedders.gaussian._mixture import Codes, Components
from skfer.embedders.gaussian._pseudo_labels import PseudoLabeler, WeightAverage
from skfer.embedders.gaussian._subclasses import SubclassFinder, keep_labeled
from skfer.training import (
    Batches,
    Source,
    TrainingData,
    restart_stopping,
    run_network,
)

FIRST_ROUND = 1 / 3
"""The fraction of the training after which classes are split and pseudo-labels given for the first
time; before, the network knows too little."""
MAX_ROUNDS = 20


def split_rounds(epochs: int) -> set[int]:
    """Return the epochs before which classes are split, in equal steps."""
    first = int(FIRST_ROUND * epochs)
    step = -(-(epochs - first) // MAX_ROUNDS)
    return set(range(first, epochs, step))


@dataclass(eq=False)
class Refinement(Callback):
    """Changes the labels that are trained on between epochs.

    Before some epochs classes are split anew, and before each of the later ones samples without a
    label get pseudo-labels.

    Attributes
    ----------
    data : TrainingData
        The samples.
    components : Components
        What the training starts with, and later the latest ones.
    epochs : int
        Length of the training.
    make_sampler : callable
        Takes labels and returns a sampler of the samples that are trained on.
    set_components : callable
        Is told the components whenever they change.
    random_state : RandomState
        For the search for sub-classes.
    finder : SubclassFinder, optional
        Splits classes, if they are to be split.
    labeler : PseudoLabeler, optional
        Gives pseudo-labels, if samples without a label are to be used.
    average : WeightAverage, optional
        Holds the network whose embeddings the labeler gets: where there is one there is the other.
    """

    data: TrainingData
    components: Components
    epochs: int
    make_sampler: Callable[[Codes], Any]
    set_components: Callable[[Components], None]
    random_state: np.random.RandomState
    finder: SubclassFinder | None = None
    labeler: PseudoLabeler | None = None
    average: WeightAverage | None = None
    in_start: bool = False
    """Whether sub-classes are those that the network shows before it is trained."""
    epoch: int = 0
    """Number of epochs that are over."""

    def on_epoch_begin(
        self,
        net: Any,
        dataset_train: Batches | None = None,
        dataset_valid: Batches | None = None,
        **kwargs: Any,
    ) -> None:
        """Change the labels of the epoch to come."""
        if self.finder is not None and self.epoch in self._rounds():
            self._split_classes(self.finder, net, dataset_train, dataset_valid)
        if self.labeler is not None and self.average is not None:
            self._give_pseudo_labels(self.labeler, self.average.module, net, dataset_train)
        self.epoch += 1

    def state_dict(self) -> dict[str, Any]:
        """Return the (sub-)classes and pseudo-labels so far."""
        labeler = None if self.labeler is None else self.labeler.state_dict()
        return {"components": [*self.components], "epoch": self.epoch, "labeler": labeler}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where another training was; batches and network are set by themselves."""
        labels, classes = state["components"]
        self.components = Components(labels.numpy(), classes.numpy())
        self.set_components(self.components)
        self.epoch = state["epoch"]
        if self.labeler is not None:
            self.labeler.load_state_dict(state["labeler"])

    def _rounds(self) -> set[int]:
        return {0} if self.in_start else split_rounds(self.epochs)

    def _split_classes(
        self, finder: SubclassFinder, net: Any, batches: Any, validation: Any
    ) -> None:
        """Look for sub-classes among the samples with a label or a pseudo-label."""
        codes = self.data.codes
        if self.in_start:
            features = pooled_features(net, self.data.source)
            found = finder.find_in_start(features, codes, self.random_state)
        else:
            classes = codes if self.labeler is None else self.labeler.classes
            points, _ = network_arrays(net, self.data.source)
            found = finder.find(
                points,
                np.where(codes < 0, classes, codes),
                self.random_state,
                n_present=np.bincount(self.components.classes),
            )
        found = keep_labeled(found, codes)
        if not np.array_equal(found.classes, self.components.classes):
            restart_stopping(net)
        self.components = found
        self.set_components(found)
        batches.sampler = self.make_sampler(found.labels)
        batches.relabel(found.labels)
        if validation is not None:
            validation.relabel(found.labels)

    def _give_pseudo_labels(
        self, labeler: PseudoLabeler, average: nn.Module | None, net: Any, batches: Any
    ) -> None:
        """Label unlabeled samples, and draw those into the batches whose class is sure."""
        is_pseudo = np.zeros(len(self.data.codes), dtype=bool)
        first = max(1, int(FIRST_ROUND * self.epochs))
        if self.epoch == first:
            restart_stopping(net)
        if self.epoch >= first:
            points, logits = network_arrays(net, self.data.source, average)
            if not net.criterion_.classification_weight:
                logits = None  # of a classifier that is not trained any more
            labels, is_pseudo = labeler.update(
                points, logits, self.components, net.criterion_.metric_loss
            )
            batches.relabel(labels, is_pseudo)
        batches.sampler.set_unlabeled(np.flatnonzero(is_pseudo))


def network_arrays(
    net: Any, source: Source, network: nn.Module | None = None
) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
    """Return the embeddings of a source, and the logits if there is a classifier.

    Parameters
    ----------
    net : MetricNet
        Its device and precision are used.
    source : ImageSource or RowSource
        The inputs.
    network : EmbeddingNet, optional
        The network to run, by default that of `net`.
    """
    network = net.module_ if network is None else network
    points, logits = np.empty((0, 0), np.float32), None
    for rows, output in run_network(network, source, net.device, net.precision):
        if rows.start == 0:
            points = np.empty((len(source), output.embedding.shape[1]), np.float32)
            if output.logits is not None:
                logits = np.empty((len(source), output.logits.shape[1]), np.float32)
        points[rows] = output.embedding.cpu()
        if logits is not None and output.logits is not None:
            logits[rows] = output.logits.cpu()
    return points, logits
