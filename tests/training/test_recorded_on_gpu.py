"""A network recorded on a GPU trains as one whose kernels are launched one by one."""

import copy
from functools import partial

import numpy as np
import pytest
import torch
from helpers.recorded import DrawsInPython, call, labeled, network, optimizer_of

from skfer import (
    CrossEntropyEmbedder,
    GaussianMetricEmbedder,
    MultiThresholdEmbedder,
    TripletCenterEmbedder,
)
from skfer.datasets import make_expressions
from skfer.embedders._multi_threshold import MultiThresholdObjective
from skfer.embedders._triplet_center import NEGATIVES, TripletCenterObjective
from skfer.embedders.gaussian._objective import GaussianObjective
from skfer.losses import GaussianMetricLoss, MultiThresholdTripletLoss, TripletCenterLoss
from skfer.nets import FaceAugment
from skfer.training import Objective, _recorded, _replay
from skfer.training._recorded import RecordedTraining

EMBEDDERS = (
    CrossEntropyEmbedder,
    GaussianMetricEmbedder,
    MultiThresholdEmbedder,
    TripletCenterEmbedder,
)
OTHER_WAYS = {
    "as it is": {},
    "from the start": {"backbone": "auto"},
    "frozen at first": {"freeze_backbone": 0.5, "max_epochs": 80},
    "in bfloat16": {"precision": "bfloat16"},
}
MINING = {"mining": {0: "batch-all", 0.5: "batch-hard"}}


@pytest.fixture
def faces():
    return make_expressions(4, 2, image_size=24, random_state=0)


@pytest.fixture
def recordings(monkeypatch):
    """The parts of steps that were recorded."""
    recorded = []

    def noted(kind, part, *arguments):
        replay = kind(part, *arguments)
        recorded.append(part)
        return replay

    for kind in (_replay.NetworkReplay, _replay.StepReplay):
        monkeypatch.setattr(_recorded, kind.__name__, partial(noted, kind))
    return recorded


NETWORKS = {
    "plain": {},
    "all it can have": {"augment": FaceAugment(), "attention": "both", "n_classes": 3},
}


class Weighted(Objective):
    """Sums the network's outputs, each number with a weight of its own.

    It is no sum of squares, which the standardization of the embedding makes nearly constant.
    """

    def __init__(self, alone):
        super().__init__(None)
        self.alone = alone

    def forward(self, output, labels):
        present = [tensor for tensor in output if tensor is not None]
        weights = [torch.linspace(-1, 1, t.numel(), device=t.device).view_as(t) for t in present]
        terms = [(t * w).sum() for t, w in zip(present, weights, strict=True)]
        return sum(terms) * (1 + labels.sum() / 100)

    def is_recordable(self, *, bounded):
        return not self.alone


def take_step(run, net, objective, optimizer, x):
    """Return the loss and outputs of a step, then the weights, then the statistics after it."""
    torch.cuda.manual_seed(0)
    step = call(run, net, x, objective, optimizer)
    outputs = [step.loss, *step.stats.values(), *(t for t in step.output if t is not None)]
    parts = outputs, [*net.parameters(), *objective.parameters()], net.buffers()
    return [torch.cat([tensor.detach().float().flatten() for tensor in part]) for part in parts]


@pytest.mark.cuda
@pytest.mark.parametrize("alone", [False, True])
@pytest.mark.parametrize("frozen", [False, True])
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("settings", NETWORKS.values(), ids=NETWORKS)
def test_a_recorded_step_is_the_same(settings, precision, frozen, alone):
    net = network(**settings)
    net.freeze_backbone(frozen)
    share = 1e-3 if precision == "float32" else 0.05
    check_recorded_steps(net, Weighted(alone), precision, share)


def robust():
    objective = Objective(None, 1.0)
    objective.robustness = 0.7
    return objective


def centered(negatives):
    objective = TripletCenterObjective(TripletCenterLoss(3, 6, negatives=negatives), 1.0)
    objective.set_centers(torch.eye(6)[:3], torch.arange(3))
    return objective


LOSSES = {
    "cross-entropy": lambda: Objective(None, 1.0),
    "where labels may be wrong": robust,
    "batch-all": labeled,
    "batch-all, beside cross-entropy": lambda: labeled(classification_weight=0.5),
    "batch-hard": lambda: MultiThresholdObjective(
        MultiThresholdTripletLoss([0.1, 1.0], mining="batch-hard", dual=True)
    ),
    **{
        f"triplet-center, {negatives}": partial(centered, negatives)
        for negatives in sorted(NEGATIVES)
    },
    "Gaussian": lambda: GaussianObjective(GaussianMetricLoss(), 1.0, n_classes=3, mixup=None),
}


@pytest.mark.cuda
@pytest.mark.parametrize("objective", LOSSES.values(), ids=LOSSES)
def test_a_recorded_loss_is_the_same(objective):
    run = check_recorded_steps(network(n_classes=3), objective(), "float32", 1e-3)
    assert run._replay._part.objective is not None


def check_recorded_steps(net, objective, precision, share):
    torch.manual_seed(0)
    net, device = net.cuda(), torch.device("cuda", 0)
    objective = objective.to(device)
    start = copy.deepcopy([part.state_dict() for part in (net, objective)])
    x = torch.rand(3, 12, 16, 16, device=device)
    plain, recorded = (RecordedTraining(device, precision) for _ in range(2))
    plain.forget()
    ways = []
    with torch.backends.cudnn.flags(deterministic=True, allow_tf32=False):
        for run in (plain, recorded):
            net.load_state_dict(start[0])
            objective.load_state_dict(start[1])
            optimizer = optimizer_of(net, objective)
            # Of another shape in between: what the kernels use is to stay where it is.
            some = (x[0], x[1, :7], *x[1:])
            ways.append([take_step(run, net, objective, optimizer, batch) for batch in some])
            optimizer.param_groups[0]["lr"] = 0.01
            ways[-1].append(take_step(run, net, objective, optimizer, x[0]))
    assert recorded._replay is not None
    assert plain._replay is None
    assert {int(state["step"]) for state in optimizer.state.values()} == {5}
    for one, other in zip(*ways, strict=True):
        for a, b in zip(one, other, strict=True):
            torch.testing.assert_close(a, b, rtol=share, atol=share * float(b.abs().max()))
    assert not torch.equal(ways[1][-1][1], ways[1][0][1])
    return recorded


@pytest.mark.cuda
def test_a_network_that_cannot_be_recorded_goes_on(monkeypatch):
    """The draws after a recording that fails are those without it."""
    device = torch.device("cuda", 0)
    net, x = network(augment=FaceAugment()).cuda(), torch.rand(12, 16, 16, device=device)
    monkeypatch.setattr(
        net.standardize, "forward", lambda features: features * float(features.mean())
    )
    drawn = torch.cuda.get_rng_state()
    expected = net(x).embedding
    torch.cuda.set_rng_state(drawn)
    step = call(RecordedTraining(device, "float32"), net, x, Weighted(alone=True))
    assert torch.equal(step.output.embedding, expected)
    assert torch.cuda.current_stream() == torch.cuda.default_stream()


@pytest.mark.cuda
@pytest.mark.parametrize(
    ("cls", "settings"),
    [
        *(
            pytest.param(cls, settings, id=f"{cls.__name__}, {name}")
            for cls in EMBEDDERS
            for name, settings in OTHER_WAYS.items()
        ),
        pytest.param(MultiThresholdEmbedder, MINING, id="other triplets later"),
    ],
)
def test_a_recorded_training(cls, settings, faces, recordings, monkeypatch):
    settings = {"backbone": "scratch", "precision": "float32", "max_epochs": 60} | settings
    model = cls(8, device="cuda", random_state=0, **settings)
    X, y = faces.images[:61], faces.target[:61]  # the last of some batches is smaller
    losses = [epoch["train_loss"] for epoch in model.fit(X, y).history_]
    n_recorded = 1 if settings.keys().isdisjoint({"freeze_backbone", "mining"}) else 2
    assert len(recordings) == n_recorded
    assert all(part.objective is not None for part in recordings)
    monkeypatch.setattr(_recorded, "_WORTH", 10**9)
    plain = [epoch["train_loss"] for epoch in model.fit(X, y).history_]
    assert len(recordings) == n_recorded
    # Sums on a GPU round otherwise from run to run, which a training amplifies.
    np.testing.assert_allclose(np.mean(losses[20:]), np.mean(plain[20:]), rtol=0.1)


@pytest.mark.cuda
def test_draws_and_statistics_are_left_alone(faces):
    model = CrossEntropyEmbedder(8, backbone="scratch", max_epochs=60, device="cuda")
    state = torch.cuda.get_rng_state()
    net = model.set_params(random_state=0).fit(faces.images, faces.target).net_
    assert torch.equal(torch.cuda.get_rng_state(), state)
    n_steps = net.n_steps
    counted = {int(m.num_batches_tracked) for m in net.module_.modules() if hasattr(m, "momentum")}
    assert counted == {n_steps}
    assert all(parameter.grad is None for parameter in net.module_.parameters())


@pytest.mark.cuda
def test_what_draws_in_python_is_not_recorded(faces, recordings):
    model = CrossEntropyEmbedder(8, backbone="scratch", augment=DrawsInPython(), max_epochs=60)
    model.set_params(device="cuda", random_state=0).fit(faces.images, faces.target)
    assert recordings == []
