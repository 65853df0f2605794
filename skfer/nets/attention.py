"""Selective attention: weights of the places of a feature map, and of the coordinates."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from skfer.exceptions import ArgumentError
from skfer.validation import check_flag, check_int, shown


class SelectiveAttention(nn.Module):
    """Pool a feature map by pixel-wise attention, and weight the embedding's coordinates.

    Pixel-wise: ``m = sigmoid(conv(features))`` is one number in (0, 1) for every cell of the map,
    and the pooled features are ``sum(m * features) / sum(m)``. Element-wise:
    ``a = sigmoid(mlp(pooled))`` is one number in (0, 1) for every coordinate of the embedding.

    Parameters
    ----------
    in_channels : int
        Number of channels of the feature map, or of features of the rows.
    embedding_dim : int
        Length of the embedding whose coordinates are weighted.
    pixel : bool, default=True
        Whether to pool by pixel-wise attention; otherwise all cells of the map count equally.
    element : bool, default=True
        Whether to weight the coordinates.

    Raises
    ------
    ValueError
        If an argument is out of its range. On a call: if the features are neither a map
        nor rows, have another number of channels, or are rows although `pixel` is True.

    See Also
    --------
    skfer.losses.TripletCenterLoss : The loss that takes the element-wise weights.

    Notes
    -----
    The form of both parts is our reading of [1]_, and close to [2]_: a 1 x 1 convolution for the
    map, since each cell of a last feature map already covers its surroundings, and two linear
    layers for the weights. Both start with all attention at one half, so that training begins with
    average pooling and equal weights.

    References
    ----------
    .. [1] H. Rajoli et al., "Triplet loss-less center loss sampling strategies in facial expression
           recognition scenarios", CISS 2023. https://arxiv.org/abs/2302.04108
    .. [2] A. H. Farzaneh and X. Qi, "Facial expression recognition in the wild via deep attentive
           center loss", WACV 2021.

    Examples
    --------
    >>> import torch
    >>> from skfer.nets import SelectiveAttention
    >>> attention = SelectiveAttention(in_channels=8, embedding_dim=32)
    >>> pooled, weights, pixel_map = attention(torch.ones(2, 8, 6, 6))
    >>> pooled.shape, weights.shape, pixel_map.shape
    (torch.Size([2, 8]), torch.Size([2, 32]), torch.Size([2, 1, 6, 6]))
    """

    def __init__(
        self, in_channels: int, embedding_dim: int, *, pixel: bool = True, element: bool = True
    ) -> None:
        super().__init__()
        self.in_channels = in_channels = check_int(in_channels, "in_channels", at_least=1)
        embedding_dim = check_int(embedding_dim, "embedding_dim", at_least=1)
        pixel, element = check_flag(pixel, "pixel"), check_flag(element, "element")
        self.look = _neutral(nn.Conv2d(in_channels, 1, 1)) if pixel else None
        self.weigh = _weigher(in_channels, embedding_dim) if element else None

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor | None, Tensor | None]:
        """Pool features, and return the attention with them.

        Parameters
        ----------
        features : Tensor of shape (n_samples, in_channels, height, width) or \
                (n_samples, in_channels)
            The last feature map of a backbone, or rows (with `pixel` off only).

        Returns
        -------
        pooled : Tensor of shape (n_samples, in_channels)
            The pooled features; rows are returned as they are.
        weights : Tensor of shape (n_samples, embedding_dim) or None
            The element-wise attention, or None without it.
        pixel_map : Tensor of shape (n_samples, 1, height, width) or None
            The pixel-wise attention, or None without it.
        """
        self._check(features)
        pooled, pixel_map = self._pool(features)
        weights = None if self.weigh is None else self.weigh(pooled).sigmoid()
        return pooled, weights, pixel_map

    def _pool(self, features: Tensor) -> tuple[Tensor, Tensor | None]:
        if features.ndim == 2:
            return features, None
        if self.look is None:
            return features.mean((2, 3)), None
        _, channels, height, width = features.shape
        # Not flatten(2), whose -1 at the end ONNX cannot resolve for an empty batch.
        cells = features.reshape(-1, channels, height * width)
        # A matrix product takes half the time of this 1 x 1 convolution.
        scores = self.look.weight.flatten(1) @ cells + self.look.bias
        # m / sum(m) as a softmax of log(m), which avoids 0 / 0 where m vanishes.
        shares = F.logsigmoid(scores).softmax(2)
        pooled = (cells @ shares.transpose(1, 2)).squeeze(2)
        return pooled, scores.sigmoid().unflatten(2, features.shape[2:])

    def _check(self, features: Tensor) -> None:
        shape = tuple(features.shape) if isinstance(features, Tensor) else shown(features)
        if len(shape) not in (2, 4) or shape[1] != self.in_channels:
            raise ArgumentError(
                "{features} must be of shape (n_samples, in_channels, height, width) or "
                "(n_samples, in_channels) with in_channels={}, got {}.",
                self.in_channels,
                shape,
            )
        if features.ndim == 2 and self.look is not None:
            raise ArgumentError(
                "{features} of shape {} are rows, which have no pixels to weight: use "
                "{pixel=False}, or features of shape (n_samples, in_channels, height, width).",
                shape,
            )


def _weigher(in_channels: int, embedding_dim: int) -> nn.Sequential:
    hidden = max(in_channels // 2, 8)
    return nn.Sequential(
        nn.Linear(in_channels, hidden),
        nn.ReLU(inplace=True),
        _neutral(nn.Linear(hidden, embedding_dim)),
    )


def _neutral(layer: Any) -> Any:
    """Set a layer's parameters to 0, so that the sigmoid of its output starts at one half."""
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.zero_()
    return layer
