"""The model of expressions that comes with the package, as an estimator."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.utils import check_random_state

from skfer.embedders import CrossEntropyEmbedder
from skfer.embedders._devices import check_device
from skfer.nets import EXPRESSIONS_FILE, ExpressionNet, expression_network
from skfer.nets._own_draws import OwnDraws
from skfer.preprocessing import FaceAligner, FaceDetector, as_detector
from skfer.training import MetricNet, plain_modes


def load_expression_model(
    *, detector: FaceDetector | Callable[..., Any] | str | None = None, device: str = "auto"
) -> Pipeline:
    """Return the model of eight expressions that comes with the package, ready to predict.

    Its network, :func:`skfer.nets.expression_network`, was taught drawn faces and real ones in
    gray; its card, beside the weights, is part of :func:`model_card`. The real faces show anger,
    happiness, neutral, sadness and surprise. Contempt, disgust and fear it has learned from drawn
    faces alone, and hardly ever finds them in photographs.

    Parameters
    ----------
    detector : FaceDetector, callable or "default", default=None
        Finds the largest face of each picture, as :class:`skfer.preprocessing.FaceAligner` says,
        and raises where there is none. None takes the pictures whole, faces that fill them, and
        warns of what seems to be a photograph.
    device : str, default="auto"
        Where to compute.

    Returns
    -------
    Pipeline
        A fitted pipeline of a FaceAligner and a :class:`~skfer.CrossEntropyEmbedder`. It takes
        pictures of any size, gray or in color, as arrays (of uint8, or of numbers from 0 to 1 or to
        255), PIL images or paths: ``predict`` tells the expression, ``predict_proba`` the posterior
        in the order of ``classes_``, ``transform`` of ``model[:-1]`` the picture that the network
        sees, and ``model[-1].transform`` of that the embedding.

    Raises
    ------
    ArgumentError
        If `detector` is no detector, or `device` none of torch.

    See Also
    --------
    skfer.preprocessing.detect_faces : Every face of photographs; takes ``model[0]``.

    Examples
    --------
    >>> import skfer
    >>> from skfer.datasets import make_expressions
    >>> faces = make_expressions(5, 1, classes=["happiness", "surprise"], random_state=0)
    >>> model = skfer.load_expression_model()
    >>> model.predict_proba(faces.images).shape
    (10, 8)
    >>> bool((model.predict(faces.images) == faces.target_names[faces.target]).mean() > 0.5)
    True
    """
    if detector is not None:
        as_detector(detector)
    check_device(device)
    with plain_modes(), OwnDraws():  # what is drawn is overwritten
        return _make_ready(detector, device)


def _make_ready(detector: Any, device: str) -> Pipeline:
    ready = expression_network()
    size = ready.backbone.image_size
    aligner = FaceAligner(detector=detector, image_size=size, color=False)
    model = make_pipeline(aligner, _as_embedder(ready, device))
    card = EXPRESSIONS_FILE.with_suffix(".md").read_text(encoding="utf-8")
    model.card_ = {"name": "skfer's model of expressions", "about_its_weights": card}
    return model


def _as_embedder(ready: ExpressionNet, device: str) -> CrossEntropyEmbedder:
    """Return an embedder whose network computes what a ready one computes."""
    size, length = ready.backbone.image_size, ready.classify.in_features
    # Its network is of the larger of both sizes, and was scored without mirror images.
    embedder = CrossEntropyEmbedder(
        length,
        standardize_embedding=False,
        normalize_embedding=False,
        backbone="large",
        image_size=size,
        mirror=False,
        device=device,
    )
    embedder.mirror_ = False
    embedder.classes_ = np.array(ready.classes)
    embedder._note_shape((size, size))
    network = embedder.make_network()
    classify: Any = network.classify
    network.backbone.load_state_dict(ready.backbone.state_dict())
    with torch.no_grad():
        network.project.weight.copy_(torch.eye(length))
        network.project.bias.zero_()
        # Logits of a probability that is as sure as it is right.
        classify.weight.copy_(ready.classify.weight / ready.temperature)
        classify.bias.copy_(ready.classify.bias / ready.temperature)
    embedder.__dict__.update(
        net_=MetricNet.restored(
            network.eval(),
            embedder.make_objective(),
            history=[],
            schedule="constant",
            precision="float32",
        ),
        history_=[],
        n_iter_=0,
        n_groups_=None,
        embedding_center_=None,
        wrong_label_share_=None,
        class_count_=np.zeros(len(ready.classes), dtype=int),
        _built_from=embedder.get_params(deep=False),
        _trained_with=embedder.get_params(deep=False),
        _in_passes=False,
        _random_state=check_random_state(None),
    )
    return embedder
