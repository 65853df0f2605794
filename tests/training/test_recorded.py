"""A network recorded on a GPU trains as one whose kernels are launched one by one."""

import copy
import random
from contextlib import nullcontext
from functools import partial
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
import pytest
import torch
from torch import nn

from skfer import (
    CrossEntropyEmbedder,
    GaussianMetricEmbedder,
    MultiThresholdEmbedder,
    TripletCenterEmbedder,
)
from skfer.datasets import make_expressions
from skfer.embedders._multi_threshold import MultiThresholdObjective
from skfer.losses import MultiThresholdTripletLoss, TripletCenterLoss
from skfer.nets import CompactResNet, Embedded, EmbeddingNet, FaceAugment, try_backbone
from skfer.training import Objective, _recorded, _replay
from skfer.training._recorded import RecordedTraining, is_recordable
from skfer.training._replay import Part

EMBEDDERS = (
    CrossEntropyEmbedder,
    GaussianMetricEmbedder,
    MultiThresholdEmbedder,
    TripletCenterEmbedder,
)
OTHER_WAYS = {
    "as it is": {},
    "from the start": {"backbone": "auto"},
    "frozen at first": {"freeze_backbone": 0.5},
    "in bfloat16": {"precision": "bfloat16"},
}
MINING = {"mining": {0: "batch-all", 0.5: "batch-hard"}}


class DrawsInPython(nn.Module):
    """Turns some batches upside down."""

    def forward(self, x):
        return x if random.random() < 0.5 else x.flip(2)


def network(**settings):
    backbone = CompactResNet((1, 16, 16), width=4)
    return EmbeddingNet(backbone, try_backbone(backbone, (1, 16, 16)).feature_shape, 6, **settings)


def test_what_can_be_recorded():
    assert is_recordable(network(augment=FaceAugment(), attention="both", n_classes=3))
    assert not is_recordable(network(augment=DrawsInPython()))
    assert not is_recordable(nn.Linear(2, 2))


@pytest.mark.parametrize(
    "register",
    [
        nn.Module.register_forward_hook,
        nn.Module.register_forward_pre_hook,
        nn.Module.register_full_backward_hook,
        nn.Module.register_full_backward_pre_hook,
    ],
)
def test_a_network_with_a_hook_is_not_recorded(register):
    watched = network()
    handle = register(watched.backbone.layers[0], lambda *arguments: None)
    assert not is_recordable(watched)
    handle.remove()
    assert is_recordable(watched)


def test_a_network_that_is_watched_is_not_recorded():
    watched = network()
    weight = watched.project.weight
    for register in (weight.register_hook, weight.register_post_accumulate_grad_hook):
        handle = register(lambda *arguments: None)
        assert not is_recordable(watched)
        handle.remove()
    handle = nn.modules.module.register_module_forward_hook(lambda *arguments: None)
    assert not is_recordable(watched)
    handle.remove()
    watched.backbone.layers[0] = nn.BatchNorm2d(1, momentum=None)
    assert not is_recordable(watched)


class OnItsOwn(Objective):
    """Is never part of a recording."""

    def is_recordable(self, n_samples):
        return False


class Taken(NamedTuple):
    """A step, as a net takes it."""

    output: Any
    loss: Any
    stats: Any


def optimizer_of(net):
    """Return one whose steps are in proportion to the gradients, nearly."""
    return torch.optim.AdamW(net.parameters(), lr=0.1, eps=1.0, fused=True)


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


def test_nothing_is_recorded_on_a_processor(monkeypatch):
    monkeypatch.setattr(_recorded, "is_recordable", None)
    net, objective = network(n_classes=3), Objective(None, 1.0)
    run = RecordedTraining(torch.device("cpu"), "float32")
    x = torch.rand(4, 16, 16)
    state = {name: value.clone() for name, value in net.state_dict().items()}
    step = call(run, net, x, objective)
    net.load_state_dict(state)
    output = net(x)
    assert run._replay is None
    assert torch.equal(step.output.embedding, output.embedding)
    assert torch.equal(step.loss, objective(output, torch.arange(4) % 2))
    run.forget()


class Generator:
    """Stands for that of a GPU."""

    def __init__(self):
        self.calls = []

    def get_state(self):
        return "drawn"

    def clone_state(self):
        return "whole state"

    def set_state(self, state):
        self.calls.append(("set", state))

    def graphsafe_set_state(self, state):
        self.calls.append(("replaced", state))


class Played(_replay._Replay):
    """A recording that is made on a processor: the part runs once more for each batch."""

    def __init__(self, part, inputs, precision):
        self._batch = _replay._shapes(inputs)
        self._parameters = part.parameters()
        part.network(inputs[0])
        if part.optimizer is not None:
            _replay._make_states(part.optimizer, self._parameters)
        self._part, self._made_of = part, part.made_of()

    def __call__(self, x, labels=None):
        PLAYED.append(len(x))
        output = self._part.network(x)
        if labels is None:
            return output
        loss = self._part.objective(output, labels)
        self._part.optimizer.zero_grad()
        loss.backward()
        self._part.optimizer.step()
        return output, loss, self._part.objective.stats

    _warm_up = _record = None


PLAYED: list[int] = []


@pytest.fixture
def recorder(monkeypatch):
    """What would be recorded on a GPU, and how the generator was treated."""
    PLAYED.clear()
    made, generator = [], Generator()

    def make(part, inputs, precision):
        made.append(len(inputs[0]))
        return Played(part, inputs, precision)

    for kind in ("NetworkReplay", "StepReplay"):
        monkeypatch.setattr(_recorded, kind, make)
    monkeypatch.setattr(_recorded, "_generator_of", lambda device: generator)
    run = RecordedTraining(torch.device("cpu"), "float32")
    run._n_left = 8
    return run, made, generator


def batches(*sizes):
    return [torch.rand(n, 16, 16) for n in sizes]


def test_recording_leaves_no_trace(recorder):
    run, made, generator = recorder
    net = network(n_classes=3)
    twin = copy.deepcopy(net)
    plain = RecordedTraining(torch.device("cpu"), "float32")
    for x in batches(4, 4, 4):
        call(run, net, x)
        call(plain, twin, x)
    assert made == [4]
    assert PLAYED == [4, 4, 4]
    assert generator.calls == [("set", "drawn")]
    for buffer, expected in zip(net.buffers(), twin.buffers(), strict=True):
        assert torch.equal(buffer, expected)


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_a_recording_that_fails_leaves_no_trace(error, recorder, monkeypatch):
    run, _, generator = recorder
    net = network(n_classes=3)

    def fails(part, inputs, precision):
        part.network(inputs[0])
        raise error

    monkeypatch.setattr(_recorded, "NetworkReplay", fails)
    before = [buffer.clone() for buffer in net.buffers()]
    if error is KeyboardInterrupt:
        with pytest.raises(KeyboardInterrupt):
            call(run, net, batches(4)[0])
        for buffer, expected in zip(net.buffers(), before, strict=True):
            assert torch.equal(buffer, expected)
    else:
        for x in batches(4, 4):
            call(run, net, x)
        assert all(int(m.num_batches_tracked) == 2 for m in net.modules() if hasattr(m, "momentum"))
    assert generator.calls == [("replaced", "whole state")]


def test_a_short_training_is_not_recorded(recorder):
    run, made, _ = recorder
    call(run, network(n_classes=3), batches(4)[0], n_steps_left=10)
    call(run, network(n_classes=3), torch.rand(2**11, 46, 46))  # a large batch neither
    assert made == []


def test_another_shape_is_recorded_once_it_is_the_usual_one(recorder):
    run, made, _ = recorder
    net = network(n_classes=3)
    for x in batches(4, 6, 4, *[6] * 8, 6, 4):
        call(run, net, x)
    assert made == [4, 6]
    assert PLAYED == [4, 4, 6, 6]


CHANGES = {
    "frozen": lambda net: net.freeze_backbone(),
    "a part is frozen": lambda net: net.project.requires_grad_(False),
    "in inference mode": lambda net: net.standardize.eval(),
    "a setting": lambda net: setattr(net.augment, "degrees", 20.0),
    "other weights": lambda net: setattr(net.project.weight, "data", torch.ones(6, 14)),
    "a module": lambda net: setattr(net, "standardize", nn.Identity()),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_network_that_has_changed_is_recorded_anew(change, recorder):
    run, made, _ = recorder
    net = network(n_classes=3, augment=FaceAugment())
    for x in batches(4, 5):
        call(run, net, x)
    change(net)
    for x in batches(5, 5):
        call(run, net, x)
    assert made == [4, 5]


def test_a_network_that_changes_all_the_time_is_recorded_no_more(recorder):
    run, made, _ = recorder
    net = network(n_classes=3, augment=FaceAugment())
    for degrees, x in enumerate(batches(*[4] * 20)):
        net.augment.degrees = degrees
        call(run, net, x)
    assert len(made) == 8


def test_another_network_and_a_hook(recorder):
    run, made, _ = recorder
    first, second = network(n_classes=3), network(n_classes=3)
    for net in (first, second):
        call(run, net, batches(4)[0])
    assert made == [4, 4]
    handle = second.register_forward_hook(lambda *arguments: None)
    call(run, second, batches(4)[0])
    handle.remove()
    assert made == [4, 4]
    assert PLAYED == [4, 4]


def test_nothing_is_recorded_once_it_is_forgotten(recorder):
    run, made, _ = recorder
    net = network(n_classes=3)
    call(run, net, batches(4)[0])
    run.forget()
    assert all(parameter.grad is None for parameter in net.parameters())
    call(run, net, batches(4)[0])
    assert made == [4]


def labeled(**settings):
    return MultiThresholdObjective(MultiThresholdTripletLoss([0.1, 1.0]), **settings)


def test_whole_steps_are_recorded(recorder):
    run, made, _ = recorder
    net, objective = network(n_classes=3), labeled()
    twins = copy.deepcopy((net, objective))
    plain = RecordedTraining(torch.device("cpu"), "float32")
    for x in batches(4, 4):
        steps = [call(run, net, x, objective), call(plain, twins[0], x, twins[1])]
        assert torch.equal(steps[0].loss, steps[1].loss)
        assert torch.equal(steps[0].output.embedding, steps[1].output.embedding)
        assert steps[0].stats == steps[1].stats
        assert set(steps[0].stats) == {"active_fraction"}
    assert made == [4]
    assert run._replay._part.objective is objective
    for one, other in zip(net.parameters(), twins[0].parameters(), strict=True):
        assert torch.equal(one, other)


def test_batches_of_another_shape_leave_the_recorded_step_alone(recorder):
    run, made, _ = recorder
    net, objective = network(n_classes=3), labeled()
    for x in batches(4, 3, 4, 3, 4):
        call(run, net, x, objective)
    assert made == [4]
    assert PLAYED == [4, 4, 4]


def test_a_step_is_recorded_whole_once_it_can_be(recorder):
    run, made, _ = recorder
    net, objective = network(n_classes=3), labeled()
    all_triplets = batches(*[132, 20] * 2)
    for x in all_triplets:
        call(run, net, x, objective)
    assert made == [132]
    assert run._replay._part.objective is None
    objective.metric_loss.mining = "batch-hard"
    call(run, net, all_triplets[0], objective)
    assert made == [132, 132]
    assert run._replay._part.objective is objective
    assert PLAYED == [132, 132, 132]


OTHERS = {
    "a weight": lambda part: setattr(part.objective, "metric_weight", 2.0),
    "a choice": lambda part: setattr(part.objective.metric_loss, "mining", "batch-hard"),
    "a buffer": lambda part: setattr(part.objective.metric_loss, "thresholds", torch.ones(2)),
    "weight decay": lambda part: part.optimizer.param_groups[0].update(weight_decay=0.5),
    "betas": lambda part: part.optimizer.param_groups[0].update(betas=(0.5, 0.9)),
    "a state": lambda part: part.optimizer.load_state_dict(
        copy.deepcopy(part.optimizer.state_dict())
    ),
}


@pytest.mark.parametrize("change", OTHERS.values(), ids=OTHERS)
def test_a_step_that_has_changed_is_recorded_anew(change, recorder):
    run, made, _ = recorder
    net, objective = network(n_classes=3), labeled()
    optimizer = optimizer_of(net)
    plain = RecordedTraining(torch.device("cpu"), "float32")
    call(plain, net, batches(4)[0], objective, optimizer)
    for x in batches(4, 4):
        call(run, net, x, objective, optimizer)
    change(Part(net, objective, optimizer))
    for x in batches(4, 4):
        call(run, net, x, objective, optimizer)
    assert made == [4, 4]
    assert PLAYED == [4, 4, 4, 4]


def test_another_learning_rate_is_no_change(recorder):
    run, made, _ = recorder
    net, objective = network(n_classes=3), labeled()
    optimizer = optimizer_of(net)
    call(RecordedTraining(torch.device("cpu"), "float32"), net, batches(4)[0], objective, optimizer)
    for x in batches(4, 4):
        call(run, net, x, objective, optimizer)
        optimizer.param_groups[0]["lr"] /= 2
    assert made == [4]


def test_states_of_an_optimizer_are_made_without_a_step():
    net = network(n_classes=3)
    optimizer = optimizer_of(net)
    first, *others = net.parameters()
    first.grad = torch.ones_like(first)
    optimizer.step()
    before = copy.deepcopy((net.state_dict(), optimizer.state_dict()))
    _replay._make_states(optimizer, [first, *others])
    assert torch.equal(first.grad, torch.ones_like(first))
    assert all(parameter.grad is None for parameter in others)
    for name, value in net.state_dict().items():
        assert torch.equal(value, before[0][name])
    assert int(optimizer.state[first]["step"]) == 1
    assert optimizer.state_dict()["param_groups"] == before[1]["param_groups"]
    for parameter in others:
        assert not any(value.any() for value in optimizer.state[parameter].values())


def test_nobody_looks_where_nothing_has_changed(recorder, monkeypatch):
    run, _, _ = recorder
    net, objective = network(n_classes=3), labeled()
    call(run, net, batches(4)[0], objective)
    monkeypatch.setattr(Part, "made_of", None)
    call(run, net, batches(4)[0], objective, looks=False)
    assert PLAYED == [4, 4]


class Graph:
    """Stands for one of a GPU: what is recorded is computed once, then, and never replayed."""

    def wait_stream(self, other):
        pass

    def pool(self):
        return None

    def replay(self):
        pass


@pytest.fixture
def on_processor(monkeypatch):
    """Recordings are made on a processor."""
    for name in ("current_stream", "Stream", "CUDAGraph"):
        monkeypatch.setattr(torch.cuda, name, lambda *_: Graph())
    for name in ("device", "stream", "graph"):
        monkeypatch.setattr(torch.cuda, name, lambda *_, **__: nullcontext())


@pytest.mark.parametrize("objective", [labeled, lambda: Objective(None, 1.0)])
def test_what_a_recorded_step_gives(objective, on_processor):
    net, objective = network(n_classes=3), objective()
    (x,), labels = batches(6), torch.arange(6) % 2
    twin = copy.deepcopy(net)
    expected = twin(x)
    loss = objective(expected, labels)
    loss.backward()
    stats = dict(objective.stats)

    optimizer = optimizer_of(net)
    net.project.weight.grad = torch.ones_like(net.project.weight)
    part = Part(net, objective, optimizer)
    before = copy.deepcopy(net.state_dict())
    replay = _replay.StepReplay(part, (x, labels), "float32")
    # What was computed had a learning rate of 0, which the replays set.
    for name, parameter in net.named_parameters():
        assert torch.equal(parameter, before[name])
    assert torch.equal(net.project.weight.grad, torch.ones_like(net.project.weight))
    assert objective.stats == {}
    assert replay.takes((x, labels))
    assert replay.is_whole
    assert replay.is_of(part, (x, labels), looks=True)

    output, found, found_stats = replay(x, labels)
    torch.testing.assert_close(output.embedding, expected.embedding)
    torch.testing.assert_close(output.logits, expected.logits)
    torch.testing.assert_close(found, loss.detach())
    assert not found.requires_grad
    assert not output.embedding.requires_grad
    torch.testing.assert_close(found_stats, stats)
    assert objective.stats == found_stats
    assert all(found_stats[name] is not replay._stats[name] for name in stats)
    for one, other in zip(net.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(one.grad, other.grad)
    (group,) = optimizer.param_groups
    assert (group["lr"], group["capturable"]) == (0.1, False)
    assert float(replay._lr[0]) == pytest.approx(0.1)
    assert {int(state["step"]) for state in optimizer.state.values()} == {1}
    replay.drop_gradients()
    assert all(parameter.grad is None for parameter in net.parameters())


def test_what_a_recorded_network_gives(on_processor):
    net = network(n_classes=3, attention="element")
    (x,) = batches(6)
    expected = copy.deepcopy(net)(x)
    replay = _replay.NetworkReplay(Part(net), (x,), "float32")
    assert not replay.is_whole
    output = replay(x)
    assert output.pixel_map is None
    torch.testing.assert_close(output.attention, expected.attention)
    torch.testing.assert_close(output.embedding, expected.embedding)
    output.embedding.sum().backward()
    for parameter, gradient in zip(net.parameters(), replay._gradients, strict=True):
        assert parameter.grad is gradient


class Counting(Objective):
    """Someone's own: it does something else at every call."""

    def forward(self, output, labels, votes=None):
        return super().forward(output, labels, votes) * random.random()


def stepped(group):
    return torch.optim.SGD(group, lr=0.1)


def plainly(group):
    return torch.optim.AdamW(group, lr=0.1, fused=False)


def watched(group):
    optimizer = torch.optim.AdamW(group, lr=0.1, fused=True)
    optimizer.register_step_post_hook(lambda *arguments: None)
    return optimizer


def hooked():
    objective = Objective(None, 1.0)
    objective.register_forward_hook(lambda *arguments: None)
    return objective


@pytest.mark.parametrize(
    ("objective", "optimizer"),
    [
        (lambda: Counting(None, 1.0), None),
        (hooked, None),
        (labeled, stepped),
        (labeled, plainly),
        (labeled, watched),
        (lambda: MultiThresholdObjective(Louder([0.1])), None),
    ],
)
def test_steps_that_are_not_known_are_not_recorded_whole(objective, optimizer, recorder):
    run, made, _ = recorder
    net = network(n_classes=3)
    made_by = None if optimizer is None else optimizer(net.parameters())
    for x in batches(4, 4):
        call(run, net, x, objective(), made_by)
    assert made == [4]
    assert run._replay._part.objective is None


class Louder(MultiThresholdTripletLoss):
    """Someone's own loss."""


def test_another_batch_size_is_recorded_whole_too(recorder):
    run, made, _ = recorder
    net, objective = network(n_classes=3), labeled()
    for x in batches(4, *[6] * 7, 4, *[6] * 8, 4):
        call(run, net, x, objective)
    assert made == [4, 6]
    assert PLAYED == [4, 4, 6]
    assert run._replay._part.objective is objective


def test_where_a_step_cannot_be_recorded_the_network_is(recorder, monkeypatch):
    run, made, _ = recorder

    def fails(part, inputs, precision):
        raise torch.OutOfMemoryError("as on a GPU")

    monkeypatch.setattr(_recorded, "StepReplay", fails)
    net, objective = network(n_classes=3), labeled()
    for x in batches(4, 4):
        call(run, net, x, objective)
    assert made == [4]
    assert run._replay._part.objective is None


def test_a_gradient_that_is_watched_later_is_a_change(recorder):
    run, made, _ = recorder
    net = network(n_classes=3)
    call(run, net, batches(4)[0])
    net.project.weight.register_hook(lambda grad: None)
    call(run, net, batches(4)[0])
    assert made == [4]
    assert run._replay is None


def test_votes_are_not_recorded(recorder):
    run, made, _ = recorder
    net, objective = network(n_classes=3), Objective(None, 1.0)
    votes = torch.eye(3)[[0, 1, 2, 0]]
    (x,) = batches(4)
    call(run, net, x, objective)
    step = call(run, net, x, objective, votes=votes)
    assert made == [4]
    assert PLAYED == [4]
    output = step.output
    assert torch.equal(step.loss, objective(output, torch.arange(4) % 2, votes))


def test_what_is_recorded_asks_for_no_number():
    """As on a GPU, where it would have to wait for it; tensors without values cannot tell any."""
    output = Embedded(*(torch.empty(24, 8, device="meta", requires_grad=True) for _ in range(2)))
    labels = torch.empty(24, dtype=torch.long, device="meta")
    cross_entropy = Objective(None, 1.0)
    assert cross_entropy.is_recordable(24)
    cross_entropy(output, labels).backward()
    for mining in ("batch-all", "batch-hard"):
        triplets = MultiThresholdTripletLoss([0.1, 1.0], mining=mining).to("meta")
        assert triplets.is_recordable(24)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(torch, "autocast", lambda *_, **__: nullcontext())  # there is none there
            triplets(output.embedding, labels).backward()
    assert output.embedding.grad.device.type == "meta"


def test_what_asks_for_numbers_is_not_recorded():
    assert not MultiThresholdTripletLoss([0.1]).is_recordable(129)
    assert MultiThresholdTripletLoss([0.1], mining="batch-hard").is_recordable(129)
    assert not Objective(TripletCenterLoss(3, 8), 1.0).is_recordable(4)


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

    def is_recordable(self, n_samples):
        return not self.alone


def take_step(run, net, objective, optimizer, x):
    """Return the loss and outputs of a step, then the weights, then the statistics after it."""
    torch.cuda.manual_seed(0)
    step = call(run, net, x, objective, optimizer)
    outputs = [step.loss, *step.stats.values(), *(t for t in step.output if t is not None)]
    parts = outputs, net.parameters(), net.buffers()
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


LOSSES = {
    "cross-entropy": lambda: Objective(None, 1.0),
    "where labels may be wrong": robust,
    "batch-all": labeled,
    "batch-all, beside cross-entropy": lambda: labeled(classification_weight=0.5),
    "batch-hard": lambda: MultiThresholdObjective(
        MultiThresholdTripletLoss([0.1, 1.0], mining="batch-hard", dual=True)
    ),
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
    start = {name: value.clone() for name, value in net.state_dict().items()}
    x = torch.rand(3, 12, 16, 16, device=device)
    plain, recorded = (RecordedTraining(device, precision) for _ in range(2))
    plain.forget()
    ways = []
    with torch.backends.cudnn.flags(deterministic=True, allow_tf32=False):
        for run in (plain, recorded):
            net.load_state_dict(start)
            optimizer = optimizer_of(net)
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
    with_loss = cls in (CrossEntropyEmbedder, MultiThresholdEmbedder)
    assert all((part.objective is not None) == with_loss for part in recordings)
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
