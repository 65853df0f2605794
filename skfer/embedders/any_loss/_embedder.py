"""The embedder for any loss."""

import copy
from collections.abc import Mapping
from numbers import Real
from os import PathLike
from typing import Any, ClassVar

import torch.nn.functional as F
from sklearn.utils._param_validation import Interval, InvalidParameterError, StrOptions
from sklearn.utils.validation import check_is_fitted
from skorch.callbacks import Callback
from torch import Tensor

from skfer.embedders._classifier import ClassifierEmbedder
from skfer.embedders._directions import GAUSSIAN_SHARE_OF_MEAN
from skfer.embedders._docs import with_shared_docs
from skfer.embedders.any_loss._recipes import (
    MinedLoss,
    is_recipe,
    make_loss,
    make_miner,
    measures_angles,
    takes_votes,
)
from skfer.embedders.base import BaseEmbedder
from skfer.exceptions import EmbeddingCollapseWarning, warn_caller
from skfer.losses import GaussianMetricLoss
from skfer.nets import Embedded
from skfer.training import Objective, TrainingData
from skfer.validation import shown


@with_shared_docs
class MetricLossEmbedder(ClassifierEmbedder):
    """Embed faces by any metric loss, such as those of pytorch-metric-learning.

    The loss is what differs from the other embedders: network, batches, augmentation, schedule and
    the classification term beside it are the same. So a new loss is compared with the others on
    equal terms, and works in pipelines and searches, with early stopping and on GPUs.

    Parameters
    ----------
    loss : nn.Module, class or callable, default=GaussianMetricLoss
        What is minimized, called as ``loss(embeddings, labels)`` with labels from 0 to
        ``n_classes - 1``; it returns one number. One with an argument ``votes`` gets the votes that
        ``fit`` was given, as shares (n, n_classes). A module is copied for each ``fit``. A class is
        called in ``fit``, once the classes are known: parameters that are named ``n_classes`` or
        ``num_classes``, and ``embedding_dim``, ``embedding_size``, ``descriptors_dim`` or
        ``n_features``, get their values unless they are None by default; others, or other values,
        are given as `loss_params`. So is a function of which such a parameter is one of the first
        two, or has no default: it makes a loss. Any other function is a loss itself, and learns
        nothing: what a loss learns are the parameters of a module.
    miner : nn.Module, class or callable, default=None
        Chooses pairs or triplets of a batch: called as ``miner(embeddings, labels)``, it returns
        indices as the miners of pytorch-metric-learning do, in three tensors (anchor, positive,
        negative) or four (anchor, positive, anchor, negative). A loss with an argument
        ``indices_tuple`` or ``triplets`` gets them, and so does a module with ``**kwargs`` around a
        loss that has the former; any other loss gets the samples in them alone.
    loss_params : dict, default=None
        What a class or function is called with to make the loss.
    loss_lr : float, default=None
        Learning rate of the parameters that the loss has itself, such as proxies, which are not
        decayed. None means `lr`.
    unit_length : bool or "auto", default="auto"
        Whether embeddings are scaled to unit length, before `normalize_embedding` takes directions.
        "auto" does so where the loss does: where it is one of pytorch-metric-learning whose
        distance normalizes embeddings, as it does unless another distance is given.
    embedding_dim : int, default=128
        Length of the embedding.
    <shared parameters>

    Attributes
    ----------
    loss_ : nn.Module or callable
        The loss that was minimized, with what it has learned.
    <shared attributes>

    See Also
    --------
    BaseEmbedder : For a method that is more than a loss; see :ref:`own_embedder`.
    skfer.evaluation.make_methods : The best-known losses by name.

    Notes
    -----
    A search compares losses: ``GridSearchCV(pipeline, {"metriclossembedder__loss": [...]})``.

    :func:`skfer.save` keeps what a loss has learned, and its class by name. To load it, name the
    class as trusted: ``skfer.load(path, trusted=[ProxyAnchorLoss])``.

    When a training is resumed, by ``partial_fit`` or ``warm_start``, the loss stays, with all that
    it remembers. One that remembers batches, such as ``CrossBatchMemory``, remembers those of the
    samples that `early_stopping` sets aside too: it is better used without.

    :func:`skfer.save` takes a loss that was given as its class (with `loss_params`); most modules
    of pytorch-metric-learning hold methods and functions that no file without code can keep, and
    are refused: ``pickle`` takes them.

    Examples
    --------
    >>> from pytorch_metric_learning.losses import ProxyAnchorLoss
    >>> from skfer import MetricLossEmbedder
    >>> from skfer.datasets import make_expressions
    >>> faces = make_expressions(6, 1, image_size=16, random_state=0)
    >>> model = MetricLossEmbedder(
    ...     ProxyAnchorLoss, loss_params={"alpha": 16}, max_epochs=5, random_state=0
    ... )
    >>> model = model.fit(faces.images, faces.target)
    >>> tuple(model.loss_.proxies.shape)
    (8, 128)
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **BaseEmbedder._parameter_constraints,
        "loss": [callable],
        "miner": [callable, None],
        "loss_params": [Mapping, None],
        "loss_lr": [Interval(Real, 0, None, closed="left"), None],
        "unit_length": ["boolean", StrOptions({"auto"})],
    }

    network_parameters: ClassVar[tuple[str, ...]] = (
        *BaseEmbedder.network_parameters,
        "loss",
        "loss_params",
    )
    learns_from_triplets = False

    def __init__(
        self,
        loss: Any = GaussianMetricLoss,
        *,
        miner: Any = None,
        loss_params: Mapping[str, Any] | None = None,
        loss_lr: float | None = None,
        unit_length: bool | str = "auto",
        embedding_dim: int = 128,
        classification_weight: float = 1.0,
        standardize_embedding: bool = True,
        normalize_embedding: bool | str = "auto",
        backbone: Any = "auto",
        backbone_weights: Any = None,
        backbone_lr: float | None = None,
        freeze_backbone: bool | float = False,
        image_size: int | tuple[int, int] | None = None,
        color: bool = False,
        on_error: str = "raise",
        augment: Any = "auto",
        mirror: bool | str = "auto",
        label_noise: bool | float | str = False,
        max_epochs: int | str = "auto",
        classes_per_batch: int = 8,
        samples_per_class: int | str = "auto",
        lr: float = 6e-3,
        weight_decay: float = 1e-2,
        schedule: str = "auto",
        average_weights: float | str = "auto",
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 10,
        scoring: Any = None,
        device: str = "auto",
        precision: str = "auto",
        callbacks: list[Any] | None = None,
        checkpoint: str | PathLike[str] | None = None,
        warm_start: bool = False,
        verbose: int = 0,
        random_state: Any = None,
    ) -> None:
        super().__init__(
            embedding_dim=embedding_dim,
            classification_weight=classification_weight,
            standardize_embedding=standardize_embedding,
            normalize_embedding=normalize_embedding,
            backbone=backbone,
            backbone_weights=backbone_weights,
            backbone_lr=backbone_lr,
            freeze_backbone=freeze_backbone,
            image_size=image_size,
            color=color,
            on_error=on_error,
            augment=augment,
            mirror=mirror,
            label_noise=label_noise,
            max_epochs=max_epochs,
            classes_per_batch=classes_per_batch,
            samples_per_class=samples_per_class,
            lr=lr,
            weight_decay=weight_decay,
            schedule=schedule,
            average_weights=average_weights,
            early_stopping=early_stopping,
            validation_fraction=validation_fraction,
            n_iter_no_change=n_iter_no_change,
            scoring=scoring,
            device=device,
            precision=precision,
            callbacks=callbacks,
            checkpoint=checkpoint,
            warm_start=warm_start,
            verbose=verbose,
            random_state=random_state,
        )
        self.loss = loss
        self.miner = miner
        self.loss_params = loss_params
        self.loss_lr = loss_lr
        self.unit_length = unit_length

    @property
    def loss_(self) -> Any:
        """The loss that was minimized."""
        check_is_fitted(self)
        return self.net_.criterion_.metric_loss.loss

    # -- how it learns --------------------------------------------------------------------

    def _validate_params(self) -> None:
        if isinstance(self.loss, str):
            raise InvalidParameterError(
                "The 'loss' parameter of MetricLossEmbedder must be a loss, its class or a "
                f"function. Got {shown(self.loss)} instead, a name: the best-known losses are "
                "made by name with skfer.evaluation.make_methods (skfer.evaluation.LOSSES)."
            )
        super()._validate_params()

    def make_objective(self) -> Objective:
        """Return the loss with its miner, and cross-entropy."""
        loss = make_loss(
            self.loss,
            self.loss_params,
            n_classes=len(self.classes_),
            embedding_dim=self.embedding_dim,
        )
        unit = measures_angles(loss) if self.unit_length == "auto" else self.unit_length
        kind = UnitObjective if unit else MinedObjective
        mined = MinedLoss(loss, make_miner(self.miner), is_made=is_recipe(self.loss))
        return kind(mined, self.classification_weight)

    def make_callbacks(self, data: TrainingData) -> list[Callback]:
        """Return what warns of a training in which there was nothing to learn."""
        alone = not (self.classification_weight or data.partial)
        return [*super().make_callbacks(data), *([WarnOfNoLoss()] if alone else [])]

    def parameter_groups(self) -> list[tuple[str, dict[str, Any]]]:
        """Return the settings of the backbone and of what the loss learns."""
        learned = {"lr": self.lr if self.loss_lr is None else self.loss_lr, "weight_decay": 0.0}
        return [*super().parameter_groups(), ("metric_loss.*", learned)]


class WarnOfNoLoss(Callback):
    """Warns at the end of a training whose loss was always 0."""

    only_watches = True

    def on_train_end(self, net: Any, **kwargs: Any) -> None:
        """Look at the history."""
        if net.history and not any(epoch["train_loss"] for epoch in net.history):
            warn_caller(
                "MetricLossEmbedder did not learn: the loss was 0 in every batch, as it is where "
                "no batch has what it compares, such as two faces of one class. Try this: more "
                "faces of each class (samples_per_class), another miner, or a classification term "
                "(classification_weight).",
                EmbeddingCollapseWarning,
            )


class MinedObjective(Objective):
    """A loss with its miner, and cross-entropy."""

    @property
    def heeds_votes(self) -> bool:
        """Whether votes change anything: in cross-entropy, or in a loss that has the argument."""
        return bool(self.classification_weight) or takes_votes(self.metric_loss.loss)

    def share_of_mean(self) -> float:
        """Return that of the Gaussian embedder of its loss, and 1 of others."""
        is_gaussian = isinstance(self.metric_loss.loss, GaussianMetricLoss)
        return GAUSSIAN_SHARE_OF_MEAN if is_gaussian else super().share_of_mean()

    def copy_learned(self, other: Objective) -> None:
        """Take over a copy of the loss and its miner: they may remember more than parameters."""
        self.metric_loss = copy.deepcopy(other.metric_loss)

    def metric_of_votes(self, output: Embedded, labels: Tensor, votes: Tensor) -> Tensor:
        """Return the loss, which is told of votes if it has an argument of this name."""
        return self.metric_loss(output.embedding, labels, votes)


class UnitObjective(MinedObjective):
    """A loss of angles: features are of unit length, and so are those that a mean is taken of.

    A proxy, which ``features_of`` places among them, has no length.
    """

    def features(self, embedding: Tensor) -> Tensor:
        """Return the embeddings, scaled to unit length."""
        return F.normalize(embedding)
