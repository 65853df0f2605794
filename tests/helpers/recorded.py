"""Networks and steps that may be recorded on a GPU."""

import random
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import torch
from torch import nn

from skfer.embedders._multi_threshold import MultiThresholdObjective
from skfer.losses import MultiThresholdTripletLoss
from skfer.nets import CompactResNet, EmbeddingNet, try_backbone
from skfer.training import Objective
from skfer.training._replay import Part


class DrawsInPython(nn.Module):
    """Turns some batches upside down."""

    def forward(self, x):
        return x if random.random() < 0.5 else x.flip(2)


def network(**settings):
    backbone = CompactResNet((1, 16, 16), width=4)
    return EmbeddingNet(backbone, try_backbone(backbone, (1, 16, 16)).feature_shape, 6, **settings)


class OnItsOwn(Objective):
    """Is never part of a recording."""

    def is_recordable(self, *, bounded):
        return False


class Taken(NamedTuple):
    """A step, as a net takes it."""

    output: Any
    loss: Any
    stats: Any


def optimizer_of(*parts):
    """Return one whose steps are in proportion to the gradients, nearly."""
    parameters = [parameter for part in parts for parameter in part.parameters()]
    return torch.optim.AdamW(parameters, lr=0.1, eps=1.0, fused=True)


def call(run, net, x, objective=None, optimizer=None, n_steps_left=1000, looks=True, **targets):
    """Take a step whose labels are 0, 1, 0, 1, ..."""
    objective = OnItsOwn(None, 1.0) if objective is None else objective
    optimizer = OPTIMIZERS.setdefault(net, optimizer_of(net)) if optimizer is None else optimizer
    targets = {"labels": torch.arange(len(x), device=x.device) % 2} | targets
    part = Part(net, objective, optimizer)
    step = run.step(part, x, targets, n_steps_left, looks=looks)
    if step is not None:
        return Taken(*step)
    optimizer.zero_grad()
    output = run.output(net, x, n_steps_left, looks=looks)
    loss = objective(output, **targets)
    loss.backward()
    optimizer.step()
    return Taken(output, loss, objective.stats)


OPTIMIZERS: WeakKeyDictionary[Any, Any] = WeakKeyDictionary()


def labeled(**settings):
    return MultiThresholdObjective(MultiThresholdTripletLoss([0.1, 1.0]), **settings)


def batches(*sizes):
    return [torch.rand(n, 16, 16) for n in sizes]
