"""The triplet-center embedder."""

import copy
from collections.abc import Mapping
from numbers import Integral, Real
from os import PathLike
from typing import Any, ClassVar, Self

import numpy as np
import torch
import torch.nn.functional as F
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from skfer._typing import NDArray
from skfer.embedders._classifier import ClassifierEmbedder
from skfer.embedders._docs import with_shared_docs
from skfer.embedders.base import BaseEmbedder
from skfer.embedders.state._snapshots import on_snapshot
from skfer.exceptions import ArgumentError
from skfer.losses import TripletCenterLoss
from skfer.nets import Embedded
from skfer.training import (
    BalancedBatchSampler,
    MetricNet,
    Objective,
    ShuffledBatchSampler,
    TrainingData,
    autocast,
)
from skfer.validation import shown

NEGATIVES = {"nearest", "fully-synthesized", "semi-synthesized", "prediction"}
MAX_FIRST_SAMPLES = 1024
"""About how many samples the centers start from at most."""


@with_shared_docs
class TripletCenterEmbedder(ClassifierEmbedder):
    """Embed faces by learned class centers, and predict their expressions.

    Every class has a learned center. Each sample is pulled toward the center of its class and
    pushed away from a negative point made of the other centers, with a cross-entropy loss beside
    it; attention weighs the pixels and the coordinates [1]_.

    Parameters
    ----------
    embedding_dim : int, default=128
        Length of the embedding.
    negatives : {"nearest", "fully-synthesized", "semi-synthesized", "prediction"}, \
            default="fully-synthesized"
        The negative point of a sample: the nearest center of another class; a point made of
        pieces, each from the center that is nearest there; such a point in some pieces and the
        nearest center in the others; or the center of the most probable other class.
    synthesis_fraction : float, default=0.5
        Share of the pieces that ``"semi-synthesized"`` synthesizes.
    synthesis_size : int, default=8
        How many coordinates a piece has. With 1, as one may read [1]_, the negative point is so
        close to every sample that hardly one keeps the margin. An embedding of no more coordinates
        is one piece, whose negatives are the nearest centers. (The loss alone has 1 by default.)
    margin : float, default=0.5
        By how much farther away the negative point has to be than the center of the sample's
        class, in mean squared difference per coordinate. The mean makes it independent of
        `embedding_dim`: coordinates have variance 1, so two random samples are 2 apart.
    center_weight : float, default=1.0
        Weight of the center term beside cross-entropy (the paper's lambda). As the term is a
        mean over coordinates and samples, it means the same at any `embedding_dim`.
    center_lr : float, default=0.003
        Largest learning rate of the centers, which follow the same schedule as `lr` and are
        not decayed.
    attention : {"both", "pixel", "element"} or None, default="both"
        "pixel" weighs the pixels of the last feature map in pooling, "element" the coordinates
        in distances to centers. For rows, and backbones without a map, "both" is "element".
    class_weight : "balanced", dict or None, default=None
        Weights of the classes in cross-entropy: a dict from labels to positive weights, or
        inversely proportional to the frequencies in y. With balanced batches, rare classes
        are then favored twice.
    sampling : {"balanced", "random"}, default="balanced"
        Whether all classes have an equal share of each batch, or all samples the same
        probability. Batches are equally large.
    <shared parameters>

    Attributes
    ----------
    centers_ : ndarray of shape (n_classes, embedding_dim)
        The center of each class, float32, in the space of ``transform``.
    <shared attributes>

    See Also
    --------
    skfer.losses.TripletCenterLoss : The center term alone.
    skfer.nets.SelectiveAttention : The attention alone.

    Notes
    -----
    The centers start at the class means of the embeddings of a first batch, before any
    training. `classification_weight` must be above 0 here, since the classifier predicts.

    Balanced batches, the default, help rare classes; ``python -m benchmarks.accuracy --suite
    balancing`` compares them with class weights, with both and with neither.

    Where classes overlap in most coordinates, a synthesized negative is nearer than the sample's
    own center, and the loss is smallest when all centers coincide: centers that learn fast then
    collapse. Hence the low `center_lr`; ``"nearest"`` tolerates ten times as much.

    Our reading of [1]_: the forms of both attentions, the pieces of synthesized negatives and the
    choice of those of ``"semi-synthesized"``, as in the two classes above; that the centers get
    gradients from both distances; and that class weights act on cross-entropy alone.

    References
    ----------
    .. [1] H. Rajoli et al., "Triplet loss-less center loss sampling strategies in facial expression
       recognition scenarios", CISS 2023. https://arxiv.org/abs/2302.04108

    Examples
    --------
    >>> from skfer import TripletCenterEmbedder
    >>> from skfer.datasets import make_expressions
    >>> faces = make_expressions(6, 1, image_size=16, random_state=0)
    >>> model = TripletCenterEmbedder(max_epochs=5, random_state=0)
    >>> model = model.fit(faces.images, faces.target)
    >>> model.transform(faces.images).shape, model.centers_.shape
    ((48, 128), (8, 128))
    >>> pixel_maps, element_weights = model.attention_maps(faces.images[:2])
    >>> pixel_maps.shape
    (2, 16, 16)
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **BaseEmbedder._parameter_constraints,
        "negatives": [StrOptions(NEGATIVES)],
        "synthesis_fraction": [Interval(Real, 0, 1, closed="both")],
        "synthesis_size": [Interval(Integral, 1, None, closed="left")],
        "margin": [Interval(Real, 0, None, closed="left")],
        "center_weight": [Interval(Real, 0, None, closed="left")],
        "center_lr": [Interval(Real, 0, None, closed="left")],
        "attention": [StrOptions({"both", "pixel", "element"}), None],
        "class_weight": [StrOptions({"balanced"}), Mapping, None],
        "sampling": [StrOptions({"balanced", "random"})],
        "classification_weight": [Interval(Real, 0, None, closed="neither")],
    }

    def __init__(
        self,
        embedding_dim: int = 128,
        *,
        negatives: str = "fully-synthesized",
        synthesis_fraction: float = 0.5,
        synthesis_size: int = 8,
        margin: float = 0.5,
        center_weight: float = 1.0,
        center_lr: float = 0.003,
        attention: str | None = "both",
        class_weight: str | Mapping[Any, float] | None = None,
        sampling: str = "balanced",
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
        self.negatives = negatives
        self.synthesis_fraction = synthesis_fraction
        self.synthesis_size = synthesis_size
        self.margin = margin
        self.center_weight = center_weight
        self.center_lr = center_lr
        self.attention = attention
        self.class_weight = class_weight
        self.sampling = sampling

    @classmethod
    def from_paper(cls, negatives: str = "fully-synthesized", **parameters: Any) -> Self:
        """Return the embedder in the form of the paper, as far as we know it.

        Published: cross-entropy and a weighted center term whose negative point is chosen by one of
        the strategies, with pixel-wise and element-wise attention. Our reading: negatives that are
        made coordinate by coordinate, batches as they come, the same learning rate for centers and
        network, an embedding that is not standardized, and a network that starts from noise. The
        authors' margin, weight, optimizer and network are not known to us; those of the defaults
        are kept.

        Parameters
        ----------
        negatives : str, default="fully-synthesized"
            As in the class.
        **parameters
            Settings that replace these.

        Returns
        -------
        TripletCenterEmbedder
            Unfitted.

        Notes
        -----
        ``python -m benchmarks.accuracy --suite papers`` compares these settings with the defaults.

        Examples
        --------
        >>> from skfer import TripletCenterEmbedder
        >>> TripletCenterEmbedder.from_paper("nearest").sampling
        'random'
        """
        reading: dict[str, Any] = {
            "synthesis_size": 1,
            "attention": "both",
            "sampling": "random",
            "center_lr": 6e-3,
            "standardize_embedding": False,
            "normalize_embedding": False,
            "backbone": "scratch",
            "average_weights": 0.0,
        }
        return cls(**reading | {"negatives": negatives} | parameters)

    # -- what it answers ------------------------------------------------------------------

    @on_snapshot
    def attention_maps(
        self, X: Any
    ) -> tuple[NDArray[np.float32] | None, NDArray[np.float32] | None]:
        """Return where the network looks and which coordinates it weighs.

        Parameters
        ----------
        X : array-like
            Inputs of the shape seen in ``fit``.

        Returns
        -------
        pixel_maps : ndarray of shape (n, height, width) or None
            Pixel-wise attention in (0, 1), resized from the last feature map to the input;
            None if there is none.
        element_weights : ndarray of shape (n, embedding_dim) or None
            Element-wise attention in (0, 1); None if there is none.

        Raises
        ------
        ValueError
            If the model was fitted without attention.
        """
        check_is_fitted(self)
        if not hasattr(self.net_.module_.pool, "look"):
            raise ValueError(
                "This model was fitted with attention=None and has no maps to show: set "
                "attention='both', 'pixel' or 'element', and fit again."
            )
        pixel, element = [], []
        for output in self.network_outputs(X):
            if output.pixel_map is not None:
                pixel.append(_resized(output.pixel_map, self.input_shape_[:2]))
            if output.attention is not None:
                element.append(_inside(output.attention))
        return _joined(pixel), _joined(element)

    # -- how it learns --------------------------------------------------------------------

    # Samples may all be active long after they are well apart, since their margin is not met yet.
    learns_from_triplets: ClassVar[bool] = False
    network_parameters: ClassVar[tuple[str, ...]] = (
        *BaseEmbedder.network_parameters,
        "attention",
    )

    def check_params(self) -> None:
        """Check the class weights."""
        if isinstance(self.class_weight, Mapping):
            weights = self.class_weight.items()
            bad = {c: w for c, w in weights if not (isinstance(w, Real) and w > 0)}
            if bad:
                raise ArgumentError(
                    "{class_weight} must be a positive number for every class, got {}.", shown(bad)
                )

    def choose_attention(self, feature_shape: tuple[int, ...]) -> str | None:
        """Return the attention, without the pixel-wise one where there is no feature map."""
        if len(feature_shape) == 3 or self.attention in (None, "element"):
            return self.attention
        if self.attention == "pixel":
            raise ValueError(
                "attention='pixel' needs a feature map, but here the backbone gives rows of "
                f"{feature_shape[0]} features: use attention='element', 'both' or None."
            )
        return "element"

    def make_objective(self) -> Objective:
        """Return the triplet-center loss, and cross-entropy."""
        loss = TripletCenterLoss(
            len(self.classes_),
            self.embedding_dim,
            margin=self.margin,
            negatives=self.negatives,
            synthesis_fraction=self.synthesis_fraction,
            synthesis_size=self.synthesis_size,
        )
        return TripletCenterObjective(
            loss, self.classification_weight, metric_weight=self.center_weight
        )

    def parameter_groups(self) -> list[tuple[str, dict[str, Any]]]:
        """Return the settings of the backbone and of the centers."""
        centers = {"lr": self.center_lr, "weight_decay": 0.0}
        return [*super().parameter_groups(), ("metric_loss.centers", centers)]

    def make_sampler(self, codes: NDArray[np.intp], seed: int) -> Any:
        """Return balanced batches, or random ones of the same size."""
        if self.sampling == "balanced":
            return super().make_sampler(codes, seed)
        size = min(self.classes_per_batch, len(self.classes_)) * self.batch_samples(codes)
        return ShuffledBatchSampler(len(codes), size, seed)

    def prepare_training(self, data: TrainingData) -> NDArray[np.intp]:
        """Set the class weights and, before the first training, the centers and the classifier."""
        objective = self.net_.criterion_
        codes = data.codes[data.train]
        weights = class_weights(self.class_weight, self.classes_, codes)
        if self.class_weight is not None:
            objective.class_weight = torch.tensor(weights).to(objective.metric_loss.centers)
        if not objective.has_centers:
            if self.sampling == "random":
                weights = weights * np.bincount(codes, minlength=len(self.classes_)).clip(1)
            _start_classifier(self.net_.module_.classify, weights)
            batch = data.train[self._first_batch(codes)]
            embedding = _embed_in_training(self.net_, data.source[batch])
            objective.set_centers(embedding, torch.from_numpy(data.codes[batch]))
        return data.codes

    def _first_batch(self, codes: NDArray[np.intp]) -> NDArray[np.intp]:
        """Return samples of all classes, from which the centers start."""
        n_classes = len(self.classes_)
        n_each = max(1, min(self.batch_samples(codes), MAX_FIRST_SAMPLES // n_classes))
        seed = self._random_state.randint(2**31 - 1)
        return next(iter(BalancedBatchSampler(codes, n_classes, n_each, seed)))

    def finish_training(self, data: TrainingData) -> None:
        """Set the centers."""
        centers = self.net_.criterion_.metric_loss.centers.detach()
        self.centers_ = self.features_of(centers).cpu().numpy().copy()


class TripletCenterObjective(Objective):
    """Triplet-center loss, with the network's attention, and cross-entropy beside it."""

    has_centers: Tensor
    """Whether the centers were set; before that they mean nothing. A buffer, kept with them."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.register_buffer("has_centers", torch.tensor(False))

    def set_centers(self, embedding: Tensor, labels: Tensor) -> None:
        """Start the centers at the class means of a batch."""
        self.metric_loss.set_centers(embedding, labels)
        self.has_centers.fill_(True)

    def copy_learned(self, other: Objective) -> None:
        """Copy the centers, and whether they were set."""
        super().copy_learned(other)
        self.has_centers.fill_(bool(other.has_centers))

    def is_recordable(self, *, bounded: bool) -> bool:
        """Return whether both are those of this package, and embeddings need not be looked at."""
        ours = type(self), type(self.metric_loss)
        return bounded and ours == (TripletCenterObjective, TripletCenterLoss)

    def metric(self, output: Embedded, labels: Tensor) -> Tensor:
        """Return the center term of a batch."""
        return self.metric_loss(output.embedding, labels, output.logits, output.attention)

    def metric_of_votes(self, output: Embedded, labels: Tensor, votes: Tensor) -> Tensor:
        """Return the center term, in which samples count as much as people agree on their label."""
        agreed = votes.gather(1, labels[:, None])[:, 0]
        return self.metric_loss(
            output.embedding, labels, output.logits, output.attention, weights=agreed
        )


def _start_classifier(classify: Any, weights: NDArray[np.float64]) -> None:
    """Start a classifier from probabilities that follow the weights of the classes.

    Where these differ much, a start from equal probabilities would teach the network about the
    heavy classes alone.
    """
    with torch.no_grad():
        classify.bias += torch.tensor(np.log(weights / weights.mean())).to(classify.bias)


def _embed_in_training(net: MetricNet, inputs: Tensor) -> Tensor:
    """Embed a batch as in training, and leave no trace of it in the network."""
    # A copy, so that the statistics of the batch norms begin with the training.
    module = copy.deepcopy(net.module_).train()
    with torch.no_grad(), autocast(net.device, net.precision):
        return module(inputs.to(net.device)).embedding


def class_weights(
    kind: str | Mapping[Any, float] | None, classes: NDArray[Any], codes: NDArray[np.intp]
) -> NDArray[np.float64]:
    """Return the weight of every class in cross-entropy.

    Parameters
    ----------
    kind : "balanced", dict or None
        As scikit-learn's ``class_weight``.
    classes : array of shape (n_classes,)
        The labels.
    codes : array of int of shape (n,)
        Class codes of the training samples. "balanced" gives an absent class the weight 1.
    """
    weights = np.ones(len(classes))
    present = np.unique(codes) if kind == "balanced" else np.arange(len(classes))
    weights[present] = compute_class_weight(kind, classes=classes[present], y=classes[codes])
    return weights


def _resized(pixel_map: Tensor, size: tuple[int, ...]) -> NDArray[np.float32]:
    resized = F.interpolate(pixel_map.float(), size=list(size), mode="bilinear")
    return _inside(resized[:, 0])


def _inside(attention: Tensor) -> NDArray[np.float32]:
    """Return attention inside (0, 1): a sigmoid reaches the ends by rounding."""
    eps = torch.finfo(torch.float32).eps
    return attention.float().clamp(eps, 1 - eps).cpu().numpy()


def _joined(parts: list[NDArray[np.float32]]) -> NDArray[np.float32] | None:
    return np.concatenate(parts) if parts else None
