"""The whole network, from pixels to embedding."""

import numpy as np
import pytest
import torch
from torch import nn

from skfer.nets import EmbeddingNet, standardize_images


@pytest.fixture
def images():
    return torch.from_numpy(np.random.RandomState(0).randint(0, 256, (6, 20, 18)).astype("uint8"))


def test_standardized_images_have_mean_0_and_sd_1(images):
    x = standardize_images(images)
    assert x.shape == (6, 1, 20, 18)
    torch.testing.assert_close(x.mean((1, 2, 3)), torch.zeros(6), atol=1e-5, rtol=0)
    torch.testing.assert_close(x.std((1, 2, 3), correction=0), torch.ones(6))


def test_standardizing_knows_no_pixel_range(images):
    torch.testing.assert_close(
        standardize_images(images / 255), standardize_images(images), atol=1e-5, rtol=1e-4
    )
    torch.testing.assert_close(
        standardize_images(images.double() * 1e6 - 3e6),
        standardize_images(images),
        atol=1e-4,
        rtol=1e-4,
    )


@pytest.mark.parametrize("scale", [1e-36, 1e-12, 1e12, 1e25, 3e38])
def test_standardizing_knows_no_range_of_floats(images, scale):
    expected = standardize_images(images)
    actual = standardize_images((images / 255).double() * scale)
    torch.testing.assert_close(actual, expected, atol=1e-4, rtol=1e-4)


def test_standardizing_gives_gradients():
    images = torch.rand(2, 5, 5, dtype=torch.float64, requires_grad=True)
    weights = torch.rand(2, 1, 5, 5)
    (standardize_images(images) * weights).sum().backward()
    # What moves all pixels alike, or scales them, moves nothing.
    torch.testing.assert_close(images.grad.sum((1, 2)), torch.zeros(2).double(), atol=1e-5, rtol=0)
    along = (images.grad * images.detach()).sum((1, 2))
    torch.testing.assert_close(along, torch.zeros(2).double(), atol=1e-5, rtol=0)


def test_constant_images_become_zeros():
    assert (standardize_images(torch.full((2, 5, 5, 3), 7, dtype=torch.uint8)) == 0).all()


def test_color_is_standardized_over_all_channels():
    x = standardize_images(torch.rand(2, 8, 8, 3))
    assert x.shape == (2, 3, 8, 8)
    torch.testing.assert_close(x.mean((1, 2, 3)), torch.zeros(2), atol=1e-5, rtol=0)


@pytest.mark.parametrize("shape", [(2, 3, 24, 20), (2, 1, 24, 20), (2, 4, 24, 20)])
def test_channels_first_are_recognized(shape):
    x = torch.rand(shape)
    message = r"must have the channels last, .*: give (x|images).movedim\(1, -1\)"
    for run in (standardize_images, EmbeddingNet(nn.Conv2d(1, 4, 3), (4, 18, 16), 5)):
        with pytest.raises(ValueError, match=message):
            run(x)
    assert standardize_images(x.movedim(1, -1)).shape == shape


def test_embedding_is_standardized_over_the_batch(images):
    torch.manual_seed(0)
    net = EmbeddingNet(nn.Conv2d(1, 4, 3), (4, 18, 16), 5, n_classes=3)
    output = net(images)
    torch.testing.assert_close(output.embedding.mean(0), torch.zeros(5), atol=1e-5, rtol=0)
    assert output.logits.shape == (6, 3)
    assert output.attention is None


@pytest.mark.parametrize("attention", ["pixel", "element", "both"])
def test_attention(images, attention):
    output = EmbeddingNet(nn.Conv2d(1, 4, 3), (4, 18, 16), 5, attention=attention)(images)
    assert (output.pixel_map is not None) == (attention != "element")
    assert (output.attention is not None) == (attention != "pixel")


def test_augment_acts_in_training_only(images):
    class Zero(nn.Module):
        def forward(self, x):
            return x * 0

    net = EmbeddingNet(nn.Conv2d(1, 4, 3, bias=False), (4, 18, 16), 5, augment=Zero())
    assert (net(images).embedding == 0).all()
    assert (net.eval()(images).embedding != 0).any()


class TestFreezing:
    @pytest.fixture
    def net(self):
        torch.manual_seed(0)
        backbone = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Dropout(0.5))
        return EmbeddingNet(backbone, (4, 18, 16), 5, n_classes=2)

    @staticmethod
    def step(net, images, weight_decay=0.1):
        """One step of training, on all that learns."""
        optimizer = torch.optim.AdamW(net.parameters(), lr=0.1, weight_decay=weight_decay)
        net.train()
        net(images).logits.square().sum().backward()
        optimizer.step()
        optimizer.zero_grad()

    @staticmethod
    def state(net):
        return {name: value.clone() for name, value in net.backbone.state_dict().items()}

    def test_weights_and_statistics_stay(self, net, images):
        net.freeze_backbone()
        before, project = self.state(net), net.project.weight.clone()
        self.step(net, images)
        after = self.state(net)
        assert all(torch.equal(after[name], before[name]) for name in before)
        assert not torch.equal(net.project.weight, project)

    def test_a_frozen_backbone_computes_as_in_inference(self, net, images):
        net.freeze_backbone()
        outputs = []
        net.backbone.register_forward_hook(lambda module, inputs, output: outputs.append(output))
        net.train()(images)
        net.eval()(images)
        assert torch.equal(*outputs)
        assert not outputs[0].requires_grad

    def test_whatever_sets_the_mode(self, net):
        net.freeze_backbone()
        for mode in (True, False, True):
            net.train(mode)
            assert not any(module.training for module in net.backbone.modules())
            assert net.standardize.training == mode

    @pytest.mark.parametrize("mode", [True, False])
    def test_thawed_it_is_in_the_mode_of_the_net(self, net, images, mode):
        net.train(mode)
        net.freeze_backbone()
        net.freeze_backbone(False)
        assert all(module.training == mode for module in net.modules())
        before = self.state(net)
        self.step(net, images)
        after = self.state(net)
        assert not any(torch.equal(after[name], before[name]) for name in before)

    def test_what_learned_nothing_before_learns_nothing_after(self, net, images):
        net.backbone[0].weight.requires_grad_(False)
        net.freeze_backbone()
        net.freeze_backbone(False)
        weight = net.backbone[0].weight.clone()
        self.step(net, images)
        assert torch.equal(net.backbone[0].weight, weight)

    def test_without_gradients_nothing_changes(self, net, images):
        with torch.no_grad():
            assert not net(images).logits.requires_grad


class TestMirror:
    """In inference, the mean of what an image and its mirror image give."""

    def net(self, **kwargs):
        torch.manual_seed(0)
        backbone = nn.Sequential(nn.Conv2d(1, 5, 3), nn.ReLU())
        net = EmbeddingNet(backbone, (5, 18, 16), 4, n_classes=3, attention="both", **kwargs)
        return net.eval()

    def test_mean_of_both(self, images):
        plain, both = self.net(), self.net(mirror=True)
        one, other, mean = plain(images), plain(images.flip(2)), both(images)
        for name in ("embedding", "logits", "attention"):
            expected = (getattr(one, name) + getattr(other, name)) / 2
            torch.testing.assert_close(getattr(mean, name), expected)
        torch.testing.assert_close(mean.pixel_map, one.pixel_map)

    def test_in_training_each_image_is_itself(self, images):
        plain, both = self.net().train(), self.net(mirror=True).train()
        torch.testing.assert_close(both(images).embedding, plain(images).embedding)

    def test_rows_have_no_mirror_image(self):
        torch.manual_seed(0)
        net = EmbeddingNet(nn.Linear(6, 5), (5,), 4, mirror=True).eval()
        rows = torch.randn(3, 6)
        expected = net.standardize(net.project(net.backbone(rows)))
        torch.testing.assert_close(net(rows).embedding, expected)


@pytest.mark.parametrize("attention", ["pixel", "both"])
def test_rows_have_no_cells_to_look_at(attention):
    message = f"attention='{attention}' looks at the cells .*give attention='element' or None"
    with pytest.raises(ValueError, match=message):
        EmbeddingNet(nn.Linear(3, 4), (4,), 6, attention=attention)
    EmbeddingNet(nn.Linear(3, 4), (4,), 6, attention="element")
