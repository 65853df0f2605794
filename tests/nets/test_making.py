"""Backbones by name, by module and by function, and what a trial run finds out."""

import functools

import numpy as np
import pytest
import torch
from torch import nn

from skfer import CrossEntropyEmbedder
from skfer.exceptions import ArgumentError
from skfer.nets import (
    MLP,
    CompactResNet,
    EmbeddingNet,
    FaceBackbone,
    face_backbone,
    make_backbone,
    try_backbone,
)
from skfer.nets.making import refuse_batch_statistics


class Flattening(nn.Module):
    """A convolution and a layer on all its pixels, as beginners write it."""

    def __init__(self, shape):
        super().__init__()
        self.conv = nn.Conv2d(shape[0], 4, 3, padding=1)
        self.linear = nn.Linear(4 * shape[1] * shape[2], 8)

    def forward(self, x):
        x.view(x.size(0), -1)
        x = self.conv(x)
        return self.linear(x.view(x.size(0), -1))


def test_auto_is_for_images_or_rows():
    assert isinstance(make_backbone("auto", (1, 24, 24)), FaceBackbone)
    assert isinstance(make_backbone("scratch", (1, 24, 24)), CompactResNet)
    for name in ("auto", "large", "scratch"):
        assert isinstance(make_backbone(name, (7,)), MLP)


def test_a_module_is_copied_with_its_weights():
    module = nn.Linear(3, 2)
    copy = make_backbone(module, (3,))
    assert copy is not module
    assert torch.equal(copy.weight, module.weight)


def test_a_module_of_another_device_comes_to_the_cpu():
    class Elsewhere(nn.Linear):
        """Notes where it is sent, as if it were on a GPU."""

        sent_to = None

        def to(self, device):
            self.sent_to = device
            return self

    module = Elsewhere(3, 2)
    assert make_backbone(module, (3,)).sent_to == "cpu"
    assert module.sent_to is None
    assert make_backbone(lambda shape: module, (3,)).sent_to == "cpu"


def test_a_module_without_values():
    with pytest.raises(ValueError, match="Linear has weights on the meta device"):
        make_backbone(nn.Linear(3, 2, device="meta"), (3,))


def test_a_trial_leaves_the_net_alone():
    net = CompactResNet((1, 24, 24)).train()
    before = {k: v.clone() for k, v in net.state_dict().items()}
    try_backbone(net, (1, 24, 24))
    assert net.training
    assert all(torch.equal(v, before[k]) for k, v in net.state_dict().items())


@pytest.mark.parametrize("error", [AssertionError("224 px"), AttributeError("x"), TypeError("y")])
def test_whatever_a_backbone_raises_names_the_images(error):
    class Picky(nn.Module):
        def forward(self, x):
            raise error

    with pytest.raises(ValueError, match=r"Picky cannot take .*\(1, 24, 24\).*Try images of anot"):
        try_backbone(Picky(), (1, 24, 24))


class Ending(nn.Module):
    """A layer, and what is done to its features at the end."""

    def __init__(self, end):
        super().__init__()
        self.linear = nn.Linear(4, 8)
        self.end = end

    def forward(self, x):
        return self.end(self.linear(x))


@pytest.mark.parametrize(
    ("end", "message"),
    [
        (torch.Tensor.double, r"Ending must return float32, got torch.float64: end it with .float"),
        (torch.Tensor.long, r"must return float32, got torch.int64"),
        (lambda x: x.mean(0, keepdim=True), r"as many rows as it is given, and makes 1 of 2"),
        (lambda x: x[1:], r"as many rows as it is given, and makes 1 of 2"),
        (lambda x: x.repeat(2, 1), r"as many rows as it is given, and makes 4 of 2"),
    ],
)
def test_features_are_float32_and_of_each_input(end, message):
    with pytest.raises(ValueError, match=message):
        try_backbone(Ending(end), (4,))


@pytest.mark.parametrize(
    ("backbone", "name"),
    [
        (
            nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4, track_running_stats=False)),
            "BatchNorm2d '1'",
        ),
        (nn.BatchNorm1d(4, track_running_stats=False), "BatchNorm1d"),
    ],
)
def test_an_embedding_does_not_depend_on_the_faces_beside_it(backbone, name):
    with pytest.raises(ValueError, match=f"backbone: its {name} has no running statistics"):
        refuse_batch_statistics(backbone)
    refuse_batch_statistics(nn.InstanceNorm2d(1))  # of one face each


def test_a_batch_norm_without_statistics_is_refused_by_fit():
    X, y = np.random.RandomState(0).randn(8, 5).astype(np.float32), np.arange(8) % 2
    norm = nn.Sequential(nn.Linear(X.shape[1], 4), nn.BatchNorm1d(4, track_running_stats=False))
    with pytest.raises(ValueError, match="no running statistics"):
        CrossEntropyEmbedder(backbone=norm, max_epochs=1).fit(X, y)


def test_what_is_no_backbone():
    with pytest.raises(
        ValueError, match=r"backbone=3 is unknown: use 'auto', 'large', 'scratch', 'timm/NAME'"
    ):
        make_backbone(3, (1, 24, 24))
    with pytest.raises(ValueError, match=r"the callable must return a torch.nn.Module"):
        make_backbone(lambda shape: shape, (1, 24, 24))
    with pytest.raises(ValueError, match=r"backbone_weights='w.pth' needs backbone='timm/NAME'"):
        make_backbone("auto", (1, 24, 24), weights="w.pth")


@pytest.mark.parametrize("shape", [(24, 24, 1), [48, 32, 3]])
def test_shapes_have_the_channels_first(shape):
    for run in (make_backbone, try_backbone):
        with pytest.raises(ValueError, match="input_shape must have the channels first"):
            run(nn.Conv2d(1, 2, 3), shape)


def test_a_trial_leaves_each_mode():
    net = CompactResNet((1, 24, 24)).train()
    net.layers[1].eval()
    modes = [module.training for module in net.modules()]
    try_backbone(net, (1, 24, 24))
    assert [module.training for module in net.modules()] == modes


@pytest.mark.parametrize("channels", [1, 3])
class TestLayouts:
    def test_what_takes_channels_last_gets_them(self, channels):
        net = CompactResNet((channels, 24, 24))
        assert try_backbone(net, (channels, 24, 24)).channels_last
        weight = net.layers[3].conv1.weight
        assert weight.is_contiguous(memory_format=torch.channels_last)

    def test_what_cannot_take_them_gets_the_other_layout(self, channels):
        shape = (channels, 20, 24)
        backbone = Flattening(shape)
        trial = try_backbone(backbone, shape)
        assert trial == ((8,), False)
        net = EmbeddingNet(backbone, trial.feature_shape, 5, channels_last=False)
        images = torch.rand(3, 20, 24, channels)
        assert net(images).embedding.shape == (3, 5)
        standardized = (images - images.mean((1, 2, 3), True)) / images.std(
            (1, 2, 3), correction=0, keepdim=True
        )
        expected = backbone(standardized.movedim(3, 1).clone(memory_format=torch.contiguous_format))
        seen = []
        backbone.register_forward_hook(lambda module, inputs, output: seen.append(output))
        net(images)
        torch.testing.assert_close(seen[0], expected, rtol=1e-4, atol=1e-5)

    def test_an_embedder_trains_it(self, channels):
        images = np.random.RandomState(0).randint(0, 256, (12, 20, 24, channels)).astype("uint8")
        model = CrossEntropyEmbedder(4, backbone=Flattening, max_epochs=1, random_state=0)
        assert np.isfinite(model.fit(images, np.arange(12) % 2).transform(images)).all()

    def test_trial_and_run_are_the_same(self, channels):
        """The backbone sees one layout, whatever the augmentation returns."""
        layouts = []

        class Spy(nn.Module):
            def forward(self, x):
                layouts.append((x.stride()[1:], x.dtype, x.device.type))
                return x

        class Contiguous(nn.Module):
            def forward(self, x):
                return x.clone(memory_format=torch.contiguous_format)

        spy = Spy()
        trial = try_backbone(spy, (channels, 20, 24))
        net = EmbeddingNet(
            spy,
            trial.feature_shape,
            5,
            augment=Contiguous(),
            channels_last=trial.channels_last,
        )
        net(torch.rand(3, 20, 24, channels))
        net.eval()(torch.rand(3, 20, 24, channels))
        assert len(layouts) == 3
        assert len(set(layouts)) == 1


class Small(nn.Module):
    """A network that takes no shape."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3)


def small():
    return Small()


@pytest.mark.parametrize("backbone", [Small, small, nn.Linear])
def test_what_does_not_take_the_shape_is_told(backbone):
    message = (
        rf"^backbone is called with the input shape, here \(1, 24, 24\), and "
        rf"{backbone.__name__} fails: .*[^.]\. Give an instance, such as MyNet\(\), or a class"
    )
    with pytest.raises(ArgumentError, match=message) as caught:
        make_backbone(backbone, (1, 24, 24))
    assert isinstance(caught.value.__cause__, TypeError)


def pretrained_first(pretrained=False, progress=True):
    raise AssertionError("it would look for weights")


def weights_first(*, weights=None, progress=True, **others):
    raise AssertionError("it would look for weights")


def weights_second(shape, weights=None):
    return nn.Conv2d(shape[0], 4, 3)


def test_a_function_that_would_take_the_shape_for_weights_is_not_called():
    with pytest.raises(ArgumentError, match=r"network, pretrained_first\(pretrained=False\), or"):
        make_backbone(pretrained_first, (3, 24, 24))
    message = (
        r"^backbone is called with the input shape, which weights_first would take for weights: "
        r"give its network, weights_first\(weights=None\), or lambda shape: "
        r"weights_first\(weights=None\) for"
    )
    for backbone in (weights_first, functools.wraps(weights_first)(lambda *args, **kwargs: 1)):
        with pytest.raises(ArgumentError, match=message):
            make_backbone(backbone, (3, 24, 24))
    assert isinstance(make_backbone(weights_second, (3, 24, 24)), nn.Conv2d)


@pytest.mark.parametrize("ending", ["", "."])
def test_the_hint_is_a_sentence_of_its_own(ending):
    class Fails(nn.Module):
        def forward(self, x):
            raise RuntimeError("got 1 channels instead" + ending)

    with pytest.raises(ArgumentError, match=r"channels instead\. Try images of another size"):
        try_backbone(Fails(), (1, 24, 24))
    with pytest.raises(ArgumentError, match=r"channels instead\.$"):
        try_backbone(Fails(), (7,))


def test_what_fails_inside_of_a_function_is_no_wrong_call():
    """It comes as it is, with a note on what the function was called with."""

    def fails(shape):
        return len(shape[0])

    class Channels(nn.Module):  # takes another thing, as networks of other libraries do
        def __init__(self, in_chans=1):
            super().__init__()
            self.stem = nn.Conv2d(in_chans, 8, 3)

    for backbone, error in ((fails, TypeError), (Channels, Exception)):
        with pytest.raises(error) as caught:
            make_backbone(backbone, (1, 48, 48))
        assert not isinstance(caught.value, ArgumentError)
        (note,) = caught.value.__notes__
        assert note.startswith(f"{backbone.__name__}, given as backbone, was called with the input")
        assert "(1, 48, 48)" in note


@pytest.mark.parametrize(
    ("backbone", "shape"), [(face_backbone(), (3, 24, 24)), (nn.Conv2d(3, 4, 3), (1, 24, 24))]
)
def test_other_channels_are_told(backbone, shape):
    with pytest.raises(ArgumentError, match=r"It takes .* channel") as caught:
        try_backbone(backbone, shape)
    assert "another size" not in str(caught.value)
