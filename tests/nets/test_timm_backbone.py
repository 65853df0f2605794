"""Backbones of timm, by a stand-in with its interface and by the real one where there is one."""

import pickle
import sys
from functools import partial

import numpy as np
import pytest
import torch
from helpers import fake_timm
from safetensors.torch import save_file
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from skfer import CrossEntropyEmbedder, TripletCenterEmbedder
from skfer.nets import TimmBackbone, make_backbone, try_backbone

SHAPE = (1, 24, 24)


@pytest.fixture
def timm(monkeypatch):
    return fake_timm.put_in_place(monkeypatch)


@pytest.fixture
def tensors(timm):
    """The weights of a network, other ones than a new network has."""
    return make_backbone("timm/cnn", SHAPE).model.state_dict()


def load(path, content, **settings):
    torch.save(content, path)
    return TimmBackbone("cnn", SHAPE, path, **settings)


def prefixed(tensors, prefix):
    return {prefix + name: tensor for name, tensor in tensors.items()}


def assert_loaded(net, tensors):
    for name, tensor in net.model.state_dict().items():
        assert torch.equal(tensor, tensors[name])


@pytest.mark.parametrize(
    ("name", "shape"), [("cnn", (6, 11, 11)), ("nhwc", (6, 11, 11)), ("tokens", (6,))]
)
def test_by_name(timm, name, shape):
    net = make_backbone(f"timm/{name}", (3, 24, 24))
    assert try_backbone(net, (3, 24, 24)).feature_shape == shape


def test_unknown_name(timm):
    with pytest.raises(ValueError, match="'timm/nope' is unknown"):
        make_backbone("timm/nope", SHAPE)


def test_timm_that_fails_to_import(tmp_path, monkeypatch):
    (tmp_path / "timm.py").write_text("raise RuntimeError('operator torchvision::nms is missing')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "timm", raising=False)
    with pytest.raises(ImportError, match=r"needs timm, which is installed but fails .*nms"):
        make_backbone("timm/cnn", SHAPE)


class TestWeights:
    @pytest.mark.parametrize("save", [torch.save, save_file])
    def test_come_from_a_file(self, tensors, tmp_path, save):
        path = tmp_path / "weights"
        save(tensors, path)
        assert_loaded(make_backbone("timm/cnn", SHAPE, weights=path), tensors)
        assert_loaded(make_backbone("timm/cnn", SHAPE, weights=str(path)), tensors)

    @pytest.mark.parametrize(
        "wrap",
        [
            lambda t: {"state_dict": t, "epoch": 3},
            lambda t: {"model_state_dict": t, "optimizer": {"state": {0: t["conv.weight"]}}},
            lambda t: {"model": prefixed(t, "module.")},
            lambda t: {"net": t},
            lambda t: {"state_dict": t, "optimizer": {"momentum": {"conv.weight": torch.ones(2)}}},
            lambda t: {"state_dict": {k: v + 1 for k, v in t.items()}, "state_dict_ema": t},
            lambda t: prefixed(t, "backbone.") | {"projector.0.weight": torch.ones(3, 3)},
            lambda t: prefixed(t, "module.encoder.") | {"module.fc.weight": torch.ones(3, 3)},
            lambda t: {"state_dict": prefixed(t, "_orig_mod.model.net.")},
            lambda t: {k: v for k, v in t.items() if "num_batches" not in k},
        ],
    )
    def test_in_the_usual_wrappers(self, tensors, tmp_path, wrap):
        assert_loaded(load(tmp_path / "weights.pth", wrap(tensors)), tensors)

    @pytest.mark.parametrize("name", ["fc.weight", "head.fc.weight", "classifier.1.bias"])
    def test_a_classifier_may_be_left_over(self, tensors, tmp_path, name):
        content = tensors | {name: torch.zeros(3), "logit_layer.weight": torch.zeros(3)}
        assert_loaded(load(tmp_path / "weights.pth", content), tensors)

    @pytest.mark.parametrize("wrap", [dict, lambda t: {"state_dict": prefixed(t, "backbone.")}])
    def test_of_a_larger_network(self, tensors, tmp_path, wrap):
        """As resnet34 has all that resnet18 needs, and more."""
        content = wrap(tensors | {"conv2.weight": torch.zeros(3), "conv3.weight": torch.zeros(3)})
        match = (
            r"does not fit .* has 2 \(such as 'conv2.weight'\) that the network has not.* rename"
        )
        with pytest.raises(ValueError, match=match):
            load(tmp_path / "weights.pth", content)

    def test_of_another_network(self, tensors, tmp_path):
        match = r"lacks 6 \(such as 'conv.weight'\) of the network's 7 .* holds 1 tensors \(other.w"
        with pytest.raises(ValueError, match=match):
            load(tmp_path / "weights.pth", {"other.weight": torch.zeros(3)})

    def test_of_another_shape(self, tensors, tmp_path):
        tensors["conv.weight"] = torch.zeros(6, 2, 3, 3)
        match = r"'conv.weight' is of shape \(6, 2, 3, 3\), not \(6, 1, 3, 3\)"
        with pytest.raises(ValueError, match=match):
            load(tmp_path / "weights.pth", tensors)

    def test_of_color_images_on_gray_ones(self, timm, tmp_path):
        color = make_backbone("timm/cnn", (3, 24, 24)).eval()
        path = tmp_path / "weights.pth"
        torch.save(color.model.state_dict(), path)
        gray = make_backbone("timm/cnn", SHAPE, weights=path).eval()
        images = torch.rand(2, *SHAPE)
        torch.testing.assert_close(gray(images), color(images.expand(-1, 3, -1, -1)))

    def test_the_networks_own_names_are_adapted(self, tensors, tmp_path, monkeypatch):
        def adapt(weights, model):
            return {name.replace("old_", ""): value for name, value in weights.items()}

        monkeypatch.setattr(fake_timm, "checkpoint_filter_fn", adapt, raising=False)
        assert_loaded(load(tmp_path / "weights.pth", prefixed(tensors, "old_")), tensors)

    def test_renamed(self, tensors, tmp_path):
        content = {
            "teacher": prefixed(tensors, "body."),
            "student": {k: v + 1 for k, v in tensors.items()},
        }
        rename = {"teacher.body.": "", "student.": None}
        assert_loaded(load(tmp_path / "weights.pth", content, rename=rename), tensors)
        with pytest.raises(ValueError, match="lacks"):
            load(tmp_path / "weights.pth", content)
        with pytest.raises(
            ValueError, match=r"rename=.* gives two tensors the name 'conv\.weight'"
        ):
            load(tmp_path / "weights.pth", content, rename={"teacher.body.": "", "student.": ""})

    def test_for_an_embedder(self, tensors, tmp_path):
        path = tmp_path / "weights.pth"
        torch.save(prefixed(tensors, "mine."), path)
        backbone = partial(TimmBackbone, "cnn", weights=path, rename={"mine.": ""})
        images = np.random.RandomState(0).randint(0, 256, (8, 24, 24)).astype("uint8")
        model = CrossEntropyEmbedder(4, backbone=backbone, max_epochs=1, lr=1e-9)
        model.fit(images, np.arange(8) % 2)
        torch.testing.assert_close(
            model.backbone_.model.conv.weight, tensors["conv.weight"], rtol=0, atol=1e-6
        )


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
    assert try_backbone(small, (1, 32, 32)).feature_shape[0] == features.shape[1]


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
