"""What of a training is recorded on a GPU, and when, played on a processor."""

import copy
import random

import pytest
import torch
from helpers.recorded import DrawsInPython, batches, call, labeled, network, optimizer_of
from torch import nn

from skfer.embedders._multi_threshold import MultiThresholdObjective
from skfer.losses import MultiThresholdTripletLoss
from skfer.nets import FaceAugment
from skfer.training import Objective, _recorded, _replay
from skfer.training._recorded import RecordedTraining, is_recordable
from skfer.training._replay import Part


def test_what_can_be_recorded():
    assert is_recordable(network(augment=FaceAugment(), attention="both", n_classes=3))
    assert not is_recordable(network(augment=DrawsInPython()))
    assert not is_recordable(nn.Linear(2, 2))


class Flips(nn.Module):
    """Turns each batch upside down."""

    recordable = True

    def forward(self, x):
        return x.flip(2)


class FlipsSome(Flips):
    """What it is made from can be recorded; whether it can itself, nobody has said."""

    def forward(self, x):
        return x if random.random() < 0.5 else x.flip(2)


@pytest.mark.parametrize(
    ("module", "expected"),
    [
        ("torchvision.models.resnet", True),
        ("torchvision.ops.stochastic_depth", True),
        ("torchvision.transforms.transforms", False),
        ("torchvision.transforms.v2._geometry", False),
        ("timm.models.vision_transformer", True),
        ("timm.layers.drop", True),
        ("timm.data.transforms", False),
        ("timmy.layers", False),
    ],
)
def test_networks_of_libraries_are_recorded_and_their_draws_are_not(module, expected):
    kind = type("Kind", (FlipsSome,), {"__module__": module})
    assert is_recordable(network(augment=kind())) == expected


class Own(nn.Linear):
    """A layer of someone's own."""


@pytest.mark.parametrize(("kind", "expected"), [(nn.Linear, True), (Own, False)])
def test_a_constraint_on_weights_hides_nobodys_class(kind, expected):
    net = network()
    net.project = nn.utils.parametrizations.spectral_norm(
        kind(net.project.in_features, net.project.out_features)
    )
    assert is_recordable(net) == expected


def test_a_module_of_ones_own_is_recorded_if_its_class_says_so():
    assert is_recordable(network(augment=Flips()))
    assert not is_recordable(network(augment=FlipsSome()))


@pytest.mark.parametrize("kind", ["forward", "forward_pre", "full_backward", "full_backward_pre"])
def test_a_network_with_a_hook_is_not_recorded(kind):
    watched = network()
    for register in (
        getattr(watched.backbone.layers[0], f"register_{kind}_hook"),
        getattr(nn.modules.module, f"register_module_{kind}_hook"),  # of all modules
    ):
        handle = register(lambda *arguments: None)
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
    watched.backbone.layers[0] = nn.BatchNorm2d(1, momentum=None)
    assert not is_recordable(watched)


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


def test_a_short_training_is_not_recorded(recorder, monkeypatch):
    run, made, _ = recorder
    call(run, network(n_classes=3), batches(4)[0], n_steps_left=10)
    monkeypatch.setattr(_recorded, "_LARGEST_BATCH", 16 * 16 * 4)
    call(run, network(n_classes=3), batches(5)[0])  # a large batch neither
    assert made == []
    call(run, network(n_classes=3), batches(4)[0])
    assert made == [4]


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


def test_where_a_step_changes_ever_again_the_network_is_recorded(recorder):
    run, made, _ = recorder
    net, objective = network(n_classes=3), labeled()
    (x,) = batches(4)
    for _ in range(6):
        objective.metric_loss.thresholds = objective.metric_loss.thresholds.clone()
        call(run, net, x, objective)
    assert made == [4] * 5  # four whole steps, and the network, which does not change
    assert not run._replay.is_whole


def test_a_step_is_recorded_whole_once_it_can_be(recorder):
    run, made, _ = recorder
    net, objective = network(n_classes=3), labeled()
    some = batches(*[4, 3] * 2)
    watching = objective.metric_loss.register_forward_hook(lambda *_: None)
    for x in some:
        call(run, net, x, objective)
    assert made == [4]
    assert run._replay._part.objective is None
    watching.remove()
    call(run, net, some[0], objective)
    assert made == [4, 4]
    assert run._replay._part.objective is objective
    assert PLAYED == [4, 4, 4]


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


def test_nobody_looks_where_nothing_has_changed(recorder, monkeypatch):
    run, _, _ = recorder
    net, objective = network(n_classes=3), labeled()
    call(run, net, batches(4)[0], objective)
    monkeypatch.setattr(Part, "made_of", None)
    call(run, net, batches(4)[0], objective, looks=False)
    assert PLAYED == [4, 4]


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
