"""A fitted model as an ONNX graph: from pictures to embedding and posterior."""

import copy
import io
import json
import os
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from sklearn.base import BaseEstimator
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from torch import Tensor, nn

from skfer._replacing import replaced
from skfer._typing import NDArray
from skfer.embedders import BaseEmbedder, LabeledOnly, WithLabels
from skfer.embedders.composed._describing import describe, title_of
from skfer.embedders.composed._within import inside
from skfer.exceptions import ArgumentError, ignored, install_hint, one_line
from skfer.nets import FaceBackbone
from skfer.persistence._file import check_path, place_told
from skfer.persistence._model import check_fitted, model_card
from skfer.persistence._onnx_steps import (
    classifier_module,
    transformer_module,
)
from skfer.preprocessing import FaceAligner
from skfer.validation._arrays import word_of

_OPSET = 18
_TOLERANCE = 1e-3  # of the check that a graph computes what its model computes
_N_TRIED = 3  # pictures
_WRAPPERS = (FrozenEstimator, LabeledOnly, WithLabels)
"""What answers as the one estimator that it holds."""


def export_onnx(model: BaseEstimator, path: str | os.PathLike[str]) -> None:
    """Write a fitted model as an ONNX graph, for other runtimes and languages.

    The graph holds all that happens between pixels and answer: the standardization of each picture,
    the network, the normalization of slices, and the steps that follow. It computes what the model
    computes in float32, to 1e-5 in embedding and posterior; only where a network from noise has
    hardly learned are coordinates so large (30 and more) that rounding leaves 1e-5 of the largest.

    Parameters
    ----------
    model : estimator
        A fitted embedder; or a pipeline of one, or of a FeatureUnion of several, after which may
        come scalers (StandardScaler, MinMaxScaler, MaxAbsScaler, RobustScaler, Normalizer), PCA,
        TruncatedSVD, NeighborhoodComponentsAnalysis or LinearDiscriminantAnalysis, and as
        classifier nearest neighbors, NearestCentroid, an SVM, LogisticRegression, RidgeClassifier
        (both also as LogisticRegressionCV and RidgeClassifierCV) or LinearDiscriminantAnalysis, or
        one of these in a CalibratedClassifierCV. A FaceAligner before it is left out: the graph
        takes what it returns. Any of these, and pipelines of them, may stand in a FrozenEstimator,
        in LabeledOnly or in WithLabels. Of a search it is the best estimator.
    path : path-like
        The file to write; whole or not at all.

    Raises
    ------
    ImportError
        If onnx, of the extra ``onnx``, is missing.
    ArgumentError
        If a step cannot be exported, `model` is no estimator, or `path` no path.
    sklearn.exceptions.NotFittedError
        If the model is not fitted.
    OSError
        If the file cannot be written.

    See Also
    --------
    save : Keep a model for skfer.

    Notes
    -----
    The input is ``images``, uint8 of shape (n, height, width[, 3]), or ``rows``, float32 of shape
    (n, n_features), with any n. Outputs are

    - ``embedding``, float32: what ``transform`` returns, of a pipeline before its classifier;
    - ``label``, int64: position in the classes, which are JSON in the metadata as "classes";
    - ``posterior``, float32: what ``predict_proba`` returns; or ``decision``, what
      ``decision_function`` returns, of a classifier without probabilities, as an SVM is. For those
      of an SVM give ``CalibratedClassifierCV(SVC(), ensemble=False)``, or, where scikit-learn still
      has it, ``SVC(probability=True)``, whose scaling and coupling are in the graph; its label may
      differ from the likeliest, as it does in scikit-learn.

    Among nearest neighbors at nearly one distance others may be chosen. The metadata hold the
    :func:`model_card`, too.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import skfer
    >>> from skfer.datasets import make_expressions
    >>> faces = make_expressions(2, 1, random_state=0)
    >>> model = skfer.CrossEntropyEmbedder(max_epochs=1).fit(faces.images, faces.target)
    >>> path = Path(tempfile.mkdtemp()) / "smile.onnx"
    >>> skfer.export_onnx(model, path)  # doctest: +SKIP
    >>> import onnxruntime  # doctest: +SKIP
    >>> session = onnxruntime.InferenceSession(path)  # doctest: +SKIP
    >>> embedding, label, posterior = session.run(None, {"images": faces.images})  # doctest: +SKIP
    """
    check_fitted(model)
    check_path(path)
    try:
        import onnx
    except ImportError as error:
        raise ImportError(f"export_onnx needs onnx: {install_hint('onnx', 'onnx')}.") from error
    plain = _flat(_on_cpu(model))
    graph = Graph(plain)
    inputs = graph.tried_inputs()
    _check_same(graph, plain, inputs)
    written = onnx.load_from_string(_traced(graph, inputs))
    about = {"classes": json.dumps(graph.classes), "card": model_card(model)}
    onnx.helper.set_model_props(written, about)
    onnx.checker.check_model(written)
    with place_told(path), replaced(path) as temporary:
        temporary.write_bytes(written.SerializeToString())


def _on_cpu(model: Any) -> Any:
    """Return a model whose embedders compute as the graph does: on the CPU, in float32."""
    if hasattr(model, "best_estimator_") or isinstance(model, _WRAPPERS):
        return _on_cpu(inside(model)[0])
    if isinstance(model, Pipeline):
        return Pipeline([(name, _on_cpu(step)) for name, step in model.steps])
    if isinstance(model, FeatureUnion):
        union = copy.copy(model)
        union.transformer_list = [(name, _on_cpu(part)) for name, part in model.transformer_list]
        return union
    if isinstance(model, BaseEmbedder):
        # Its copy is that of a pickle, which no tensor is left on a GPU in.
        model = copy.copy(model)
        # They are attributes of an embedder, too, whose signature leaves them out.
        model.device, model.precision = "cpu", "float32"
    return model


def _flat(model: Any) -> Any:
    """Return a model without an aligner at its start, or a pipeline within another."""
    steps = _steps_of(model)
    if len(steps) > 1 and isinstance(steps[0], FaceAligner):
        steps = steps[1:]
    return make_pipeline(*steps) if len(steps) > 1 else steps[0]


def _steps_of(model: Any) -> list[Any]:
    if not isinstance(model, Pipeline):
        return [model]
    return [inner for step in inside(model) for inner in _steps_of(step)]


class _Embedding(nn.Module):
    """What the ``transform`` of an embedder computes.

    Parameters
    ----------
    embedder : BaseEmbedder
        Fitted.
    weight : float
        The embedding is multiplied by it.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, embedder: BaseEmbedder, weight: float) -> None:
        super().__init__()
        self.of_rows = len(embedder.input_shape_) == 1
        self.network = _portable(embedder, embedder.input_shape_)
        self.features = embedder.features_of
        self.weight = weight
        statistics = embedder._row_statistics or (np.zeros(1), np.ones(1))
        self.register_buffer("mean", torch.from_numpy(np.asarray(statistics[0], np.float64)))
        self.register_buffer("scale", torch.from_numpy(np.asarray(statistics[1], np.float64)))

    def forward(self, inputs: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return the embedding and the logits."""
        if self.of_rows:
            inputs = ((inputs.double() - self.mean) / self.scale).float()
        output = self.network(inputs)
        points = self.features(output.embedding)
        return points if self.weight == 1 else points * self.weight, output.logits


def _side_by_side(first: Any) -> list[tuple[Any, float]]:
    """Return the embedders that a model begins with, and their weights."""
    parts: list[tuple[str, Any]] = [("", first)]
    weights: dict[str, float] = {}
    if isinstance(first, FeatureUnion):
        parts, weights = first.transformer_list, first.transformer_weights or {}
    found = [(part, weights.get(name, 1)) for name, part in parts if part != "drop"]
    if not found or not all(isinstance(part, BaseEmbedder) for part, _ in found):
        raise ArgumentError(
            "{model} must be an embedder, a FeatureUnion of embedders, or a pipeline that begins "
            "with one, got {}.",
            title_of(describe(first)),
        )
    return found


class Graph(nn.Module):
    """All that a fitted model computes, as one module.

    Parameters
    ----------
    model : estimator
        Fitted; in a pipeline an embedder, or a union of some, comes first.
    """

    def __init__(self, model: Any) -> None:
        super().__init__()
        first, *rest = _steps_of(model)
        embedders = _side_by_side(first)
        self.shape = embedders[0][0].input_shape_
        self.input_name = "rows" if len(self.shape) == 1 else "images"
        self.embeddings = nn.ModuleList(_Embedding(*one) for one in embedders)
        self._set_rest(first, rest)

    def _set_rest(self, first: Any, rest: list[Any]) -> None:
        last = rest[-1] if rest else first
        self.classes = [word_of(label) for label in getattr(last, "classes_", ())]
        self.head: Any = None if rest else _head_of(first)
        classifies = bool(rest) and hasattr(last, "predict")
        self.classifier = classifier_module(last) if classifies else None
        self.steps = nn.ModuleList(map(transformer_module, rest[:-1] if classifies else rest))

    def tried_inputs(self) -> Tensor:
        """Return inputs to trace and to check."""
        rng = np.random.RandomState(0)
        if self.input_name == "rows":
            like: Any = self.embeddings[0]
            rows = rng.standard_normal((_N_TRIED, *self.shape)) * like.scale.numpy()
            return torch.from_numpy((rows + like.mean.numpy()).astype(np.float32))
        return torch.from_numpy(rng.randint(0, 256, (_N_TRIED, *self.shape), dtype=np.uint8))

    def output_names(self) -> list[str]:
        """Return the names of what is returned."""
        if self.head is not None:
            return ["embedding", "label", "posterior"]
        if self.classifier is None:
            return ["embedding"]
        with torch.inference_mode():
            _, posterior, _ = self.classifier(self._embedded(self.tried_inputs())[0])
        return ["embedding", "label", "decision" if posterior is None else "posterior"]

    def forward(self, inputs: Tensor) -> tuple[Tensor, ...]:
        """Return the embedding, and what the classifier says if there is one."""
        points, logits = self._embedded(inputs)
        embedding = points.float()
        if self.head is not None:
            scores = self.head(embedding, logits)
            return embedding, scores.argmax(1), scores.softmax(1).float()
        if self.classifier is None:
            return (embedding,)
        label, posterior, decision = self.classifier(points)
        return embedding, label, (decision if posterior is None else posterior).float()

    def _embedded(self, inputs: Tensor) -> tuple[Tensor, Tensor | None]:
        each = [embedding(inputs) for embedding in self.embeddings]
        points, logits = each[0]
        if len(each) > 1:
            points = torch.cat([one for one, _ in each], dim=1)
        if not len(self.steps) and self.classifier is None:
            return points, logits
        points = points.double()
        for step in self.steps:
            points = step(points)
        return points, logits


def _traced(graph: Graph, inputs: Tensor) -> bytes:
    names = graph.output_names()
    buffer = io.BytesIO()
    # What is the same for all pictures of one size is traced on purpose, which torch warns of. It
    # traces in one thread at a time, and here only one ignores warnings at a time.
    with ignored(Warning), torch.inference_mode():
        try:
            torch.onnx.export(
                graph,
                (inputs,),
                buffer,  # type: ignore[arg-type]
                input_names=[graph.input_name],
                output_names=names,
                dynamic_axes={name: {0: "n"} for name in (graph.input_name, *names)},
                opset_version=_OPSET,
                dynamo=False,  # the other way takes half a minute, and further packages
            )
        except torch.onnx.errors.OnnxExporterError as error:
            text = "{model}: torch cannot export the network: {}"
            raise ArgumentError(text, one_line(error)) from error
    return buffer.getvalue()


def _head_of(embedder: Any) -> nn.Module | None:
    return embedder.make_head() if hasattr(embedder, "make_head") else None


def _portable(embedder: BaseEmbedder, shape: tuple[int, ...]) -> nn.Module:
    """Return a copy of the network, of operations that other runtimes have."""
    network: Any = copy.deepcopy(embedder.net_.module_).to("cpu").float().eval()
    if isinstance(network.backbone, FaceBackbone):
        network.backbone = _Resampled(network.backbone, shape[0], shape[1])
    return network


class _Resampled(nn.Module):
    """A `FaceBackbone` that resamples images of one size by matrices."""

    rows: Tensor
    columns: Tensor

    def __init__(self, backbone: FaceBackbone, height: int, width: int) -> None:
        super().__init__()
        factor = backbone.image_size / min(height, width)
        self.backbone = backbone
        self.resizes = factor != 1
        self.register_buffer("rows", _resampling(height, round(height * factor)))
        self.register_buffer("columns", _resampling(width, round(width * factor)).T.contiguous())

    def forward(self, x: Tensor) -> Tensor:
        """Resample, then run the backbone, which finds nothing more to resample."""
        return self.backbone(self.rows @ x @ self.columns if self.resizes else x)


def _resampling(side: int, wanted: int) -> Tensor:
    """Return the matrix (wanted, side) that antialiased bilinear resampling is."""
    image = torch.eye(side, dtype=torch.float64)[None, None]
    sides = (wanted, side)
    resized = F.interpolate(image, sides, mode="bilinear", antialias=True, align_corners=False)
    return resized[0, 0].float()


def _check_same(graph: Graph, model: Any, inputs: Tensor) -> None:
    """Raise RuntimeError if the graph says something else than the model."""
    with torch.inference_mode():
        embedding, *answers = (output.numpy() for output in graph(inputs))
    rows: NDArray[Any] = inputs.numpy()
    has_classifier = isinstance(model, Pipeline) and graph.classifier is not None
    first = model[:-1] if has_classifier else model
    with ignored(UserWarning):  # rows have no names of columns, which the model may have learned
        pairs = [(embedding, first.transform(rows))]
        if answers and graph.output_names()[-1] == "posterior":
            pairs.append((answers[1], model.predict_proba(rows)))
    for found, wanted in pairs:
        if not np.allclose(found, wanted, rtol=_TOLERANCE, atol=_TOLERANCE):
            raise RuntimeError(
                f"the graph of {type(model).__name__} is {np.abs(found - wanted).max():.2g} from "
                "what it computes: nothing was written. Please report it."
            )
