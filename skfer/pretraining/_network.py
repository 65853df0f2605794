"""What learns: a backbone, and heads for all that is known of a drawn face."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from skfer.nets import FaceAugment, FaceBackbone, standardize_images

_POSE_WEIGHT = 0.3


class Answers(NamedTuple):
    """What the network says of a batch: logits of expressions and of action units, and the pose."""

    expression: Tensor
    units: Tensor
    pose: Tensor


class StartNet(nn.Module):
    """A backbone, average pooling, and a linear head for each thing to learn.

    Parameters
    ----------
    image_size, width : int
        Of the :class:`FaceBackbone`.
    n_classes, n_units : int
        Numbers of expressions and action units.
    """

    def __init__(self, image_size: int, width: int, n_classes: int, n_units: int) -> None:
        super().__init__()
        # The backbone evens out contrast and brightness.
        self.augment = FaceAugment(degrees=12, zoom=0.12, shift=0.08, contrast=0, brightness=0)
        self.backbone = FaceBackbone(image_size=image_size, width=width)
        features = 7 * width // 2
        self.classify = nn.Linear(features, n_classes)
        self.read_units = nn.Linear(features, n_units)
        self.read_pose = nn.Linear(features, 3)

    def forward(self, images: Tensor) -> Answers:
        """Answer for images (n, height, width)."""
        x = standardize_images(images)
        if self.training:
            x = self.augment(x)
        pooled = self.backbone(x).mean((2, 3))
        return Answers(self.classify(pooled), self.read_units(pooled), self.read_pose(pooled))


def loss_of(
    answers: Answers, target: Tensor, units: Tensor, pose: Tensor, smoothing: float
) -> Tensor:
    """Cross-entropy of expression and action units, and squared error of the pose."""
    by_class = F.cross_entropy(answers.expression, target, label_smoothing=smoothing)
    by_unit = F.binary_cross_entropy_with_logits(answers.units, units)
    return by_class + by_unit + _POSE_WEIGHT * F.mse_loss(answers.pose, pose)


class Averaged:
    """Moving average of a network's weights and buffers.

    Parameters
    ----------
    network : nn.Module
        What is averaged.
    decay : float
        What is left of the average after a step; less in the first steps.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.decay = decay
        self.steps = 0
        self.state = {k: v.detach().clone() for k, v in network.state_dict().items()}

    @torch.no_grad()
    def update(self, network: nn.Module) -> None:
        """Take in the network as it is after a step."""
        self.steps += 1
        decay = min(self.decay, self.steps / (self.steps + 10))
        for name, value in network.state_dict().items():
            if value.is_floating_point():
                self.state[name].lerp_(value, 1 - decay)
            else:
                self.state[name].copy_(value)
