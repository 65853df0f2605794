"""A network recorded on a GPU trains as one whose kernels are launched one by one."""

import copy
import random

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
from skfer.nets import CompactResNet, EmbeddingNet, FaceAugment, try_backbone
from skfer.training import _recorded
from skfer.training._recorded import RecordedNetwork, is_recordable

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


def test_nothing_is_recorded_on_a_processor(monkeypatch):
    monkeypatch.setattr(_recorded, "is_recordable", None)
    net = network()
    run = RecordedNetwork(torch.device("cpu"), "float32")
    x = torch.rand(4, 16, 16)
    state = {name: value.clone() for name, value in net.state_dict().items()}
    output = run(net, x, n_steps_left=1000)
    net.load_state_dict(state)
    assert torch.equal(output.embedding, net(x).embedding)
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


class Played(_recorded._Replay):
    """A recording that is made on a processor: the network runs once more for each batch."""

    def __init__(self, network, x):
        self._batch = x.shape, x.dtype
        self._network, self._made_of = network, _recorded._made_of(network)
        self._parameters = [*network.parameters()]
        network(x)

    def __call__(self, x):
        PLAYED.append(len(x))
        return self._network(x)


PLAYED: list[int] = []


@pytest.fixture
def recorder(monkeypatch):
    """What would be recorded on a GPU, and how the generator was treated."""
    PLAYED.clear()
    made, generator = [], Generator()

    def make(network, x):
        made.append(len(x))
        return Played(network, x)

    monkeypatch.setattr(_recorded, "_Replay", make)
    monkeypatch.setattr(_recorded, "_generator_of", lambda device: generator)
    run = RecordedNetwork(torch.device("cpu"), "float32")
    run._n_left = 8
    return run, made, generator


def batches(*sizes):
    return [torch.rand(n, 16, 16) for n in sizes]


def test_recording_leaves_no_trace(recorder):
    run, made, generator = recorder
    net = network()
    twin = copy.deepcopy(net)
    for x in batches(4, 4, 4):
        run(net, x, 1000)
        twin(x)
    assert made == [4]
    assert PLAYED == [4, 4, 4]
    assert generator.calls == [("set", "drawn")]
    for buffer, expected in zip(net.buffers(), twin.buffers(), strict=True):
        assert torch.equal(buffer, expected)


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_a_recording_that_fails_leaves_no_trace(error, recorder, monkeypatch):
    run, _, generator = recorder
    net = network()

    def fails(network, x):
        network(x)
        raise error

    monkeypatch.setattr(_recorded, "_Replay", fails)
    before = [buffer.clone() for buffer in net.buffers()]
    if error is KeyboardInterrupt:
        with pytest.raises(KeyboardInterrupt):
            run(net, batches(4)[0], 1000)
        for buffer, expected in zip(net.buffers(), before, strict=True):
            assert torch.equal(buffer, expected)
    else:
        for x in batches(4, 4):
            run(net, x, 1000)
        assert all(int(m.num_batches_tracked) == 2 for m in net.modules() if hasattr(m, "momentum"))
    assert generator.calls == [("replaced", "whole state")]


def test_a_short_training_is_not_recorded(recorder):
    run, made, _ = recorder
    run(network(), batches(4)[0], 10)
    run(network(), torch.rand(2**11, 46, 46), 1000)  # a large batch neither
    assert made == []


def test_another_shape_is_recorded_once_it_is_the_usual_one(recorder):
    run, made, _ = recorder
    net = network()
    for x in batches(4, 6, 4, *[6] * 8, 6, 4):
        run(net, x, 1000)
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
    net = network(augment=FaceAugment())
    for x in batches(4, 5):
        run(net, x, 1000)
    change(net)
    for x in batches(5, 5):
        run(net, x, 1000)
    assert made == [4, 5]


def test_a_network_that_changes_all_the_time_is_recorded_no_more(recorder):
    run, made, _ = recorder
    net = network(augment=FaceAugment())
    for degrees, x in enumerate(batches(*[4] * 20)):
        net.augment.degrees = degrees
        run(net, x, 1000)
    assert len(made) == 8


def test_another_network_and_a_hook(recorder):
    run, made, _ = recorder
    first, second = network(), network()
    for net in (first, second):
        run(net, batches(4)[0], 1000)
    assert made == [4, 4]
    handle = second.register_forward_hook(lambda *arguments: None)
    run(second, batches(4)[0], 1000)
    handle.remove()
    assert made == [4, 4]
    assert PLAYED == [4, 4]


def test_nothing_is_recorded_once_it_is_forgotten(recorder):
    run, made, _ = recorder
    net = network()
    run(net, batches(4)[0], 1000).embedding.sum().backward()
    run.forget()
    assert all(parameter.grad is None for parameter in net.parameters())
    run(net, batches(4)[0], 1000)
    assert made == [4]


@pytest.fixture
def faces():
    return make_expressions(4, 2, image_size=24, random_state=0)


@pytest.fixture
def recordings(monkeypatch):
    """The batches that were recorded."""
    recorded = []

    class Noted(_recorded._Replay):
        def __init__(self, network, x):
            super().__init__(network, x)
            recorded.append(x)

    monkeypatch.setattr(_recorded, "_Replay", Noted)
    return recorded


NETWORKS = {
    "plain": {},
    "all it can have": {"augment": FaceAugment(), "attention": "both", "n_classes": 3},
}


def take_step(run, net, x):
    """Return the outputs of a step, then all gradients, then the statistics after it."""
    net.zero_grad()
    torch.cuda.manual_seed(0)
    output = [tensor for tensor in run(net, x, 1000) if tensor is not None]
    # Not a sum of squares, which the standardization of the embedding makes nearly constant.
    weights = [torch.linspace(-1, 1, t.numel(), device=t.device).view_as(t) for t in output]
    sum((tensor * weight).sum() for tensor, weight in zip(output, weights, strict=True)).backward()
    parts = (output, [p.grad for p in net.parameters() if p.grad is not None], net.buffers())
    return [torch.cat([tensor.float().flatten() for tensor in part]) for part in parts]


@pytest.mark.cuda
@pytest.mark.parametrize("frozen", [False, True])
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("settings", NETWORKS.values(), ids=NETWORKS)
def test_a_recorded_step_is_the_same(settings, precision, frozen):
    torch.manual_seed(0)
    net = network(**settings).cuda()
    net.freeze_backbone(frozen)
    start = {name: value.clone() for name, value in net.state_dict().items()}
    device = torch.device("cuda", 0)
    x = torch.rand(3, 12, 16, 16, device=device)
    plain, recorded = (RecordedNetwork(device, precision) for _ in range(2))
    plain.forget()
    ways = []
    with torch.backends.cudnn.flags(deterministic=True, allow_tf32=False):
        for run in (plain, recorded):
            net.load_state_dict(start)
            # Of another shape in between: what the kernels use is to stay where it is.
            some = (x[0], x[1, :7], *x[1:])
            ways.append([take_step(run, net, batch) for batch in some])
    assert recorded._replay is not None
    assert plain._replay is None
    share = 1e-3 if precision == "float32" else 0.05
    for one, other in zip(*ways, strict=True):
        for a, b in zip(one, other, strict=True):
            torch.testing.assert_close(a, b, rtol=share, atol=share * float(b.abs().max()))


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
    assert torch.equal(RecordedNetwork(device, "float32")(net, x, 1000).embedding, expected)
    assert torch.cuda.current_stream() == torch.cuda.default_stream()


@pytest.mark.cuda
@pytest.mark.parametrize("settings", OTHER_WAYS.values(), ids=OTHER_WAYS)
@pytest.mark.parametrize("cls", EMBEDDERS)
def test_a_recorded_training(cls, settings, faces, recordings, monkeypatch):
    settings = {"backbone": "scratch", "precision": "float32", "max_epochs": 60} | settings
    model = cls(8, device="cuda", random_state=0, **settings)
    X, y = faces.images[:61], faces.target[:61]  # the last of some batches is smaller
    losses = [epoch["train_loss"] for epoch in model.fit(X, y).history_]
    n_recorded = 2 if "freeze_backbone" in settings else 1
    assert len(recordings) == n_recorded
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
