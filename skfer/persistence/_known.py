"""Which classes a model file may name: those listed here, and those that the reader trusts."""

import sys
from collections.abc import Callable, Collection, Mapping
from importlib import import_module
from typing import Any

from torch import nn

from skfer.exceptions import ArgumentMessage, ModelFileError
from skfer.validation import as_list, refusal, shown

Trusted = Collection[str | type | Callable[..., Any]]


class UntrustedError(ArgumentMessage, ModelFileError):
    """A file needs what is not trusted; the text knows the argument that it speaks of."""


# Rooms whose public classes may be named; what they do when made from a saved state is known.
_SKLEARN: Mapping[str, tuple[str, ...]] = {
    "sklearn.calibration": ("CalibratedClassifierCV",),
    "sklearn.compose": ("ColumnTransformer",),
    "sklearn.decomposition": ("PCA", "TruncatedSVD", "KernelPCA", "FastICA", "NMF"),
    "sklearn.discriminant_analysis": (
        "LinearDiscriminantAnalysis",
        "QuadraticDiscriminantAnalysis",
    ),
    "sklearn.dummy": ("DummyClassifier", "DummyRegressor"),
    "sklearn.ensemble": ("StackingClassifier", "VotingClassifier"),
    "sklearn.feature_selection": ("VarianceThreshold",),
    "sklearn.frozen": ("FrozenEstimator",),
    "sklearn.impute": ("SimpleImputer",),
    "sklearn.linear_model": (
        "LinearRegression",
        "LogisticRegression",
        "LogisticRegressionCV",
        "Ridge",
        "RidgeClassifier",
        "RidgeClassifierCV",
        "RidgeCV",
    ),
    "sklearn.mixture": ("BayesianGaussianMixture", "GaussianMixture"),
    "sklearn.multiclass": ("OneVsOneClassifier", "OneVsRestClassifier"),
    "sklearn.naive_bayes": ("GaussianNB",),
    "sklearn.neighbors": (
        "KNeighborsClassifier",
        "KNeighborsRegressor",
        "NearestCentroid",
        "NearestNeighbors",
        "NeighborhoodComponentsAnalysis",
        "RadiusNeighborsClassifier",
    ),
    "sklearn.pipeline": ("FeatureUnion", "Pipeline"),
    "sklearn.preprocessing": (
        "FunctionTransformer",
        "LabelBinarizer",
        "LabelEncoder",
        "MaxAbsScaler",
        "MinMaxScaler",
        "Normalizer",
        "PolynomialFeatures",
        "PowerTransformer",
        "QuantileTransformer",
        "RobustScaler",
        "StandardScaler",
    ),
    "sklearn.svm": ("LinearSVC", "NuSVC", "SVC", "SVR"),
}
_SKFER: Mapping[str, tuple[str, ...]] = {
    "skfer.embedders": (
        "CrossEntropyEmbedder",
        "GaussianMetricEmbedder",
        "LabeledOnly",
        "MetricLossEmbedder",
        "MultiThresholdEmbedder",
        "TripletCenterEmbedder",
        "WithLabels",
    ),
    "skfer.losses": ("GaussianMetricLoss", "MultiThresholdTripletLoss", "TripletCenterLoss"),
    "skfer.nets": ("CompactResNet", "EmbeddingNet", "FaceAugment", "FaceBackbone", "MLP"),
    "skfer.preprocessing": (
        "DlibDetector",
        "FaceAligner",
        "MTCNNDetector",
        "MediaPipeDetector",
        "SlimeFaceDetector",
        "YuNetDetector",
    ),
}
# Objects with plain attributes that stand in estimators.
_PLAIN = {
    ("skfer.nets.backbones", "ResidualBlock"),
    ("sklearn.calibration", "_CalibratedClassifier"),
    ("sklearn.calibration", "_SigmoidCalibration"),
    ("sklearn.calibration", "_TemperatureScaling"),
    ("sklearn.isotonic", "IsotonicRegression"),
    ("sklearn.preprocessing", "KernelCenterer"),
    ("sklearn.utils._metadata_requests", "MetadataRequest"),
    ("sklearn.utils._metadata_requests", "MethodMetadataRequest"),
}
ALLOWED = frozenset(
    {(room, name) for room, names in {**_SKLEARN, **_SKFER}.items() for name in names} | _PLAIN
)


def _homes() -> dict[type, str]:
    """Return the listed classes of modules that are imported already, with their public names."""
    found = {}
    for room, name in ALLOWED:
        kind = getattr(sys.modules.get(room), name, None)
        if isinstance(kind, type):
            found[kind] = f"{room}.{name}"
    return found


def name_of(kind: type) -> str:
    """Return the name by which a file may name a class: its public one, if it has one.

    Parameters
    ----------
    kind : type
        A class.

    Returns
    -------
    str
        Module and name.
    """
    if is_layer(kind):
        return f"torch.nn.{kind.__name__}"
    return _homes().get(kind) or full_name(kind)


def is_plain(kind: type) -> bool:
    """Whether objects of a class are saved by their attributes, though no estimators."""
    return (kind.__module__, kind.__qualname__) in _PLAIN


def is_layer(kind: type) -> bool:
    """Whether a class is one of torch's own layers."""
    return getattr(nn, kind.__name__, None) is kind and kind.__module__.startswith("torch.nn.")


def find_class(name: Any, trusted: Trusted) -> type:
    """Return the class that a file names, if it is listed or trusted.

    Parameters
    ----------
    name : str
        Module and name of the class, from a file.
    trusted : collection of str, type or callable
        What the reader of the file trusts beside those listed, or its names.

    Returns
    -------
    type

    Raises
    ------
    ModelFileError
        If it is neither, or not there.
    """
    room, _, short = str(name).rpartition(".")
    layer = _layer(short) if room == "torch.nn" else None
    if layer is not None:
        return layer
    found = find_named(name, trusted)
    if not isinstance(found, type):
        raise ModelFileError(f"the file names {_quoted(name)} as a class, which it is not.")
    return found


def find_named(name: Any, trusted: Trusted) -> Any:
    """Return the class or function that a file names, if it is listed or trusted.

    Parameters
    ----------
    name : str
        Module and name, from a file.
    trusted : collection of str, type or callable
        What the reader of the file trusts beside those listed, or its names.

    Raises
    ------
    ModelFileError
        If it is neither, or not there.
    """
    room, _, short = str(name).rpartition(".")
    if (room, short) in ALLOWED:
        return _imported(str(name))
    for given in trusted:
        if not isinstance(given, str) and name == full_name(given):
            return given
    if name not in [given for given in trusted if isinstance(given, str)]:
        raise _untrusted([name])
    return _imported(name)


def check_trusted(trusted: Any) -> list[Any]:
    """Return what a reader trusts as a list.

    Parameters
    ----------
    trusted : collection of str, type or callable
        What was given.

    Returns
    -------
    list

    Raises
    ------
    ArgumentError
        If it is something else.
    """
    what = "classes, functions or their names"
    given = as_list(trusted, "trusted", what)
    odd = [one for one in given if not (isinstance(one, str) or callable(one))]
    if odd:
        raise refusal("trusted", "must be a list of {}, and has {}.", what, shown(odd[0]))
    return given


def check_names(names: Collection[Any], trusted: Trusted) -> None:
    """Raise for all the names of a file at once that are neither listed nor trusted.

    Parameters
    ----------
    names : collection of str
        Modules and names of classes and functions, from a file.
    trusted : collection of str, type or callable
        What the reader of the file trusts beside those listed, or its names.

    Raises
    ------
    ModelFileError
        If there is such a name.
    """
    known = {given if isinstance(given, str) else full_name(given) for given in trusted}
    odd = [name for name in names if not (name in known or _is_listed(name))]
    if odd:
        raise _untrusted(odd)


def _is_listed(name: Any) -> bool:
    room, _, short = str(name).rpartition(".")
    return (room, short) in ALLOWED or (room == "torch.nn" and _layer(short) is not None)


def _layer(name: str) -> type[nn.Module] | None:
    """Return one of torch's own layers, or None for another name."""
    found = getattr(nn, name, None)
    return found if isinstance(found, type) and issubclass(found, nn.Module) else None


def full_name(kind: Any) -> str:
    """Return the name of a class or a function with that of its module."""
    return f"{getattr(kind, '__module__', '')}.{getattr(kind, '__qualname__', '')}"


def _untrusted(names: Collection[Any]) -> ModelFileError:
    quoted = ", ".join(map(_quoted, names))
    are, them = ("are", "them") if len(names) > 1 else ("is", "it")
    return UntrustedError(
        f"the file needs {{}}, which {are} not among the parts of skfer, scikit-learn and torch "
        f"that are loaded unasked: if you trust {them} and the file, give {{trusted=[{quoted}]}}.",
        quoted,
    )


def _imported(name: str) -> Any:
    room, _, short = name.rpartition(".")
    try:
        return getattr(import_module(room), short)
    except (ImportError, AttributeError, ValueError) as error:
        raise ModelFileError(
            f"the file needs {_quoted(name)}, which cannot be imported: {error}."
        ) from error


def _quoted(name: Any) -> str:
    return repr(str(name)[:200])
