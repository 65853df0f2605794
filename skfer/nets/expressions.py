"""A complete classifier of expressions, whose weights come with the package."""

from pathlib import Path

import torch
from torch import Tensor, nn

from skfer.nets._own_draws import OwnDraws
from skfer.nets.embedding import Embedded
from skfer.nets.start import WEIGHTS, FaceBackbone, load_start, read_backbone
from skfer.validation import check_real, refusal, shown

EXPRESSIONS_FILE = WEIGHTS / "face_expressions.safetensors"
"""Weights of the classifier that comes with the package."""


class ExpressionNet(nn.Module):
    """A backbone, average pooling, and a calibrated linear classifier.

    Parameters
    ----------
    backbone : FaceBackbone
        The network below.
    classes : sequence of str
        Names of the expressions, in the order of the logits.
    temperature : float, default=1.0
        Divides the logits, so that their softmax is as sure as it is right.

    See Also
    --------
    expression_network : The one that comes with the package.

    Examples
    --------
    >>> import torch
    >>> from skfer.nets import expression_network
    >>> net = expression_network()
    >>> net(torch.rand(2, 1, 48, 48)).logits.shape, net.classes[0]
    (torch.Size([2, 8]), 'anger')
    """

    def __init__(
        self, backbone: FaceBackbone, classes: tuple[str, ...], temperature: float = 1.0
    ) -> None:
        super().__init__()
        if not isinstance(backbone, FaceBackbone):
            raise refusal("backbone", "must be a FaceBackbone, got {}.", shown(backbone))
        is_names = isinstance(classes, tuple | list) and len(classes)
        if not is_names or not all(isinstance(name, str) for name in classes):
            raise refusal("classes", "must be the names of expressions, got {}.", shown(classes))
        self.backbone = backbone
        self.classes = tuple(classes)
        self.temperature = check_real(temperature, "temperature", above=0)
        self.classify = nn.Linear(7 * backbone.width // 2, len(self.classes))

    def forward(self, x: Tensor) -> Embedded:
        """Tell the expressions of images (n, channels, height, width), in any range of pixels.

        Returns
        -------
        Embedded
            Pooled features as the embedding, and logits; their softmax is the posterior.
        """
        pooled = self.backbone(x).mean((2, 3)).float()
        return Embedded(pooled, self.classify(pooled) / self.temperature)


def expression_network(in_channels: int = 1, *, weights: str | Path | None = None) -> ExpressionNet:
    """Return the classifier of expressions that comes with the package, ready to predict.

    Parameters
    ----------
    in_channels : int, default=1
        Channels of the images, as in :func:`face_backbone`.
    weights : path-like, default=None
        Another file that ``python -m skfer.pretraining`` wrote; by default the one that comes with
        the package, whose card lies beside it.

    Returns
    -------
    ExpressionNet
        A new module on the CPU, in inference mode, with ``classes`` and ``temperature``.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ArgumentError
        If `in_channels` is below 1, or the file does not hold a classifier.

    See Also
    --------
    face_backbone : Its backbone, to learn from.

    Examples
    --------
    >>> import torch
    >>> from skfer.nets import expression_network
    >>> network = expression_network()
    >>> posterior = network(torch.rand(2, 1, 64, 64)).logits.softmax(1)
    >>> posterior.shape, network.classes[4]
    (torch.Size([2, 8]), 'happiness')
    """
    with OwnDraws():  # what is drawn is overwritten
        return read_network(in_channels, weights=weights)


def read_network(in_channels: int = 1, *, weights: str | Path | None = None) -> ExpressionNet:
    """Return what :func:`expression_network` does; torch's generator goes on as the net draws."""
    path = EXPRESSIONS_FILE if weights is None else weights
    tensors, about = load_start(path)
    if "classify.weight" not in tensors or "classes" not in about:
        raise refusal("weights", "must hold a classifier; {} is a backbone.", shown(str(path)))
    backbone = read_backbone(in_channels, weights=path)
    with torch.device("cpu"):
        network = ExpressionNet(backbone, about["classes"], about.get("temperature", 1.0)).float()
    with torch.no_grad():
        network.classify.weight.copy_(tensors["classify.weight"])
        network.classify.bias.copy_(tensors["classify.bias"])
    return network.eval()
