"""What a recording gives, and what can be one."""

import copy
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from functools import partial

import pytest
import torch
from helpers.recorded import batches, labeled, network, optimizer_of
from torch import nn

from skfer._asking import may_ask, without_asking
from skfer.embedders._multi_threshold import MultiThresholdObjective
from skfer.embedders._triplet_center import NEGATIVES, TripletCenterObjective
from skfer.embedders.gaussian._objective import GaussianObjective
from skfer.losses import GaussianMetricLoss, MultiThresholdTripletLoss, TripletCenterLoss
from skfer.nets import Embedded
from skfer.training import Objective, _replay
from skfer.training._graphs import TWICE
from skfer.training._replay import Part


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


def triplet_center(**settings):
    return TripletCenterObjective(TripletCenterLoss(8, 8, **settings), 1.0)


def gaussian(mixup=None):
    return GaussianObjective(GaussianMetricLoss(), 1.0, n_classes=8, mixup=mixup)


def triplets(mining):
    return MultiThresholdObjective(MultiThresholdTripletLoss([0.1, 1.0], mining=mining), 1.0)


IN_ONE_WAY = {
    "cross-entropy": lambda: Objective(None, 1.0),
    **{f"triplets, {name}": partial(triplets, name) for name in ("batch-all", "batch-hard")},
}
OBJECTIVES = IN_ONE_WAY | {
    **{
        f"triplet-center, {name}": partial(triplet_center, negatives=name)
        for name in sorted(NEGATIVES)
    },
    "Gaussian": gaussian,
}


@pytest.mark.parametrize("objective", [make() for make in OBJECTIVES.values()], ids=OBJECTIVES)
def test_what_is_recorded_asks_for_no_number(objective):
    """As on a GPU, where it would have to wait for it; tensors without values cannot tell any."""
    output = Embedded(*(torch.empty(24, 8, device="meta", requires_grad=True) for _ in range(3)))
    labels = torch.empty(24, dtype=torch.long, device="meta")
    objective = objective.to("meta")
    assert objective.is_recordable(bounded=True)
    with pytest.MonkeyPatch.context() as patch, without_asking():
        patch.setattr(torch, "autocast", lambda *_, **__: nullcontext())  # there is none there
        objective(output, labels).backward()
    gradients = [tensor.grad for tensor in output[:2] if tensor.grad is not None]
    assert {gradient.device.type for gradient in gradients} == {"meta"}
    assert all(value.device.type == "meta" for value in objective.stats.values())


@pytest.mark.parametrize("has_ties", [False, True])
@pytest.mark.parametrize("name", [name for name in OBJECTIVES if name not in IN_ONE_WAY])
def test_what_is_computed_without_asking_is_the_same(name, has_ties):
    torch.manual_seed(0)
    values = torch.randn(2, 24, 8)
    outputs = [t.requires_grad_() for t in (values.round() if has_ties else values).unbind()]
    labels = torch.arange(24) % 5 + 1  # of eight
    results = []
    for context in (nullcontext, without_asking):
        objective = OBJECTIVES[name]()
        if isinstance(objective, TripletCenterObjective):
            objective.set_centers(outputs[0], labels)
        with context():
            loss = objective(Embedded(*outputs, attention=outputs[1].sigmoid()), labels)
        wanted = [*outputs, *objective.parameters()]
        results.append([loss, *torch.autograd.grad(loss, wanted, allow_unused=True)])
        results[-1] += objective.stats.values()
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(one, other)


def test_absent_classes_count_nowhere():
    torch.manual_seed(0)
    x, labels, targets = torch.randn(6, 4), torch.arange(6) % 2 * 3, torch.rand(6, 5)
    loss = GaussianMetricLoss()
    expected = loss(x, labels, targets=targets), loss.log_posterior(x, labels, n_classes=5)
    with without_asking():
        found = loss(x, labels, targets=targets), loss.log_posterior(x, labels, n_classes=5)
    for one, other in zip(expected, found, strict=True):
        torch.testing.assert_close(one, other)


def test_a_thread_may_ask_while_another_may_not():
    with without_asking():
        assert not may_ask()
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(may_ask).result()
    assert may_ask()


class Asks(Objective):
    """Notes whether it may ask."""

    def __init__(self):
        super().__init__(None, 1.0)
        self.noted = []

    def forward(self, output, labels, votes=None):
        self.noted.append(may_ask())
        return super().forward(output, labels, votes)


def test_what_is_recorded_may_not_ask(on_processor):
    net, objective = network(n_classes=3), Asks()
    (x,), optimizer = batches(6), optimizer_of(net)
    _replay.StepReplay(Part(net, objective, optimizer), (x, torch.arange(6) % 2), "float32")
    assert set(objective.noted) == {False}


def test_only_what_is_standardized_over_its_batch_is_bounded():
    net, objective = network(n_classes=8), gaussian()
    part = Part(net, objective, optimizer_of(net))
    assert part.is_known()
    net.standardize.eval()
    assert not part.is_known()
    net.standardize = nn.Identity()
    assert not part.is_known()
    plain = nn.Linear(2, 2)
    assert not Part(plain, objective, optimizer_of(plain)).is_known()
    assert Part(plain, Objective(None, 1.0), optimizer_of(plain)).is_known()


def test_a_recording_of_other_shapes_is_another():
    part = Part(network(n_classes=8), gaussian(), None)
    before = part.made_of()
    part.objective.component_classes = part.objective.component_classes[:5]
    assert part.made_of() != before


def test_what_has_to_ask_is_not_recorded():
    assert not Objective(TripletCenterLoss(3, 8), 1.0).is_recordable(bounded=True)
    assert not triplet_center().is_recordable(bounded=False)
    assert not gaussian().is_recordable(bounded=False)
    assert not gaussian(mixup=0.5).is_recordable(bounded=True)
    x, labels = torch.rand(4, 8), torch.arange(4)
    with without_asking():
        with pytest.raises(RuntimeError, match="so short a length"):
            GaussianMetricLoss(1e-9, relative_sigma=False)(x, labels, n_classes=4)
        with pytest.raises(RuntimeError, match="how many classes"):
            GaussianMetricLoss()(x, labels)
    GaussianMetricLoss()(x, labels)


class OnceRun:
    """Stands for a recording of the network's passes."""

    def forward(self):
        return (torch.ones(2),)

    def backward(self, pulls):
        pass


def test_a_gradient_does_not_go_through_an_earlier_batch():
    """It would set the gradients of the latest one instead."""
    replay, anchor = OnceRun(), torch.empty(0, requires_grad=True)
    (earlier,) = _replay._Replayed.apply(anchor, replay)
    earlier.sum().backward()
    (later,) = _replay._Replayed.apply(anchor, replay)
    with pytest.raises(RuntimeError, match=TWICE):
        (earlier + later).sum().backward()
