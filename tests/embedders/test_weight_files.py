"""A file of weights that was replaced: a fit of the former weights is not taken for it."""

import numpy as np
import pytest
import torch
from helpers import fake_timm
from safetensors.torch import save_file

from skfer import CrossEntropyEmbedder
from skfer.datasets import make_expressions

FACES = make_expressions(2, 1, image_size=24, random_state=0)


@pytest.mark.parametrize("place", [str, lambda path: path])
def test_it_is_another_fit(tmp_path, monkeypatch, place):
    fake_timm.put_in_place(monkeypatch)
    file = tmp_path / "weights.safetensors"

    def embedding(weight, checkpoint):
        model = fake_timm.FakeModel(1, "cnn")
        with torch.no_grad():
            model.conv.bias.zero_()
            model.conv.weight.zero_()[..., 0, 0] = weight
        save_file(model.state_dict(), file)
        embedder = CrossEntropyEmbedder(
            backbone="timm/cnn",
            backbone_weights=place(file),
            max_epochs=1,
            random_state=0,
            checkpoint=checkpoint,
        )
        return embedder.fit_transform(FACES.images, FACES.target)

    found = [embedding(weight, tmp_path / "fits") for weight in (0.5, -0.5)]
    np.testing.assert_array_equal(found[1], embedding(-0.5, None))
    assert np.abs(found[0] - found[1]).max() > 1e-3
