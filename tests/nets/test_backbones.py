"""Backbones: sizes, names, weights."""

import pickle
import sys
import types

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from torch import nn

from skfer import CrossEntropyEmbedder, TripletCenterEmbedder
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
    fake.get_pretrained_cfg_value = lambda name, key: None

    def create_model(name, pretrained, in_chans, num_classes):
        assert not pretrained
        assert num_classes == 0
        return _FakeModel(in_chans, name)

    def load_checkpoint(model, path, strict, filter_fn):
        return model.load_state_dict(filter_fn(torch.load(path), model), strict=strict)

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


def test_timm_weights_of_color_images_on_gray_ones(timm, tmp_path):
    color = make_backbone("timm/cnn", (3, 24, 24))
    path = tmp_path / "weights.pth"
    torch.save(color.model.state_dict(), path)
    gray = make_backbone("timm/cnn", (1, 24, 24), weights=path)
    images = torch.rand(2, 1, 24, 24)
    torch.testing.assert_close(gray(images), color(images.expand(-1, 3, -1, -1)))


def test_timm_that_fails_to_import(tmp_path, monkeypatch):
    (tmp_path / "timm.py").write_text("raise RuntimeError('operator torchvision::nms is missing')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "timm", raising=False)
    with pytest.raises(ImportError, match=r"needs timm, which is installed but fails .*nms"):
        make_backbone("timm/cnn", (1, 24, 24))


@pytest.mark.parametrize("error", [AssertionError("224 px"), AttributeError("x"), TypeError("y")])
def test_whatever_a_backbone_raises_names_the_images(error):
    class Picky(nn.Module):
        def forward(self, x):
            raise error

    with pytest.raises(ValueError, match=r"Picky cannot take .*\(1, 24, 24\).*Try images of anot"):
        feature_shape(Picky(), (1, 24, 24))


REAL = [
    "resnet18",
    "mobilenetv3_small_100",
    "convnext_atto",
    "vit_tiny_patch16_224",
    "swin_tiny_patch4_window7_224",
]


@pytest.mark.timm
@pytest.mark.filterwarnings("ignore")  # of torch's and timm's own making
@pytest.mark.parametrize("name", REAL)
@pytest.mark.parametrize("shape", [(32, 32), (64, 48, 3)])
def test_real_timm(name, shape):
    """What users do with a network: fit, transform, clone, pickle, go on."""
    images = np.random.RandomState(0).randint(0, 256, (12, *shape)).astype(np.uint8)
    y = np.arange(12) % 2
    model = CrossEntropyEmbedder(8, backbone=f"timm/{name}", max_epochs=1, random_state=0)
    model = clone(model).fit(images, y)
    Z = model.transform(images)
    assert np.isfinite(Z).all()
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.transform(images), Z)
    assert again.partial_fit(images, y).n_iter_ == 2


@pytest.mark.timm
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", REAL)
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_real_timm_weights(name, suffix, tmp_path):
    """A file as timm gives it out: color, 224 px, with a classifier."""
    import timm
    from safetensors.torch import save_file

    torch.manual_seed(0)
    whole = timm.create_model(name).eval()
    path = tmp_path / f"weights{suffix}"
    (torch.save if suffix == ".pth" else save_file)(whole.state_dict(), path)
    own = make_backbone(f"timm/{name}", (3, 224, 224), weights=path).eval()
    images = torch.rand(1, 1, 224, 224).expand(-1, 3, -1, -1)
    features = own(images)
    gray = make_backbone(f"timm/{name}", (1, 224, 224), weights=path).eval()
    torch.testing.assert_close(gray(images[:, :1]), features, rtol=1e-3, atol=1e-4)
    small = make_backbone(f"timm/{name}", (1, 32, 32), weights=path)
    assert feature_shape(small, (1, 32, 32))[0] == features.shape[1]


@pytest.mark.timm
@pytest.mark.filterwarnings("ignore")
def test_real_timm_in_a_search():
    images = np.random.RandomState(0).randint(0, 256, (12, 32, 32)).astype(np.uint8)
    model = TripletCenterEmbedder(8, max_epochs=1, random_state=0)
    names = [f"timm/{name}" for name in REAL[1:4]]
    search = GridSearchCV(model, {"backbone": names}, cv=2, n_jobs=2, error_score="raise")
    search.fit(images, np.arange(12) % 2)
    assert search.best_params_["backbone"] in names


def test_timm_unknown_name(timm):
    with pytest.raises(ValueError, match="'timm/nope' is unknown"):
        make_backbone("timm/nope", (1, 24, 24))
