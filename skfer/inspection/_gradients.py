"""Where an embedding looks, by gradient: for networks without attention of their own."""

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from skfer._typing import NDArray
from skfer.exceptions import ArgumentError
from skfer.training import Source, plain_modes

_BATCH = 32


def similarity_maps(embedder: Any, X: Any, targets: NDArray[Any]) -> NDArray[np.float32]:
    """Return where features speak for a face's similarity to a target.

    Grad-CAM on the cosine of the embedding and the target: the channels of the backbone's last
    feature map are weighted by the mean of the gradient over its cells, and what is left above 0 is
    resized to the picture.

    Parameters
    ----------
    embedder : BaseEmbedder
        A fitted one.
    X : array-like
        Pictures, as the embedder takes them.
    targets : ndarray of shape (n, embedding_dim)
        A point of the embedding for each, such as the mean of a class.

    Returns
    -------
    ndarray of shape (n, height, width)
        Each between 0 and 1, its largest value; zeros where nothing speaks for the target.
    """
    shape = embedder.input_shape_
    if len(shape) < 2:
        raise ArgumentError(
            "{estimator} was fitted on rows of {} numbers, which have no places to look at.",
            shape[0],
        )
    pictures = embedder._check_inputs(X, reset=False)
    with plain_modes():
        return _similarity_maps(embedder, pictures, targets)


def _similarity_maps(embedder: Any, pictures: Source, targets: NDArray[Any]) -> NDArray[np.float32]:
    # Copies: another thread may train or use the embedder meanwhile.
    network = copy.deepcopy(embedder.net_.module_).cpu().float().eval()
    network.mirror = False  # one look, at the picture as it is
    objective = copy.deepcopy(embedder.net_.criterion_).cpu()
    center = getattr(embedder, "embedding_center_", None)
    center = None if center is None else torch.tensor(center)

    def look(pictures: Tensor) -> Tensor:
        return objective.placed(network(pictures).embedding, center)

    maps = []
    for start in range(0, len(pictures), _BATCH):
        rows = slice(start, start + _BATCH)
        target = torch.from_numpy(np.asarray(targets[rows], dtype=np.float32))
        found = _maps(network.backbone, look, pictures[rows], target)
        shape = embedder.input_shape_[:2]
        found = F.interpolate(found, shape, mode="bilinear", align_corners=False)
        maps.append(found.squeeze(1).numpy())
    return np.concatenate(maps)


def _maps(backbone: Any, look: Callable[[Tensor], Tensor], batch: Tensor, target: Tensor) -> Tensor:
    kept: list[Tensor] = []

    def keep(module: Any, inputs: Any, output: Tensor) -> Tensor:
        # A leaf of its own: weights need no gradient here.
        kept.append(output.detach().requires_grad_())
        return kept[-1]

    hook = backbone.register_forward_hook(keep)
    try:
        with torch.enable_grad():
            cosine = F.cosine_similarity(look(batch), target).sum()
            (gradient,) = torch.autograd.grad(cosine, kept)
    finally:
        hook.remove()
    features = kept[0].detach()
    if features.ndim != 4:
        raise ArgumentError(
            "{estimator} has a backbone that gives rows of {} features, and no map to look at.",
            features.shape[1],
        )
    weights = gradient.mean((2, 3), keepdim=True)
    maps = (weights * features).sum(1, keepdim=True).clamp_min(0)
    return maps / maps.amax((1, 2, 3), keepdim=True).clamp_min(1e-30)
