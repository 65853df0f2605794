import pickle

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from skfer.nets import SelectiveAttention

quick = settings(max_examples=30, deadline=None)


@st.composite
def attentions(draw, dtype=torch.float64):
    """A module that looks somewhere, and a feature map for it."""
    channels, embedding_dim, n_samples = (draw(st.integers(1, 6)) for _ in range(3))
    height, width = (draw(st.integers(1, 5)) for _ in range(2))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**32 - 1)))
    module = trained(SelectiveAttention(channels, embedding_dim), generator).to(dtype)
    features = torch.randn(n_samples, channels, height, width, generator=generator)
    return module, features.to(dtype)


def trained(module, generator):
    """Give every parameter a value, as training would."""
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.normal_(generator=generator)
    return module


def example(pixel=True, element=True):
    generator = torch.Generator().manual_seed(0)
    module = trained(SelectiveAttention(8, 16, pixel=pixel, element=element), generator)
    return module, torch.randn(5, 8, 4, 3, generator=generator)


class TestDefinition:
    @quick
    @given(attentions())
    def test_pools_by_the_map(self, drawn):
        module, features = drawn
        pooled, weights, pixel_map = module(features)
        m = torch.sigmoid(module.look(features))
        torch.testing.assert_close(pixel_map, m, rtol=0, atol=1e-12)
        expected = (m * features).sum((2, 3)) / m.sum((2, 3))
        torch.testing.assert_close(pooled, expected, rtol=1e-10, atol=1e-10)
        torch.testing.assert_close(weights, torch.sigmoid(module.weigh(pooled)), rtol=0, atol=0)

    @quick
    @given(attentions())
    def test_shapes_and_ranges(self, drawn):
        module, features = drawn
        pooled, weights, pixel_map = module(features)
        n_samples, channels, height, width = features.shape
        assert pooled.shape == (n_samples, channels)
        assert pixel_map.shape == (n_samples, 1, height, width)
        assert len(weights) == n_samples
        for attention in (weights, pixel_map):
            assert ((attention >= 0) & (attention <= 1)).all()

    @quick
    @given(attentions())
    def test_every_sample_for_itself(self, drawn):
        module, features = drawn
        together = module(features)
        for i in range(len(features)):
            alone = module(features[i : i + 1])
            for one, all_ in zip(alone, together, strict=True):
                torch.testing.assert_close(one[0], all_[i], rtol=1e-10, atol=1e-10)

    @quick
    @given(attentions())
    def test_pooled_features_lie_between_the_cells(self, drawn):
        module, features = drawn
        pooled, _, _ = module(features)
        assert (pooled <= features.amax((2, 3)) + 1e-9).all()
        assert (pooled >= features.amin((2, 3)) - 1e-9).all()


class TestParts:
    @pytest.mark.parametrize(
        ("pixel", "element"), [(True, True), (True, False), (False, True), (False, False)]
    )
    def test_off_is_none(self, pixel, element):
        module, features = example(pixel, element)
        pooled, weights, pixel_map = module(features)
        assert (weights is not None) == element
        assert (pixel_map is not None) == pixel
        if not pixel:
            torch.testing.assert_close(pooled, features.mean((2, 3)))
        if not pixel and not element:
            assert not list(module.parameters())

    @pytest.mark.parametrize("element", [True, False])
    def test_rows_pass_through(self, element):
        module, features = example(pixel=False, element=element)
        rows = features[:, :, 0, 0]
        pooled, weights, pixel_map = module(rows)
        assert torch.equal(pooled, rows)
        assert pixel_map is None
        assert (weights is not None) == element

    def test_starts_neutral(self):
        features = torch.randn(3, 8, 4, 4)
        pooled, weights, pixel_map = SelectiveAttention(8, 16)(features)
        torch.testing.assert_close(pooled, features.mean((2, 3)))
        assert (weights == 0.5).all()
        assert (pixel_map == 0.5).all()

    def test_learns_where_to_look(self):
        # The first channel is noise but for one cell, which the second channel marks.
        generator = torch.Generator().manual_seed(0)
        features = torch.randn(64, 2, 3, 3, generator=generator)
        features[:, 1] = 0
        features[:, 1, 2, 1] = 1
        wanted = features[:, 0, 2, 1]
        module = SelectiveAttention(2, 4, element=False)
        optimizer = torch.optim.Adam(module.parameters(), lr=0.1)
        for _ in range(150):
            optimizer.zero_grad()
            pooled, _, _ = module(features)
            (pooled[:, 0] - wanted).square().mean().backward()
            optimizer.step()
        _, _, pixel_map = module(features)
        where = pixel_map.mean((0, 1))
        assert where.argmax() == 7
        assert where.sum() < 2 * where[2, 1]


class TestNumbers:
    def test_gradcheck(self):
        module, features = example()
        module, features = module.double(), features.double().requires_grad_()
        assert torch.autograd.gradcheck(module, features)

    def test_every_parameter_learns(self):
        module, features = example()
        pooled, weights, _ = module(features)
        (pooled.sum() + weights.square().sum()).backward()
        assert all(parameter.grad.any() for parameter in module.parameters())

    @quick
    @given(attentions(torch.float32), st.floats(0, 15))
    def test_large_features_stay_finite(self, drawn, exponent):
        module, features = drawn
        features = (features * 10**exponent).requires_grad_()
        outputs = module(features)
        assert all(output.isfinite().all() for output in outputs)
        (outputs[0].mean() + outputs[1].sum()).backward()
        assert features.grad.isfinite().all()

    def test_a_map_that_vanishes_still_pools(self):
        module, features = example()
        with torch.no_grad():
            module.look.weight.zero_()
            module.look.bias.fill_(-1e4)
        pooled, _, pixel_map = module(features)
        assert not pixel_map.any()
        torch.testing.assert_close(pooled, features.mean((2, 3)))

    def test_memory_formats_agree(self):
        module, features = example()
        last = features.to(memory_format=torch.channels_last)
        for one, other in zip(module(features), module(last), strict=True):
            torch.testing.assert_close(one, other)

    def test_same_input_same_bits(self):
        module, features = example()
        first, second = module(features), module(features)
        assert all(torch.equal(one, other) for one, other in zip(first, second, strict=True))

    def test_pickles(self):
        module, _ = example()
        again = pickle.loads(pickle.dumps(module))
        features = torch.randn(2, 8, 4, 3, generator=torch.Generator().manual_seed(1))
        for one, other in zip(module(features), again(features), strict=True):
            assert torch.equal(one, other)


class TestErrors:
    @pytest.mark.parametrize("name", ["in_channels", "embedding_dim"])
    def test_sizes(self, name):
        with pytest.raises(ValueError, match=f"{name} must be a whole number of at least 1, got 0"):
            SelectiveAttention(**{"in_channels": 3, "embedding_dim": 4, name: 0})

    @pytest.mark.parametrize("element", [True, False])
    def test_rows_have_no_pixels(self, element):
        with pytest.raises(ValueError, match=r"features of shape \(2, 3\) are rows"):
            SelectiveAttention(3, 4, element=element)(torch.ones(2, 3))

    @pytest.mark.parametrize("shape", [(2, 4, 5, 5), (3,), (2, 3, 5)])
    def test_shape(self, shape):
        with pytest.raises(ValueError, match=r"features must be .* in_channels=3, got"):
            SelectiveAttention(3, 4)(torch.ones(shape))
