"""What all embedders share: inputs, training, transform, pickling."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from numbers import Integral, Real
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    _fit_context,
)
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from skfer._version import __version__
from skfer.embedders._callbacks import checked_callbacks
from skfer.embedders._collapse import PATIENCE, warn_caller, warn_if_collapsed
from skfer.embedders._devices import find_device, find_precision
from skfer.embedders._inputs import as_paths, as_source, check_image_shape, decode_paths
from skfer.embedders._labels import (
    check_classes,
    check_groups,
    check_same_classes,
    check_triplets,
    check_y,
    encode,
    find_classes,
    validation_split,
)
from skfer.embedders._network import make_augment, make_network, run_network
from skfer.embedders._resuming import check_unchanged, portable, restored_on_error
from skfer.exceptions import InconsistentVersionWarning
from skfer.nets import Embedded
from skfer.training import (
    SCHEDULES,
    BalancedBatchSampler,
    Batches,
    MetricNet,
    Objective,
    StopAtBest,
    SubsetSampler,
    seeded,
)


class BaseEmbedder(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Base of the embedders; a method overrides the hooks at its end.

    It sets no loss of its own. The parameters that all embedders share are documented in each
    of them.
    """

    classes_: NDArray[Any]
    history_: list[dict[str, Any]]
    input_shape_: tuple[int, ...]
    n_features_in_: int
    n_iter_: int
    net_: MetricNet
    _built_with: dict[str, Any]
    _in_passes: bool
    _random_state: np.random.RandomState

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "embedding_dim": [Interval(Integral, 1, None, closed="left")],
        "classification_weight": [Interval(Real, 0, None, closed="left")],
        "standardize_embedding": ["boolean"],
        "backbone": [str, callable],
        "backbone_weights": [str, Path, None],
        "backbone_lr": [Interval(Real, 0, None, closed="left"), None],
        "image_shape": ["array-like", None],
        "augment": [StrOptions({"auto"}), nn.Module, None],
        "max_epochs": [Interval(Integral, 1, None, closed="left")],
        "classes_per_batch": [Interval(Integral, 2, None, closed="left")],
        "samples_per_class": [Interval(Integral, 2, None, closed="left")],
        "lr": [Interval(Real, 0, None, closed="neither")],
        "weight_decay": [Interval(Real, 0, None, closed="left")],
        "schedule": [StrOptions(set(SCHEDULES))],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "device": [str],
        "precision": [StrOptions({"auto", "float32", "bfloat16"})],
        "callbacks": [list, None],
        "warm_start": ["boolean"],
        "verbose": ["verbose"],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        embedding_dim: int = 128,
        *,
        classification_weight: float = 1.0,
        standardize_embedding: bool = True,
        backbone: Any = "auto",
        backbone_weights: Any = None,
        backbone_lr: float | None = None,
        image_shape: Sequence[int] | None = None,
        augment: Any = "auto",
        max_epochs: int = 40,
        classes_per_batch: int = 8,
        samples_per_class: int = 8,
        lr: float = 6e-3,
        weight_decay: float = 1e-2,
        schedule: str = "one-cycle",
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 10,
        device: str = "auto",
        precision: str = "auto",
        callbacks: list[Any] | None = None,
        warm_start: bool = False,
        verbose: int = 0,
        random_state: Any = None,
    ) -> None:
        self.embedding_dim = embedding_dim
        self.classification_weight = classification_weight
        self.standardize_embedding = standardize_embedding
        self.backbone = backbone
        self.backbone_weights = backbone_weights
        self.backbone_lr = backbone_lr
        self.image_shape = image_shape
        self.augment = augment
        self.max_epochs = max_epochs
        self.classes_per_batch = classes_per_batch
        self.samples_per_class = samples_per_class
        self.lr = lr
        self.weight_decay = weight_decay
        self.schedule = schedule
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.device = device
        self.precision = precision
        self.callbacks = callbacks
        self.warm_start = warm_start
        self.verbose = verbose
        self.random_state = random_state

    # -- scikit-learn's interface ---------------------------------------------------------

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any, groups: Any = None) -> Self:
        """Learn the embedding.

        Parameters
        ----------
        X : array-like
            Images (n, height, width) or (n, height, width, channels), uint8 or float in any
            range; rows (n, n_features); or n paths to images, which become grey unless
            `image_shape` has three channels.
        y : array-like of shape (n,)
            Class labels.
        groups : array-like of shape (n,), default=None
            Subjects. Only `early_stopping` uses them, to keep subjects apart.

        Returns
        -------
        self : object
            The fitted embedder.

        Raises
        ------
        ValueError
            If X and y do not fit together, there is only one class, X holds NaN or
            infinity, or a parameter does not suit the data.
        """
        resume = self._resumes()
        with restored_on_error(self, resume=resume):
            source, codes = self._validate(X, y, reset=not resume)
            groups = check_groups(groups, len(codes))
            rng = self._random_state = check_random_state(self.random_state)
            with seeded(rng.randint(2**31 - 1), self._device()):
                resumed_by = "warm_start=True" if resume else None
                self._prepare_net(self.schedule, self._stopping(), resumed_by)
                self._learn(source, codes, groups)
            self._in_passes = False
            self._finish(source, codes)
        warn_if_collapsed(self)
        return self

    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X: Any, y: Any, classes: Any = None, groups: Any = None) -> Self:
        """Train one pass over some samples, at a constant learning rate.

        The first call fixes the classes, the input shape and, for rows, the statistics that
        standardise them. Parameters that were changed hold from then on, except those that the
        network is made of. The state of the optimizer is kept from call to call; after ``fit``,
        and after unpickling, it starts anew.

        Parameters
        ----------
        X : array-like
            As in ``fit``.
        y : array-like of shape (n,)
            Class labels.
        classes : array-like of shape (n_classes,), default=None
            All classes that will come, in the first call; by default those of its y. Later calls
            may leave it out, or give the same.
        groups : object
            Not used; there for consistency.

        Returns
        -------
        self : object
            The embedder.
        """
        first = not hasattr(self, "net_")
        with restored_on_error(self, resume=not first):
            source, codes = self._validate(X, y, reset=first, classes=classes)
            if (codes >= 0).sum() < 2:
                raise ValueError(
                    f"y has {(codes >= 0).sum()} labelled samples: partial_fit needs at least two "
                    "in a call, as everything is measured between samples."
                )
            if first:
                self._random_state = check_random_state(self.random_state)
            with seeded(self._random_state.randint(2**31 - 1), self._device()):
                self._prepare_net("constant", [], None if first else "partial_fit")
                self._train(source, codes, epochs=1)
            self._in_passes = True
            self._finish(source, codes)
        warn_if_collapsed(self, PATIENCE)
        return self

    def fit_transform(self, X: Any, y: Any = None, groups: Any = None) -> NDArray[np.float32]:
        """Learn the embedding, and embed the training set; paths are decoded once.

        Parameters
        ----------
        X, y, groups
            As in ``fit``.

        Returns
        -------
        ndarray of shape (n, embedding_dim)
            The embedding, float32.
        """
        paths = as_paths(X)
        if paths is not None:
            X = decode_paths(self, paths, self._image_shape(), reset=not self._resumes())
        return self.fit(X, y, groups=groups).transform(X)

    def transform(self, X: Any) -> NDArray[np.float32]:
        """Embed X.

        Parameters
        ----------
        X : array-like
            Inputs of the shape seen in ``fit``.

        Returns
        -------
        ndarray of shape (n, embedding_dim)
            The embedding, float32. Every batch is padded to one size, so that a row's
            embedding does not depend on the rows beside it.
        """
        check_is_fitted(self)
        source = as_source(self, X, self._image_shape(), reset=False)
        embedding = np.empty((len(source), self._n_features_out), dtype=np.float32)
        for rows, output in self._forward(source):
            embedding[rows] = self._features(output.embedding).cpu().numpy()
        return embedding

    @property
    def backbone_(self) -> nn.Module:
        """The trained backbone."""
        check_is_fitted(self)
        return self.net_.module_.backbone

    @property
    def _n_features_out(self) -> int:
        return self.net_.module_.project.out_features

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.input_tags.three_d_array = True
        tags.transformer_tags.preserves_dtype = []
        return tags

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "net_")

    def __getstate__(self) -> dict[str, Any]:
        state = portable(super().__getstate__())
        if hasattr(self, "net_"):
            # They watch a training, and may hold on to anything of it.
            state["callbacks"] = None
        return state | {"_skfer_version": __version__}

    def __setstate__(self, state: dict[str, Any]) -> None:
        state = state.copy()
        version = state.pop("_skfer_version", "unknown")
        if version != __version__:
            warnings.warn(
                f"This {type(self).__name__} was pickled with skfer {version} and is loaded with "
                f"skfer {__version__}: it may fail or give other embeddings.",
                InconsistentVersionWarning,
                stacklevel=2,
            )
        super().__setstate__(state)

    # -- what a method may override -------------------------------------------------------

    _accepts_unlabeled: ClassVar[bool] = False
    _learns_from_triplets: ClassVar[bool] = True
    _built_from: ClassVar[tuple[str, ...]] = (
        "embedding_dim",
        "standardize_embedding",
        "backbone",
        "backbone_weights",
    )
    """Parameters that a trained network cannot change."""

    def _check_params(self) -> None:
        """Raise ValueError for parameters that do not go together."""

    def _make_objective(self) -> Objective:
        """Return what is minimised; called once the classes are known."""
        raise NotImplementedError

    def _has_classifier(self) -> bool:
        return self.classification_weight > 0

    def _attention(self, features: tuple[int, ...]) -> str | None:
        """Which attention pools features of this shape, (c, h, w) or (c,)."""
        return None

    def _make_sampler(self, codes: NDArray[np.intp], seed: int) -> Any:
        """Which samples make a batch."""
        return BalancedBatchSampler(codes, self.classes_per_batch, self.samples_per_class, seed)

    def _learn(self, source: Any, codes: NDArray[np.intp], groups: Any) -> None:
        """Train, from the prepared net on."""
        train, valid = self._validation(codes, groups)
        self._train(source, codes, epochs=self.max_epochs, train=train, valid=valid)

    def _validation(self, codes: NDArray[np.intp], groups: Any) -> tuple[Any, Any]:
        """Return indices to train on and to validate on; None, None without early stopping."""
        if not self.early_stopping:
            return None, None
        return validation_split(codes, groups, self.validation_fraction, self._random_state)

    def _finish(self, source: Any, codes: NDArray[np.intp]) -> None:
        """Set the attributes that follow from the trained net."""
        self.history_ = [
            {k: v for k, v in epoch.items() if k != "batches"} for epoch in self.net_.history
        ]
        self.n_iter_ = len(self.history_)

    # -- how it is done -------------------------------------------------------------------

    def _validate(
        self, X: Any, y: Any, *, reset: bool, classes: Any = None
    ) -> tuple[Any, NDArray[np.intp]]:
        """Check all that the user gave; return a source of batches and the class codes."""
        name = type(self).__name__
        self._check_params()
        y = check_y(y, X, allow_unlabeled=self._accepts_unlabeled, name=name)
        if reset:
            self.classes_ = (
                find_classes(y, name) if classes is None else check_classes(classes, name)
            )
        elif classes is not None:
            check_same_classes(classes, self.classes_, name)
        codes = encode(y, self.classes_, allow_unlabeled=self._accepts_unlabeled)
        return as_source(self, X, self._image_shape(), reset=reset), codes

    def _resumes(self) -> bool:
        return self.warm_start and hasattr(self, "net_")

    def _image_shape(self) -> tuple[int, ...] | None:
        return check_image_shape(self.image_shape)

    def _device(self) -> torch.device:
        return find_device(self.device)

    def _prepare_net(self, schedule: str, stopping: list[Any], resumed_by: str | None) -> None:
        """Set up a training; one that is resumed keeps what was learned, and nothing else."""
        device = self._device()
        callbacks = checked_callbacks(self.callbacks, validated=bool(stopping))
        criterion = self._make_objective()
        before = None if resumed_by is None else self.net_
        if resumed_by is None or before is None:
            self._built_with = {name: getattr(self, name) for name in self._built_from}
            module = make_network(self)
        else:
            check_unchanged(self, resumed_by)
            criterion.take_over(before.criterion_)
            module = before.module_
            module.augment = make_augment(self)
        self.net_ = MetricNet(
            module,
            criterion,
            schedule=schedule,
            precision=find_precision(self.precision, device),
            optimizer=torch.optim.AdamW,
            optimizer__param_groups=self._parameter_groups(),
            optimizer__weight_decay=self.weight_decay,
            optimizer__fused=True,
            lr=self.lr,
            callbacks=[*stopping, *callbacks],
            train_split=None,
            device=str(device),
            verbose=self.verbose,
        ).initialize()
        if before is not None:
            passes = resumed_by == "partial_fit" and self._in_passes
            self.net_.go_on(before, with_optimizer=passes)

    def _parameter_groups(self) -> list[tuple[str, dict[str, Any]]]:
        return [] if self.backbone_lr is None else [("backbone.*", {"lr": self.backbone_lr})]

    def _stopping(self) -> list[tuple[str, Any]]:
        if not self.early_stopping:
            return []
        return [("early_stopping", StopAtBest(self.n_iter_no_change))]

    def _train(
        self,
        source: Any,
        codes: NDArray[np.intp],
        *,
        epochs: int,
        train: NDArray[np.intp] | None = None,
        valid: NDArray[np.intp] | None = None,
    ) -> None:
        batches = self._batches(source, codes, train)
        validation = None if valid is None else self._validation_batches(source, codes, valid)
        self.net_.train(batches, epochs, validation)

    def _batches(self, source: Any, codes: NDArray[np.intp], which: Any) -> Batches:
        seed = self._random_state.randint(2**31 - 1)
        if which is None:
            return Batches(source, codes, self._make_sampler(codes, seed))
        return Batches(source, codes, SubsetSampler(self._make_sampler(codes[which], seed), which))

    def _validation_batches(
        self, source: Any, codes: NDArray[np.intp], which: NDArray[np.intp]
    ) -> Batches:
        """Batches drawn once and for all: the loss of two epochs is of the same samples."""
        sampler = self._make_sampler(codes[which], self._random_state.randint(2**31 - 1))
        drawn = [which[batch] for batch in sampler.covering()]
        if self._learns_from_triplets and not self.classification_weight:
            check_triplets(codes, drawn, self.validation_fraction)
        return Batches(source, codes, drawn)

    def _forward(
        self, source: Any, module: nn.Module | None = None
    ) -> Iterator[tuple[slice, Embedded]]:
        """Run the network, or another one, over a source in batches of one size, in inference."""
        device = self._inference_device()
        precision = find_precision(self.precision, device)
        module = self.net_.module_ if module is None else module
        return run_network(module, source, device, precision)

    def _inference_device(self) -> torch.device:
        """Return the wanted device; the CPU, with a warning, where a loaded model finds no CUDA."""
        try:
            return self._device()
        except ValueError as error:
            warn_caller(f"{error} Using the CPU.", UserWarning)
            return torch.device("cpu")

    def _features(self, embedding: Tensor) -> Tensor:
        return self.net_.criterion_.features(embedding)

    def _advice(self) -> str:
        advice = [] if self.standardize_embedding else ["set standardize_embedding=True"]
        advice += ["train longer (max_epochs)", "lower the learning rate (lr)"]
        if not self._has_classifier():
            advice.append("add a classification term (classification_weight)")
        return "Try this: " + "; ".join(advice) + "."
