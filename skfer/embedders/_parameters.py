"""The parameters that all embedders share."""

from collections.abc import Mapping
from numbers import Integral, Real
from os import PathLike
from pathlib import Path
from typing import Any, ClassVar

from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import Interval, StrOptions
from torch import nn

from skfer.training import SCHEDULES


class SharedParameters(BaseEstimator):
    """Takes the shared parameters; they are documented in each embedder."""

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "embedding_dim": [Interval(Integral, 1, None, closed="left")],
        "classification_weight": [Interval(Real, 0, None, closed="left")],
        "standardize_embedding": ["boolean"],
        "normalize_embedding": ["boolean", StrOptions({"auto"})],
        "backbone": [str, callable],
        "backbone_weights": [str, Path, None],
        "backbone_lr": [Interval(Real, 0, None, closed="left"), None],
        "freeze_backbone": [
            "boolean",
            Interval(Integral, 1, None, closed="left"),
            Interval(Real, 0, 1, closed="neither"),
        ],
        "image_size": [Integral, "array-like", None],
        "color": ["boolean"],
        "on_error": [StrOptions({"raise", "skip"})],
        "augment": [StrOptions({"auto"}), nn.Module, callable, None],  # told of in make_augment
        "mirror": ["boolean", StrOptions({"auto"})],
        "label_noise": [
            "boolean",
            Interval(Real, 0, 0.5, closed="left"),
            StrOptions({"auto"}),
        ],
        "max_epochs": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "classes_per_batch": [Interval(Integral, 2, None, closed="left")],
        "samples_per_class": [Interval(Integral, 2, None, closed="left"), StrOptions({"auto"})],
        "lr": [Interval(Real, 0, None, closed="neither")],
        "weight_decay": [Interval(Real, 0, None, closed="left")],
        "schedule": [StrOptions({"auto", *SCHEDULES})],
        "average_weights": [Interval(Real, 0, 1, closed="both"), StrOptions({"auto"})],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "scoring": [str, callable, list, tuple, Mapping, None],
        "device": [str],
        "precision": [StrOptions({"auto", "float32", "bfloat16"})],
        "callbacks": [list, None],
        "checkpoint": [str, PathLike, None],
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
        self.embedding_dim = embedding_dim
        self.classification_weight = classification_weight
        self.standardize_embedding = standardize_embedding
        self.normalize_embedding = normalize_embedding
        self.backbone = backbone
        self.backbone_weights = backbone_weights
        self.backbone_lr = backbone_lr
        self.freeze_backbone = freeze_backbone
        self.image_size = image_size
        self.color = color
        self.on_error = on_error
        self.augment = augment
        self.mirror = mirror
        self.label_noise = label_noise
        self.max_epochs = max_epochs
        self.classes_per_batch = classes_per_batch
        self.samples_per_class = samples_per_class
        self.lr = lr
        self.weight_decay = weight_decay
        self.schedule = schedule
        self.average_weights = average_weights
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.scoring = scoring
        self.device = device
        self.precision = precision
        self.callbacks = callbacks
        self.checkpoint = checkpoint
        self.warm_start = warm_start
        self.verbose = verbose
        self.random_state = random_state
