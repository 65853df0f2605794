"""The pieces of training that stand alone."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from skorch.callbacks import Callback
from torch import nn

from skfer import CrossEntropyEmbedder
from skfer.datasets import make_expressions
from skfer.training import (
    SCHEDULES,
    Batches,
    ImageSource,
    PictureSource,
    RowSource,
    SamplePart,
    _source,
    on_cpu,
    seeded,
    spread,
)
from skfer.training._norms import norms_of
from skfer.training._recorded import RecordedTraining


@given(st.sampled_from(sorted(SCHEDULES)), st.floats(0, 1))
def test_schedules_stay_between_0_and_1(name, progress):
    assert 0 < SCHEDULES[name](progress) <= 1


def test_one_cycle_rises_and_falls():
    factors = [SCHEDULES["one-cycle"](p) for p in np.linspace(0, 1, 101)]
    assert np.argmax(factors) == 25
    assert factors[0] == pytest.approx(0.1)
    assert factors[-1] == pytest.approx(1e-3)


def test_bytes_stay_bytes():
    images = np.random.RandomState(0).randint(0, 256, (9, 4, 5)).astype(np.uint8)
    batch = ImageSource(images, (4, 5))[np.array([3, 1])]
    assert batch.dtype == torch.uint8
    np.testing.assert_array_equal(batch.numpy(), images[[3, 1]])
    assert not np.shares_memory(ImageSource(images, (4, 5))[0:4].numpy(), images)


def test_rows_are_standardized_in_double_precision():
    rows = 1e9 + np.arange(6.0).reshape(3, 2)
    batch = RowSource(rows, rows.mean(0), rows.std(0))[np.arange(3)]
    torch.testing.assert_close(batch.mean(0), torch.zeros(2), atol=1e-6, rtol=0)
    assert batch.dtype == torch.float32


def test_batches_pair_inputs_and_labels():
    images = np.arange(6, dtype=np.uint8)[:, None, None] * np.ones((1, 2, 2), np.uint8)
    drawn = [np.array([4, 0]), np.array([2])]
    batches = Batches(ImageSource(images, (2, 2)), np.arange(6) * 10, drawn)
    for (x, y), indices in zip(batches, drawn, strict=True):
        assert x[:, 0, 0].tolist() == indices.tolist()
        assert y.tolist() == (indices * 10).tolist()
    batches.relabel(np.arange(6), np.arange(6) == 4)
    (_, targets), _ = batches
    assert targets["labels"].tolist() == [4, 0]
    assert targets["is_pseudo"].tolist() == [True, False]
    votes = np.eye(6, dtype=np.float32)
    batches = Batches(ImageSource(images, (2, 2)), np.arange(6), drawn, votes)
    (_, targets), _ = batches
    assert targets["votes"].argmax(1).tolist() == targets["labels"].tolist() == [4, 0]


def test_epochs_have_as_many_batches_whatever_becomes_of_the_sampler():
    drawn = [np.array([0]), np.array([1]), np.array([2])]
    batches = Batches(ImageSource(np.zeros((9, 2, 2)), (2, 2)), np.arange(9), list(drawn))
    assert [y.item() for _, y in batches] == [0, 1, 2]
    batches.sampler = [*drawn, np.array([3])]
    assert [y.item() for _, y in batches] == [0, 1, 2]
    batches.sampler = [np.array([5])]
    assert [y.item() for _, y in batches] == [5, 5, 5]
    assert len(batches) == 3


def test_seeded_leaves_the_generator_alone():
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    with seeded(0, torch.device("cpu")):
        inside = torch.rand(1)
    assert torch.equal(torch.rand(1), expected)
    with seeded(0, torch.device("cpu")):
        assert torch.equal(torch.rand(1), inside)


def test_spread_tells_collapse():
    points = torch.randn(100, 8, generator=torch.Generator().manual_seed(0))
    assert spread(points - points.mean(0)) == pytest.approx(1)
    assert spread(points * 1e-3 + 1) < 1e-5
    assert spread(torch.zeros(4, 8)) == 0


def test_on_cpu_copies_without_gradients():
    net = nn.Linear(2, 2).to(memory_format=torch.preserve_format)
    net(torch.ones(1, 2)).sum().backward()
    copy = on_cpu(net)
    assert copy.weight.grad is None
    assert net.weight.grad is not None
    assert torch.equal(copy.weight, net.weight)


@pytest.mark.parametrize("mode", ["r", "r+", "c"])
def test_memmaps_let_go_of_their_pages_and_lose_nothing(tmp_path, mode, monkeypatch):
    monkeypatch.setattr("skfer.training._source._RELEASE_BYTES", 100)
    images = np.random.RandomState(0).randint(0, 256, (300, 8, 8)).astype(np.uint8)
    np.save(tmp_path / "x.npy", images)
    mapped = np.load(tmp_path / "x.npy", mmap_mode=mode)
    if mode != "r":
        mapped[0] = images[0] = 7
    source = ImageSource(mapped, (8, 8))
    for _ in range(2):
        for start in range(0, 300, 50):
            batch = source[start : start + 50].numpy()
            np.testing.assert_array_equal(batch, images[start : start + 50])


def test_running_means_start_as_means_of_the_first_batches():
    norm = nn.BatchNorm1d(3, momentum=0.01)
    batches = torch.randn(5, 8, 3, generator=torch.Generator().manual_seed(0))
    for part in (batches[:3], batches[3:]):
        (found,) = norms_of(norm)  # another training goes on where it was
        for batch in part:
            assert not found.warm_up()
            norm(batch)
        norm.momentum = found.momentum
    torch.testing.assert_close(norm.running_mean, batches.mean(dim=(0, 1)))
    while not found.warm_up():
        pass
    assert norm.momentum == 0.01
    assert found.n_seen == 12


class Shifted(nn.Module):
    """A backbone whose norm sees a mean of 10."""

    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm2d(1)

    def forward(self, x):
        return self.norm(x + 10)  # the mean of an image is 0


@pytest.mark.parametrize(
    ("n_frozen", "n_epochs", "more"),
    [
        (False, 8, {}),
        (False, 8, {"early_stopping": True}),  # where the network is in inference mode in between
        (5, 14, {}),
        (12, 24, {}),
        (12, 60, {}),
    ],
)
def test_a_norm_warms_up_once_it_learns(n_frozen, n_epochs, more):
    momenta = []

    class Noted(Callback):
        def on_batch_end(self, net, training=False, **kwargs):
            if training and net.module_.backbone.norm.training:
                momenta.append(net.module_.backbone.norm.momentum)

    faces = make_expressions(2, 2, image_size=16, random_state=0)
    model = CrossEntropyEmbedder(
        4, backbone=Shifted(), freeze_backbone=n_frozen, max_epochs=n_epochs, callbacks=[Noted()]
    )
    model.set_params(samples_per_class=2, augment=None, random_state=0, **more)
    model.fit(faces.images, faces.target)
    expected = [max(1 / (n + 1), 0.1) for n in range(len(momenta))]
    np.testing.assert_allclose(momenta, expected)
    norm = model.net_.module_.backbone.norm
    assert float(norm.running_mean) == pytest.approx(10, rel=1e-4)
    assert norm.momentum == 0.1


def test_momentum_is_what_it_was_after_a_training():
    X, y = np.random.RandomState(0).normal(size=(24, 3)), np.arange(24) % 2
    model = CrossEntropyEmbedder(4, max_epochs=2, samples_per_class=4, random_state=0).fit(X, y)
    norms = [m for m in model.net_.module_.modules() if isinstance(m, nn.BatchNorm1d)]
    assert norms
    assert {norm.momentum for norm in norms} == {nn.BatchNorm1d(1).momentum}


X = np.random.RandomState(0).randint(0, 256, (50, 4, 4)).astype(np.uint8)
SOURCES = {
    "images": lambda: ImageSource(X, (4, 4)),
    "some of them": lambda: SamplePart(ImageSource(X, (4, 4)), np.arange(49, -1, -2)),
    "rows": lambda: RowSource(X.reshape(50, -1), np.full(16, 99.0), np.full(16, 7.0)),
}


@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
def test_samples_on_a_gpu_are_those_of_the_source(source, monkeypatch):
    """Played on a processor."""
    free, y = [10**6], np.zeros(50, int)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (free[0], 10**9))
    monkeypatch.setattr(_source, "on_device", lambda tensor, device: tensor)
    empty = torch.empty
    monkeypatch.setattr(torch, "empty", lambda *shape, dtype, device: empty(*shape, dtype=dtype))
    monkeypatch.setattr(_source, "_PART_BYTES", 150)
    source = source()
    there = _source.resident(source, "cuda")
    assert len(there) == len(source)
    chosen = np.random.RandomState(1).permutation(len(source))[:9]
    assert torch.equal(there[chosen], source[chosen])
    assert _source.resident(source, "cpu") is source
    assert torch.equal(there[np.array([-1, 0])], source[np.array([-1, 0])])
    with pytest.raises(IndexError):
        there[np.array([50])]
    batches, same, other = (Batches(s, y, []) for s in (source, source, SOURCES["rows"]()))
    other.to("cuda", and_of=batches)
    assert batches.source is source
    batches.to("cuda", and_of=same)
    assert batches.source is same.source
    assert batches.source is not source
    free[0] = 100
    assert _source.resident(source, "cuda") is source


def test_pictures_that_are_decoded_on_the_way_do_not_lie_on_a_gpu():
    pictures = SamplePart(PictureSource(["none.png"], np.array, (16, 16)), np.array([0]))
    assert _source.resident(pictures, "cuda") is pictures


@pytest.mark.cuda
@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
def test_batches_on_a_gpu_are_those_of_the_source(source):
    source = source()
    sampler = [np.array([3, 1, 4]), np.array([20, 3])]
    batches = Batches(source, np.arange(len(source)) % 3, sampler)
    expected = list(batches)
    batches.to("cuda")
    for (x, labels), (there, same) in zip(expected, batches, strict=True):
        assert there.device.type == "cuda"
        assert torch.equal(there.cpu(), x)
        assert torch.equal(same, labels)


class Looks(Callback):
    """Watches, and says so."""

    only_watches = True

    def on_epoch_begin(self, net, **kwargs):
        pass


class MayChange(Looks):
    """Is made from it, and has not said so."""


class RunsTheNetwork(Callback):
    """In inference mode, ahead of what it may change."""

    def on_epoch_begin(self, net, dataset_train, **kwargs):
        net.module_.eval()
        net.infer(next(iter(dataset_train))[0])
        net.module_.train()


@pytest.mark.parametrize(
    ("callback", "n_looks"), [(None, 1), (Looks, 1), (MayChange, 3), (RunsTheNetwork, 3)]
)
def test_changes_are_looked_for_after_who_may_make_them(callback, n_looks, monkeypatch):
    faces = make_expressions(3, 1, image_size=16, random_state=0)
    looked, run = [], RecordedTraining.output

    def output(self, network, x, n_steps_left, *, looks):
        if network.training:
            looked.append(looks)
        return run(self, network, x, n_steps_left, looks=looks)

    monkeypatch.setattr(RecordedTraining, "output", output)
    callbacks = None if callback is None else [callback()]
    model = CrossEntropyEmbedder(4, max_epochs=3, samples_per_class=2, callbacks=callbacks)
    model.set_params(average_weights=False, device="cpu").fit(faces.images, faces.target)
    assert len(looked) > 3
    assert sum(looked) == n_looks


def test_no_gradients_stay_after_a_training():
    faces = make_expressions(3, 1, image_size=16, random_state=0)
    model = CrossEntropyEmbedder(8, max_epochs=1, random_state=0).fit(faces.images, faces.target)
    assert all(weight.grad is None for _, weight in model.net_.get_all_learnable_params())
