"""Facial expression recognition by deep metric learning, as scikit-learn estimators."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from skfer._version import __version__

if TYPE_CHECKING:
    from skfer import (
        datasets,
        embedders,
        evaluation,
        exceptions,
        inspection,
        losses,
        metrics,
        model_selection,
        nets,
        persistence,
        preprocessing,
        pretraining,
        training,
    )
    from skfer.embedders import (
        CrossEntropyEmbedder,
        GaussianMetricEmbedder,
        MetricLossEmbedder,
        MultiThresholdEmbedder,
        TripletCenterEmbedder,
    )
    from skfer.exceptions import (
        ArgumentError,
        EmbeddingCollapseWarning,
        InconsistentVersionWarning,
        ModelFileError,
    )
    from skfer.persistence import export_onnx, load, load_expression_model, model_card, save

_ROOM_OF = {
    "ArgumentError": "skfer.exceptions",
    "CrossEntropyEmbedder": "skfer.embedders",
    "EmbeddingCollapseWarning": "skfer.exceptions",
    "GaussianMetricEmbedder": "skfer.embedders",
    "InconsistentVersionWarning": "skfer.exceptions",
    "MetricLossEmbedder": "skfer.embedders",
    "ModelFileError": "skfer.exceptions",
    "MultiThresholdEmbedder": "skfer.embedders",
    "TripletCenterEmbedder": "skfer.embedders",
    "export_onnx": "skfer.persistence",
    "load": "skfer.persistence",
    "load_expression_model": "skfer.persistence",
    "model_card": "skfer.persistence",
    "save": "skfer.persistence",
}
_ROOMS = (
    "datasets",
    "embedders",
    "evaluation",
    "exceptions",
    "inspection",
    "losses",
    "metrics",
    "model_selection",
    "nets",
    "persistence",
    "preprocessing",
    "pretraining",
    "training",
)

__all__ = [
    "ArgumentError",
    "CrossEntropyEmbedder",
    "EmbeddingCollapseWarning",
    "GaussianMetricEmbedder",
    "InconsistentVersionWarning",
    "MetricLossEmbedder",
    "ModelFileError",
    "MultiThresholdEmbedder",
    "TripletCenterEmbedder",
    "__version__",
    "datasets",
    "embedders",
    "evaluation",
    "exceptions",
    "export_onnx",
    "inspection",
    "load",
    "load_expression_model",
    "losses",
    "metrics",
    "model_card",
    "model_selection",
    "nets",
    "persistence",
    "preprocessing",
    "pretraining",
    "save",
    "training",
]


def __getattr__(name: str) -> Any:
    """Import a public name or a room when it is first used: the command line starts quickly."""
    if name in _ROOM_OF:
        value = getattr(import_module(_ROOM_OF[name]), name)
    elif name in _ROOMS:
        value = import_module(f"skfer.{name}")
    else:
        raise AttributeError(f"module 'skfer' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_ROOMS})
