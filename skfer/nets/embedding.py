"""The whole network, from pixels or rows to the embedding and the logits."""

from typing import NamedTuple, Self

import torch
from torch import Tensor, nn

from skfer.exceptions import ArgumentError
from skfer.nets._checks import check_feature_shape, check_images, check_inputs, check_module
from skfer.nets.attention import SelectiveAttention
from skfer.validation import check_choice, check_flag, check_int, refusal, shown


class Embedded(NamedTuple):
    """What :class:`EmbeddingNet` returns for a batch of n samples.

    Attributes
    ----------
    embedding : Tensor of shape (n, embedding_dim)
        The embedding, float32.
    logits : Tensor of shape (n, n_classes) or None
        Output of the classifier on the embedding, or None without a classifier.
    attention : Tensor of shape (n, embedding_dim) or None
        Element-wise attention weights in (0, 1), or None without them.
    pixel_map : Tensor of shape (n, 1, h, w) or None
        Pixel-wise attention in (0, 1) on the last feature map, or None without it.

    See Also
    --------
    EmbeddingNet : Returns it.

    Examples
    --------
    >>> import torch
    >>> from skfer.nets import CompactResNet, EmbeddingNet, try_backbone
    >>> backbone = CompactResNet((1, 16, 16), width=4)
    >>> shape = try_backbone(backbone, (1, 16, 16)).feature_shape
    >>> net = EmbeddingNet(backbone, shape, 6, n_classes=3).eval()
    >>> output = net(torch.rand(2, 16, 16, 1))
    >>> output.embedding.shape, output.logits.shape
    (torch.Size([2, 6]), torch.Size([2, 3]))
    """

    embedding: Tensor
    logits: Tensor | None = None
    attention: Tensor | None = None
    pixel_map: Tensor | None = None


def standardize_images(images: Tensor) -> Tensor:
    """Standardize each image to mean 0 and standard deviation 1, channels first.

    Parameters
    ----------
    images : Tensor of shape (n, h, w) or (n, h, w, channels)
        Gray or color images of any dtype and any range of pixel values that float32 can hold.

    Returns
    -------
    Tensor of shape (n, channels, h, w)
        float32; a constant image becomes zeros.

    Raises
    ------
    ValueError
        If the images are no such tensor, or have the channels first.

    See Also
    --------
    EmbeddingNet : Does it to every batch.

    Examples
    --------
    >>> import torch
    >>> from skfer.nets import standardize_images
    >>> images = standardize_images(torch.rand(2, 16, 16, 1))
    >>> images.shape, bool(images.mean().abs() < 1e-3)
    (torch.Size([2, 1, 16, 16]), True)
    """
    images = check_images(images)
    if images.ndim == 3:
        images = images[..., None]
    flat = images.float().flatten(1)
    # Either way a new tensor, which may be changed in place.
    flat = _bounded(flat) if images.is_floating_point() else flat
    flat -= flat.mean(1, keepdim=True)
    if images.is_floating_point():
        flat -= flat.mean(1, keepdim=True)  # beside a large offset the first is rounded
    norm = torch.linalg.vector_norm(flat, dim=1, keepdim=True) / flat.shape[1] ** 0.5
    return (flat / norm.clamp_min(1e-6)).view(images.shape).permute(0, 3, 1, 2)


def _bounded(rows: Tensor) -> Tensor:
    """Scale rows so that their largest magnitude is about 1, and squares cannot overflow.

    The factors are powers of two, so that the results for ordinary rows do not change in any bit.
    """
    largest = rows.detach().abs().amax(1, keepdim=True)
    exponent = largest.frexp().exponent.clamp(-126, 126)
    return rows * torch.ldexp(torch.ones_like(largest), -exponent)


def set_layout(module: nn.Module, *, channels_last: bool) -> None:
    """Lay out the weights of convolutions for images in one of both layouts."""
    for weight in module.parameters():
        if weight.ndim == 4:
            weight.data = laid_out(weight.data, channels_last=channels_last)


def laid_out(x: Tensor, *, channels_last: bool) -> Tensor:
    """Return a tensor of four dimensions in one of both layouts; copied only if it has the other.

    Where one channel makes both of them contiguous, the strides tell which one torch goes on with.
    """
    layout = torch.channels_last if channels_last else torch.contiguous_format
    if x.is_contiguous(memory_format=layout) and (x.stride(1) == 1) == channels_last:
        return x
    return x.clone(memory_format=layout)


def _mean(own: Embedded, mirrored: Embedded) -> Embedded:
    """Average what has no place in the image; the map shows the image as it is."""
    return Embedded(
        (own.embedding + mirrored.embedding) / 2,
        _half_sum(own.logits, mirrored.logits),
        _half_sum(own.attention, mirrored.attention),
        own.pixel_map,
    )


def _half_sum(a: Tensor | None, b: Tensor | None) -> Tensor | None:
    return None if a is None or b is None else (a + b) / 2


def _wide(x: Tensor) -> Tensor:
    """Return a tensor in float32 at least."""
    return x if x.dtype == torch.float64 else x.float()


class AveragePool(nn.Module):
    """Mean over the cells of a feature map; rows pass through."""

    def forward(self, features: Tensor) -> tuple[Tensor, None, None]:
        """Pool (n, channels, h, w) or (n, channels) to (n, channels), without attention."""
        pooled = features.mean((2, 3)) if features.ndim == 4 else features
        return pooled, None, None


class EmbeddingNet(nn.Module):
    """Network from images or rows to embeddings, with an optional classifier.

    It standardizes and augments the images, runs the backbone, pools its features, projects them
    linearly, and standardizes the embedding.

    Parameters
    ----------
    backbone : nn.Module
        Maps standardized images (n, channels, h, w) or rows (n, n_features) to a feature
        map (n, c, h', w') or to rows (n, c).
    feature_shape : tuple of int
        Shape of the backbone's features for one sample.
    embedding_dim : int
        Length of the embedding.
    n_classes : int, optional
        Adds a linear classifier on the embedding.
    attention : {None, "pixel", "element", "both"}, default=None
        Which parts of :class:`SelectiveAttention` to use.
    augment : nn.Module, optional
        Applied to standardized images in training mode.
    standardize_embedding : bool, default=True
        Whether every coordinate of the embedding is standardized over the batch by a batch
        norm without affine part, which keeps the embedding from shrinking to a point.
    channels_last : bool, default=True
        Whether the backbone gets images in the layout ``torch.channels_last``, which is faster on
        a CPU; :func:`try_backbone` finds out whether it takes them.
    mirror : bool, default=False
        Whether, in inference mode, an image's embedding, logits and element-wise attention are the
        mean of its own and its mirror image's, for twice the time.

    Attributes
    ----------
    backbone_frozen : bool
        Whether the backbone is frozen, see :meth:`freeze_backbone`.

    Raises
    ------
    ValueError
        If an argument is out of its range. On a call: if images are no tensor of such a shape, or
        the augmentation changes the shape of a batch.

    See Also
    --------
    make_backbone : Makes its backbone.
    try_backbone : Finds out what features a backbone gives.

    Examples
    --------
    >>> import torch
    >>> from skfer.nets import CompactResNet, EmbeddingNet, try_backbone
    >>> backbone = CompactResNet((1, 16, 16), width=4)
    >>> shape = try_backbone(backbone, (1, 16, 16)).feature_shape
    >>> net = EmbeddingNet(backbone, shape, 6, n_classes=3).eval()
    >>> net(torch.rand(2, 16, 16, 1)).embedding.shape
    torch.Size([2, 6])
    """

    backbone_frozen = False

    def __init__(
        self,
        backbone: nn.Module,
        feature_shape: tuple[int, ...],
        embedding_dim: int,
        *,
        n_classes: int | None = None,
        attention: str | None = None,
        augment: nn.Module | None = None,
        standardize_embedding: bool = True,
        channels_last: bool = True,
        mirror: bool = False,
    ) -> None:
        super().__init__()
        check_module(backbone, "backbone")
        channels, *cells = check_feature_shape(feature_shape)
        embedding_dim = check_int(embedding_dim, "embedding_dim", at_least=1)
        n_classes = check_int(n_classes, "n_classes", at_least=1, optional=True)
        check_choice(attention, "attention", ("pixel", "element", "both"), optional=True)
        if attention in ("pixel", "both") and not cells:
            raise ArgumentError(
                "{attention=} looks at the cells of a feature map, and {feature_shape=} is of "
                "rows: give {attention='element'} or None.",
                attention=attention,
                feature_shape=feature_shape,
            )
        self.augment = None if augment is None else check_module(augment, "augment")
        self.backbone = backbone
        self.channels_last = check_flag(channels_last, "channels_last")
        self.mirror = check_flag(mirror, "mirror")
        set_layout(backbone, channels_last=channels_last)
        self.pool: nn.Module = AveragePool()
        if attention is not None:
            self.pool = SelectiveAttention(
                channels,
                embedding_dim,
                pixel=attention in ("pixel", "both"),
                element=attention in ("element", "both"),
            )
        standardize_embedding = check_flag(standardize_embedding, "standardize_embedding")
        self.project = nn.Linear(channels, embedding_dim, bias=not standardize_embedding)
        self.standardize: nn.Module = (
            nn.BatchNorm1d(embedding_dim, affine=False) if standardize_embedding else nn.Identity()
        )
        self.classify = nn.Linear(embedding_dim, n_classes) if n_classes else None

    def forward(self, x: Tensor, part: slice | None = None) -> Embedded:
        """Embed images (n, h, w), (n, h, w, channels) or standardized rows (n, n_features).

        Of a `part` alone, if it is given; images are augmented as in the whole batch.
        """
        if not (part is None or isinstance(part, slice)):
            raise refusal("part", "must be a slice of the batch, got {}.", shown(part))
        if check_inputs(x).ndim > 2:
            x = standardize_images(x)
            if self.training and self.augment is not None:
                x = self._augmented(x)
        x = x if part is None else x[part]
        if self.mirror and not self.training and x.ndim == 4:
            return _mean(self._embed(x), self._embed(x.flip(3)))
        return self._embed(x)

    def _embed(self, x: Tensor) -> Embedded:
        if x.ndim == 4:
            x = laid_out(x, channels_last=self.channels_last)
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.backbone_frozen):
            features = self.backbone(x)
        pooled, element, pixel = self.pool(features)
        # Losses are computed in float32, whatever precision the layers use.
        embedding = self.standardize(_wide(self.project(pooled)))
        logits = None if self.classify is None else _wide(self.classify(embedding))
        return Embedded(embedding, logits, element, pixel)

    def train(self, mode: bool = True) -> Self:
        """Set the mode of all modules; a frozen backbone stays in inference mode."""
        super().train(mode)
        if self.backbone_frozen:
            self.backbone.eval()
        return self

    def freeze_backbone(self, frozen: bool = True) -> None:
        """Stop or resume the learning of the backbone.

        A frozen backbone computes as in inference: its weights get no gradient, and its running
        statistics stay as they are.

        Parameters
        ----------
        frozen : bool, default=True
            False lets the backbone learn again.
        """
        self.backbone_frozen = check_flag(frozen, "frozen")
        self.backbone.train(self.training and not frozen)

    def _augmented(self, x: Tensor) -> Tensor:
        augmented = self.augment(x)  # type: ignore[misc]
        if augmented.shape != x.shape:
            raise ValueError(
                f"augment: {type(self.augment).__name__} must keep the shape of a batch (n, "
                f"channels, height, width), {tuple(x.shape)}, but made it {tuple(augmented.shape)}."
            )
        return augmented
