"""Small backbones: sizes of images and maps."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skfer.nets import CompactResNet, try_backbone


@settings(deadline=None, max_examples=20)
@given(st.integers(16, 230), st.integers(16, 230), st.sampled_from([1, 3]))
def test_compact_net_fits_all_sizes(height, width, channels):
    net = CompactResNet((channels, height, width))
    n_channels, *map_shape = try_backbone(net, (channels, height, width)).feature_shape
    assert n_channels == 56
    assert min(map_shape) >= 2
    if min(height, width) >= 32:
        assert 4 <= min(map_shape) <= 9


def test_compact_net_is_compact():
    net = CompactResNet((1, 48, 48))
    assert sum(p.numel() for p in net.parameters()) < 70_000


@pytest.mark.parametrize("shape", [(24, 24, 1), (48, 32, 3), (24, 24, 4)])
def test_compact_net_wants_the_channels_first(shape):
    first = rf"\({shape[2]}, {shape[0]}, {shape[1]}\)"
    with pytest.raises(ValueError, match=f"input_shape must have the channels first: give {first}"):
        CompactResNet(shape)


def test_compact_net_refuses_small_images():
    with pytest.raises(ValueError, match="at least 16 x 16 pixels, got 15 x 40"):
        CompactResNet((1, 15, 40))
