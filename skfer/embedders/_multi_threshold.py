"""The multi-threshold embedder."""

from collections.abc import Mapping, Sequence
from numbers import Integral, Real
from os import PathLike
from typing import Any, ClassVar, Self

import numpy as np
import torch
import torch.nn.functional as F
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted
from skorch.callbacks import Callback
from torch import Tensor

from skfer._typing import NDArray
from skfer.embedders._classifier import ClassifierEmbedder
from skfer.embedders._docs import with_shared_docs
from skfer.embedders.base import BaseEmbedder
from skfer.losses import (
    MultiThresholdTripletLoss,
    max_threshold,
    normalize_slices,
    slice_thresholds,
)
from skfer.nets import Embedded
from skfer.training import Objective, TrainingData
from skfer.validation import shown


@with_shared_docs
class MultiThresholdEmbedder(ClassifierEmbedder):
    """Embed faces by a triplet loss with many thresholds at once.

    The embedding is cut into slices. Each of them is normalized to unit length and trained by a
    triplet loss with its own threshold, so that no single threshold has to be tuned [1]_.

    Parameters
    ----------
    embedding_dim : int, default=128
        Length of the embedding, a multiple of the number of thresholds.
    n_thresholds : int, default=8
        Number of slices and thresholds.
    threshold_range : tuple of (float, float), default=(0.1, 1.0)
        The thresholds are equidistant in this range, ends included. They are squared distances
        between unit vectors, in (0, 4]. A threshold above 2C/(C-1) for C classes, the squared
        distance of C equidistant points on a sphere, can never be met by all classes (our
        reading of the paper's valid range; :func:`~skfer.losses.max_threshold` computes it).
        The default ends well below it, which worked better on drawn and on real faces.
    thresholds : array-like of shape (n_thresholds,), default=None
        The thresholds themselves; they override `n_thresholds` and `threshold_range`.
    loss : {"dual-triplet", "triplet"}, default="dual-triplet"
        Whether a triplet of anchor, positive and negative counts from the positive's side too.
        With ``mining="batch-all"`` both are the same.
    mining : {"batch-all", "batch-hard"} or dict, default="batch-all"
        Which triplets of a batch count: all active ones, or the hardest of each anchor. A dict
        is a schedule from fractions of the training to one of the two:
        ``{0: "batch-all", 0.5: "batch-hard"}`` changes halfway.
    <shared parameters>

    Attributes
    ----------
    thresholds_ : ndarray of shape (n_thresholds,)
        The threshold of each slice, a squared distance.
    slices_ : list of slice, of length n_thresholds
        Where each slice lies: ``Z[:, embedder.slices_[k]]`` is slice k of ``Z = transform(X)``.
    <shared attributes>

    See Also
    --------
    skfer.losses.MultiThresholdTripletLoss : The loss alone.

    Notes
    -----
    ``transform`` returns the normalized slices side by side, of what the network gives less its
    mean (`normalize_embedding`), divided by the square root of their number: the Euclidean distance
    of two rows is the root mean square of the distances in the slices, and lies in [0, 2].

    References
    ----------
    .. [1] W. Yang et al., "Multi-threshold deep metric learning for facial expression
       recognition", Pattern Recognition 156, 2024. https://arxiv.org/abs/2406.16434

    Examples
    --------
    >>> from sklearn.neighbors import KNeighborsClassifier
    >>> from sklearn.pipeline import make_pipeline
    >>> from skfer import MultiThresholdEmbedder
    >>> from skfer.datasets import make_expressions
    >>> faces = make_expressions(6, 1, image_size=16, random_state=0)
    >>> embedder = MultiThresholdEmbedder(max_epochs=10, random_state=0)
    >>> model = make_pipeline(embedder, KNeighborsClassifier())
    >>> model.fit(faces.images, faces.target).predict(faces.images).shape
    (48,)
    >>> embedder.fit_transform(faces.images, faces.target).shape, len(embedder.slices_)
    ((48, 128), 8)
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **BaseEmbedder._parameter_constraints,
        "n_thresholds": [Interval(Integral, 1, None, closed="left")],
        "threshold_range": ["array-like"],
        "thresholds": ["array-like", None],
        "loss": [StrOptions({"dual-triplet", "triplet"})],
        "mining": [StrOptions({"batch-all", "batch-hard"}), Mapping],
    }

    def __init__(
        self,
        embedding_dim: int = 128,
        *,
        n_thresholds: int = 8,
        threshold_range: Sequence[float] = (0.1, 1.0),
        thresholds: Sequence[float] | None = None,
        loss: str = "dual-triplet",
        mining: str | Mapping[float, str] = "batch-all",
        classification_weight: float = 2.0,
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
        self.n_thresholds = n_thresholds
        self.threshold_range = threshold_range
        self.thresholds = thresholds
        self.loss = loss
        self.mining = mining

    @classmethod
    def from_paper(cls, n_classes: int = 7, **parameters: Any) -> Self:
        """Return the embedder in the form of the paper.

        Published: slices that are normalized on their own, the dual loss, the hardest triplets of
        a batch, and thresholds that sample the whole valid range. Our reading: that the range ends
        at :func:`~skfer.losses.max_threshold`, from which eight thresholds go down in equal steps;
        and that there is nothing else: no standardized embedding, no cross-entropy, and a network
        that starts from noise. The authors' optimizer, batches and network are not known to us.

        Parameters
        ----------
        n_classes : int, default=7
            Number of classes, on which the valid range depends.
        **parameters
            Settings that replace these. With `n_thresholds` so many go down from the top of the
            range, and one is the top itself; `threshold_range` is another range.

        Returns
        -------
        MultiThresholdEmbedder
            Unfitted.

        Notes
        -----
        This form does not train from noise by itself: ``python -m benchmarks.collapse`` shows it,
        and ``python -m benchmarks.accuracy --suite papers`` what it costs. Hence the defaults: all
        triplets, a standardized embedding, a classification term and a range that ends earlier.

        Examples
        --------
        >>> from skfer import MultiThresholdEmbedder
        >>> model = MultiThresholdEmbedder.from_paper(n_classes=5)
        >>> model.mining, model.n_thresholds, model.threshold_range
        ('batch-hard', 8, (0.3125, 2.5))
        """
        top, n = max_threshold(n_classes), parameters.get("n_thresholds", 8)
        # What is no such number is refused by fit.
        steps = int(n) if isinstance(n, Integral) and int(n) > 0 else 8
        published: dict[str, Any] = {
            "loss": "dual-triplet",
            "mining": "batch-hard",
            "n_thresholds": steps,
            "threshold_range": (top / steps, top),
        }
        if steps == 1 and "threshold_range" not in parameters:
            published["thresholds"] = [top]  # which is no range
        reading: dict[str, Any] = {
            "standardize_embedding": False,
            "normalize_embedding": False,
            "classification_weight": 0.0,
            "backbone": "scratch",
            "average_weights": 0.0,
        }
        return cls(**published | reading | parameters)

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[Any]:
        """Return the names of the output columns, which tell slice and coordinate.

        Parameters
        ----------
        input_features : object
            Not used; there for consistency.

        Returns
        -------
        ndarray of str of shape (embedding_dim,)
            ``multithresholdembedder_slice0_0`` and so on.
        """
        check_is_fitted(self)
        prefix = type(self).__name__.lower()
        size = self._n_features_out // len(self.slices_)
        names = [f"{prefix}_slice{k // size}_{k % size}" for k in range(self._n_features_out)]
        return np.asarray(names, dtype=object)

    # -- how it learns --------------------------------------------------------------------

    def check_params(self) -> None:
        """Check the thresholds and the mining schedule."""
        n = self.n_thresholds if self.thresholds is None else len(self._given_thresholds())
        if self.embedding_dim % n:
            raise ValueError(
                f"embedding_dim={self.embedding_dim} must be a multiple of the number of "
                f"thresholds, {n}: each slice has the same size."
            )
        if self.thresholds is None:
            self._check_range()
        if isinstance(self.mining, Mapping):
            check_mining_schedule(self.mining)

    def _given_thresholds(self) -> NDArray[np.float64]:
        try:
            thresholds = np.asarray(self.thresholds, dtype=np.float64)
        except (TypeError, ValueError):
            thresholds = np.empty(0)
        if thresholds.ndim != 1 or len(thresholds) == 0:
            raise ValueError(
                "thresholds must be a list of numbers in (0, 4], or None, got "
                f"{shown(self.thresholds)}."
            )
        return thresholds

    def _check_range(self) -> None:
        ends = tuple(self.threshold_range)
        if len(ends) != 2 or not all(isinstance(end, Real) for end in ends):
            raise ValueError(
                f"threshold_range must be (low, high), got {shown(self.threshold_range)}."
            )
        if not 0 < ends[0] < ends[1] <= 4:
            raise ValueError(
                "threshold_range=(low, high) must satisfy 0 < low < high <= 4 (squared "
                f"distances of unit vectors), got {shown(self.threshold_range)}."
            )

    def make_objective(self) -> Objective:
        """Return the triplet loss on slices, and cross-entropy; sets the thresholds."""
        if self.thresholds is not None:
            self.thresholds_ = self._given_thresholds()
        else:
            low, high = self.threshold_range
            self.thresholds_ = slice_thresholds(low, high, self.n_thresholds)
        size = self.embedding_dim // len(self.thresholds_)
        self.slices_ = [slice(k, k + size) for k in range(0, self.embedding_dim, size)]
        dual = self.loss == "dual-triplet"
        mining = self.mining[0] if isinstance(self.mining, Mapping) else self.mining
        loss = MultiThresholdTripletLoss(self.thresholds_.tolist(), dual=dual, mining=mining)
        return MultiThresholdObjective(loss, self.classification_weight)

    def make_callbacks(self, data: TrainingData) -> list[Callback]:
        """Return what changes the mining during a training, if it is a schedule."""
        return [MiningSchedule(self.mining)] if isinstance(self.mining, Mapping) else []

    def collapse_advice(self) -> list[str]:
        """Return what a user may try against a collapse."""
        advice = super().collapse_advice()
        return advice if self.mining == "batch-all" else ['set mining="batch-all"', *advice]


class MultiThresholdObjective(Objective):
    """Multi-threshold triplet loss, and cross-entropy beside it."""

    def metric_of_votes(self, output: Embedded, labels: Tensor, votes: Tensor) -> Tensor:
        """Return the loss with pairs that count as much as people agree on them."""
        return self.metric_loss(output.embedding, labels, votes=votes)

    def is_recordable(self, *, bounded: bool) -> bool:
        """Return whether both the objective and its loss are those of this package."""
        ours = type(self), type(self.metric_loss)
        return ours == (MultiThresholdObjective, MultiThresholdTripletLoss)

    def features(self, embedding: Tensor) -> Tensor:
        """Return the unit slices side by side, divided by the root of their number."""
        n = len(self.metric_loss.thresholds)
        if torch.jit.is_tracing():  # other runtimes lack what is exact for extreme lengths
            return self.directions(embedding) / n**0.5
        return normalize_slices(embedding, n).flatten(1) / n**0.5

    def points(self, embedding: Tensor) -> Tensor:
        """Return the embedding as it is: the mean of unit slices would be that of directions."""
        return embedding

    def directed(self, points: Tensor, center: Tensor) -> Tensor:
        """Return the unit slices of the directions from a center."""
        return self.features(points - center)

    def n_directions(self) -> int:
        """Return the number of slices."""
        return len(self.metric_loss.thresholds)

    def directions(self, embedding: Tensor) -> Tensor:
        """Return the unit slices side by side, which may be inexact for extreme lengths."""
        n = len(self.metric_loss.thresholds)
        slices = embedding.view(-1, n, embedding.shape[1] // n)
        return F.normalize(slices, dim=2).flatten(1)


class MiningSchedule(Callback):
    """Changes which triplets count as a training goes on.

    Parameters
    ----------
    mining : mapping of float to str
        From fractions of the training to ways of mining.
    """

    def __init__(self, mining: Mapping[float, str]) -> None:
        self.mining = mining

    def on_epoch_begin(self, net: Any, **kwargs: Any) -> None:
        """Set the mining of the epoch to come."""
        start = max(start for start in self.mining if start <= net.progress)
        net.criterion_.metric_loss.mining = self.mining[start]


def check_mining_schedule(mining: Mapping[Any, Any]) -> None:
    """Raise ValueError unless `mining` maps fractions, 0 among them, to ways of mining."""
    starts = list(mining)
    fractions = all(isinstance(s, Real) and 0 <= float(s) < 1 for s in starts)
    if not fractions or 0 not in starts:
        raise ValueError(
            "mining as a dict maps fractions of the training, in [0, 1) and 0 among them, to the "
            f"way of mining from there on; got {shown(dict(mining))}."
        )
    unknown = [m for m in mining.values() if m not in ("batch-all", "batch-hard")]
    if unknown:
        raise ValueError(
            f"mining must be 'batch-all' or 'batch-hard' at all times, got {shown(unknown[0])}."
        )
