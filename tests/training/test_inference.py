"""How a trained network is run."""

import gc
import weakref

import numpy as np
import pytest
import torch

from skfer.nets import CompactResNet, EmbeddingNet, try_backbone
from skfer.training import ImageSource, run_network

SHAPE = (16, 16)
IMAGES = np.random.RandomState(0).randint(0, 256, (70, *SHAPE), dtype=np.uint8)


class Watched(CompactResNet):
    """Tells how many images it is given at a time."""

    def __init__(self):
        super().__init__((1, *SHAPE), width=4)
        self.sizes = []

    def forward(self, x):
        self.sizes.append(len(x))
        return super().forward(x)


class OfItsBatch(Watched):
    """Sees its neighbors, as a kernel does that sums in another order."""

    def forward(self, x):
        return super().forward(x) + len(x) * 1e-6


def network_of(backbone):
    shape = try_backbone(backbone, (1, *SHAPE)).feature_shape
    backbone.sizes.clear()
    return EmbeddingNet(backbone, shape, 6, n_classes=3).eval()


def run(network, images):
    parts = run_network(network, ImageSource(images, SHAPE), "cpu", "float32")
    return torch.cat([output.embedding for _, output in parts])


def test_few_images_do_not_wait_for_many():
    network = network_of(Watched())
    run(network, IMAGES[:1])
    assert network.backbone.sizes == [64]  # a single call does not pay for a trial
    one = run(network, IMAGES[:1])
    assert network.backbone.sizes[1:] in ([8, 64, 8], [8, 64, 64])  # kernels may differ
    network.backbone.sizes.clear()
    few, many = run(network, IMAGES[:8]), run(network, IMAGES)
    assert network.backbone.sizes[1:] == [64, 64]
    assert torch.equal(few, many[:8])
    assert torch.equal(one, many[:1])


@pytest.mark.parametrize("when", ["register_forward_hook", "register_forward_pre_hook"])
def test_a_hook_sees_what_is_asked_for_alone(when):
    network = network_of(Watched())
    seen = []
    hook = getattr(network.backbone, when)(lambda part, inputs, *output: seen.append(inputs[0]))
    first, second, third = (run(network, IMAGES[:3]) for _ in range(3))
    assert len(seen) == 3
    assert all(torch.equal(one, seen[0]) for one in seen)
    hook.remove()
    network.backbone.sizes.clear()
    fourth = run(network, IMAGES[:3])
    assert network.backbone.sizes[:2] == [8, 64]  # now it is tried
    assert all(torch.equal(first, other) for other in (second, third, fourth))


@pytest.mark.parametrize("n", [1, 8, 9, 64, 70])
def test_images_do_not_see_their_neighbors(n):
    network = network_of(OfItsBatch())
    first, found = run(network, IMAGES[:n]), run(network, IMAGES[:n])
    assert torch.equal(first, found)
    assert torch.equal(found, run(network, IMAGES)[:n])
    assert network.backbone.sizes[-1] == 64


def test_a_trial_draws_from_nobodys_generator():
    network = network_of(Watched())
    before = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    run(network, IMAGES[:1])
    run(network, IMAGES[:1])
    assert torch.equal(torch.get_rng_state(), before[0])
    assert (np.random.get_state()[1] == before[1]).all()  # noqa: NPY002


def test_a_network_is_not_kept_for_what_was_tried():

    network = network_of(Watched())
    run(network, IMAGES[:1])
    run(network, IMAGES[:1])
    kept = weakref.ref(network)
    del network
    gc.collect()
    assert kept() is None


def test_an_embedding_that_is_not_finite_is_told():
    network = network_of(Watched())
    with torch.no_grad():
        next(p for p in network.parameters() if p.ndim == 1).fill_(torch.nan)
    with pytest.raises(ValueError, match="not finite, that of sample 0"):
        run(network, IMAGES[:3])
