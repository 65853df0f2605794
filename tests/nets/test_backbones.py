"""Backbones: sizes, names, weights."""

import sys
import types

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from skfer.nets import MLP, CompactResNet, feature_shape, make_backbone


@settings(deadline=None, max_examples=20)
@given(st.integers(16, 230), st.integers(16, 230), st.sampled_from([1, 3]))
def test_compact_net_fits_all_sizes(height, width, channels):
    net = CompactResNet((channels, height, width))
    n_channels, *map_shape = feature_shape(net, (channels, height, width))
    assert n_channels == 56
    assert min(map_shape) >= 2
    if min(height, width) >= 32:
        assert 4 <= min(map_shape) <= 9


def test_compact_net_is_compact():
    net = CompactResNet((1, 48, 48))
    assert sum(p.numel() for p in net.parameters()) < 70_000


def test_compact_net_refuses_small_images():
    with pytest.raises(ValueError, match="at least 16 x 16 pixels, got 15 x 40"):
        CompactResNet((1, 15, 40))


def test_auto_is_for_images_or_rows():
    assert isinstance(make_backbone("auto", (1, 24, 24)), CompactResNet)
    assert isinstance(make_backbone("auto", (7,)), MLP)


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


def test_feature_shape_leaves_the_net_alone():
    net = CompactResNet((1, 24, 24)).train()
    before = {k: v.clone() for k, v in net.state_dict().items()}
    feature_shape(net, (1, 24, 24))
    assert net.training
    assert all(torch.equal(v, before[k]) for k, v in net.state_dict().items())


class _FakeModel(nn.Module):
    """What timm's models have in common."""

    num_features = 6

    def __init__(self, in_chans, layout):
        super().__init__()
        self.conv = nn.Conv2d(in_chans, 6, 3, 2)
        self.layout = layout

    def forward_features(self, x):
        x = self.conv(x)
        if self.layout == "nhwc":
            return x.permute(0, 2, 3, 1)
        return x.flatten(2).transpose(1, 2) if self.layout == "tokens" else x

    def forward_head(self, x, pre_logits):
        assert pre_logits
        return x.mean(1)


@pytest.fixture
def timm(monkeypatch):
    """A stand-in with timm's interface: it needs a torch of its own to be the real one."""
    fake = types.ModuleType("timm")
    fake.is_model = lambda name: name in ("cnn", "nhwc", "tokens")

    def create_model(name, pretrained, in_chans, num_classes):
        assert not pretrained
        assert num_classes == 0
        return _FakeModel(in_chans, name)

    def load_checkpoint(model, path, strict):
        return model.load_state_dict(torch.load(path), strict=strict)

    fake.create_model = create_model
    fake.models = types.SimpleNamespace(load_checkpoint=load_checkpoint)
    monkeypatch.setitem(sys.modules, "timm", fake)
    return fake


@pytest.mark.parametrize(
    ("name", "shape"), [("cnn", (6, 11, 11)), ("nhwc", (6, 11, 11)), ("tokens", (6,))]
)
def test_timm_by_name(timm, name, shape):
    net = make_backbone(f"timm/{name}", (3, 24, 24))
    assert feature_shape(net, (3, 24, 24)) == shape


def test_timm_weights_come_from_a_file(timm, tmp_path):
    first = make_backbone("timm/cnn", (1, 24, 24))
    path = tmp_path / "weights.pth"
    torch.save(first.model.state_dict(), path)
    second = make_backbone("timm/cnn", (1, 24, 24), weights=path)
    assert torch.equal(first.model.conv.weight, second.model.conv.weight)
    with pytest.raises(FileNotFoundError, match="backbone_weights"):
        make_backbone("timm/cnn", (1, 24, 24), weights=tmp_path / "none.pth")
    with pytest.raises(ValueError, match="does not fit"):
        make_backbone("timm/cnn", (3, 24, 24), weights=path)


def test_timm_weights_of_another_network(timm, tmp_path):
    path = tmp_path / "weights.pth"
    torch.save({"other.weight": torch.zeros(3)}, path)
    with pytest.raises(ValueError, match=r"backbone_weights.* lacks .* of another network"):
        make_backbone("timm/cnn", (1, 24, 24), weights=path)
    # What the file has beside the network's own, such as a classifier, may be left over.
    whole = make_backbone("timm/cnn", (1, 24, 24)).model.state_dict()
    torch.save(whole | {"classifier.weight": torch.zeros(3)}, path)
    net = make_backbone("timm/cnn", (1, 24, 24), weights=path)
    assert torch.equal(net.model.conv.weight, whole["conv.weight"])


def test_timm_unknown_name(timm):
    with pytest.raises(ValueError, match="'timm/nope' is unknown"):
        make_backbone("timm/nope", (1, 24, 24))
