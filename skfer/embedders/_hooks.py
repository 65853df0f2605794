"""The hooks of embedders: what a method says of itself, and what it may override."""

from abc import ABCMeta, abstractmethod
from typing import Any, ClassVar

import numpy as np
from skorch.callbacks import Callback

from skfer._typing import NDArray
from skfer.embedders._network import channels_first, make_augment
from skfer.embedders._transformer import NetworkTransformer
from skfer.embedders.fitting._budget import batch_samples
from skfer.nets import EmbeddingNet, make_backbone, try_backbone
from skfer.training import BalancedBatchSampler, Objective, TrainingData


class MethodHooks(NetworkTransformer, metaclass=ABCMeta):
    """What `BaseEmbedder` asks a method, in its default form."""

    classes_: NDArray[Any]

    accepts_unlabeled: ClassVar[bool] = False
    """Whether y may mark samples without a label, by -1 or NaN; their codes are -1 then."""
    learns_from_triplets: ClassVar[bool] = True
    """Whether the loss needs triplets: then one that stays active everywhere is a collapse."""
    network_parameters: ClassVar[tuple[str, ...]] = (
        "embedding_dim",
        "standardize_embedding",
        "backbone",
        "backbone_weights",
        "mirror",
    )
    """Parameters that the network is built from, which cannot change when training resumes."""

    @abstractmethod
    def make_objective(self) -> Objective:
        """Return what is minimized.

        Called before each training; ``classes_`` and ``input_shape_`` are set. When training
        resumes, the parameters that the former objective has learned are copied into this one, and
        the buffers of its metric loss that have changed in training.

        Returns
        -------
        Objective
            The losses and their weights.
        """

    def check_params(self) -> None:
        """Raise ValueError for parameters that do not go together; called before all else."""

    def make_network(self) -> EmbeddingNet:
        """Return a fresh network for the inputs and classes that ``fit`` has seen.

        Returns
        -------
        EmbeddingNet
            With a classifier if `classification_weight` is above 0.
        """
        shape = channels_first(self.input_shape_)
        backbone = make_backbone(self.backbone, shape, self.backbone_weights)
        features, channels_last = try_backbone(backbone, shape)
        return EmbeddingNet(
            backbone,
            features,
            self.embedding_dim,
            n_classes=len(self.classes_) if self._has_classifier() else None,
            attention=self.choose_attention(features),
            augment=make_augment(self.augment, self.input_shape_),
            standardize_embedding=self.standardize_embedding,
            channels_last=channels_last,
            mirror=self.mirror_,
        )

    def choose_attention(self, feature_shape: tuple[int, ...]) -> str | None:
        """Return which attention pools the features of the backbone.

        Parameters
        ----------
        feature_shape : tuple of int
            (channels, height, width) of a feature map, or (channels,) of rows.

        Returns
        -------
        {"pixel", "element", "both"} or None
            As :class:`~skfer.nets.EmbeddingNet` takes it.
        """
        return None

    def parameter_groups(self) -> list[tuple[str, dict[str, Any]]]:
        """Return the settings of parameters that are not optimized like the others.

        Returns
        -------
        list of (str, dict)
            Patterns of parameter names, such as ``"backbone.*"`` or ``"metric_loss.centers"``, and
            the arguments of AdamW for them.
        """
        return [] if self.backbone_lr is None else [("backbone.*", {"lr": self.backbone_lr})]

    def make_sampler(self, codes: NDArray[np.intp], seed: int) -> Any:
        """Return the sampler of the batches.

        Parameters
        ----------
        codes : array of int of shape (n_train,)
            Class codes of the samples to draw from.
        seed : int
            Fixes what is drawn.

        Returns
        -------
        sampler
            Iterates over the index arrays of one epoch, has a length, and a method ``covering``
            that returns batches in which each sample occurs, for validation.
        """
        n_each = self.batch_samples(codes)
        return BalancedBatchSampler(codes, self.classes_per_batch, n_each, seed)

    def batch_samples(self, codes: NDArray[np.intp]) -> int:
        """Return how many samples of a class are to be in a batch.

        Parameters
        ----------
        codes : array of int of shape (n_train,)
            Class codes of the samples to draw from.

        Returns
        -------
        int
            What `samples_per_class` stands for.
        """
        return batch_samples(self.samples_per_class, self.classes_per_batch, codes)

    def prepare_training(self, data: TrainingData) -> NDArray[np.intp]:
        """Set what a training starts from, once ``net_`` is there; return the labels to train on.

        Parameters
        ----------
        data : TrainingData
            The samples.

        Returns
        -------
        array of int of shape (n,)
            The labels that the objective gets; by default the class codes.
        """
        return data.codes

    def make_callbacks(self, data: TrainingData) -> list[Callback]:
        """Return skorch callbacks that watch and change one training, such as a schedule.

        Parameters
        ----------
        data : TrainingData
            The samples.

        Returns
        -------
        list of skorch.callbacks.Callback
            They are dropped after the training.
        """
        return []

    def keep_samples(self, rows: NDArray[np.intp]) -> None:
        """Reduce attributes with a value for each training sample to some of the samples.

        Called before :meth:`finish_training` where `scoring` has it learn from part of them.

        Parameters
        ----------
        rows : array of int
            Which samples stay. The attributes are replaced, not changed in place.
        """

    def finish_training(self, data: TrainingData) -> None:
        """Set the attributes that follow from the trained ``net_``.

        Parameters
        ----------
        data : TrainingData
            The samples.
        """

    def collapse_advice(self) -> list[str]:
        """Return what a user may try against a collapse.

        Returns
        -------
        list of str
            One try each, as in "train longer (max_epochs)".
        """
        advice = [] if self.standardize_embedding else ["set standardize_embedding=True"]
        advice += ["train longer (max_epochs)", "lower the learning rate (lr)"]
        if not self._has_classifier():
            advice.append("add a classification term (classification_weight)")
        return advice

    def _has_classifier(self) -> bool:
        return self.classification_weight > 0
