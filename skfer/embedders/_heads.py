"""From an embedding to the scores of classes, as torch modules: what other runtimes compute."""

import torch
from torch import Tensor, nn

from skfer._typing import NDArray

_NEVER = -1e30  # a log probability whose exponential is 0; -inf would make NaN of differences


class LogitsHead(nn.Module):
    """The classifier that was trained with the network."""

    def forward(self, points: Tensor, logits: Tensor) -> Tensor:
        """Return the logits."""
        return logits.double()


class MeansHead(nn.Module):
    """Gaussians of one variance around class means.

    Parameters
    ----------
    means : ndarray of shape (n_classes, n_features)
        Of each class.
    variance : float
        Of every coordinate.
    present : ndarray of bool of shape (n_classes,)
        Which classes there were samples of.
    """

    means: Tensor
    offset: Tensor

    def __init__(self, means: NDArray, variance: float, present: NDArray) -> None:
        super().__init__()
        self.register_buffer("means", torch.from_numpy(means))
        self.register_buffer("offset", torch.from_numpy(~present * _NEVER))
        self.variance = variance

    def forward(self, points: Tensor, logits: Tensor | None) -> Tensor:
        """Return log densities, up to a constant."""
        squared = (points.double()[:, None] - self.means[None]).square().sum(2)
        return self.offset - squared / (2 * self.variance)


class MixtureHead(nn.Module):
    """Gaussians, several of which may be one class.

    Parameters
    ----------
    means : ndarray of shape (n_components, n_features)
        Of each Gaussian.
    whitening : ndarray of shape (n_components or 1, n_features, n_features)
        What brings a centered row to unit covariance, from the right.
    log_weights : ndarray of shape (n_components,)
        What is added to half of the squared length of such a row.
    classes : ndarray of int of shape (n_components,)
        Class of each Gaussian.
    n_classes : int
        How many there are.
    temperature : float
        Divides the scores.
    """

    means: Tensor
    whitening: Tensor
    log_weights: Tensor
    others: Tensor

    def __init__(
        self,
        means: NDArray,
        whitening: NDArray,
        log_weights: NDArray,
        classes: NDArray,
        n_classes: int,
        temperature: float,
    ) -> None:
        super().__init__()
        member = torch.from_numpy(classes)[None] == torch.arange(n_classes)[:, None]
        self.register_buffer("means", torch.from_numpy(means))
        self.register_buffer("whitening", torch.from_numpy(whitening))
        self.register_buffer("log_weights", torch.from_numpy(log_weights).clamp_min(_NEVER))
        self.register_buffer("others", (~member).double() * _NEVER)
        self.temperature = temperature

    def forward(self, points: Tensor, logits: Tensor | None) -> Tensor:
        """Return the log density of each class, with its prior, divided by the temperature."""
        centered = points.double()[None] - self.means[:, None]
        squared = (centered @ self.whitening).square().sum(2).T
        joint = (self.log_weights - 0.5 * squared)[:, None] + self.others
        largest = joint.amax(2, keepdim=True)
        return (((joint - largest).exp().sum(2)).log() + largest[..., 0]) / self.temperature
