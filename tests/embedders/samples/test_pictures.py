"""Every door to a picture gives the embedder the same pixels."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from skfer import MultiThresholdEmbedder
from skfer.datasets import make_expressions
from skfer.preprocessing import FaceAligner


@pytest.mark.parametrize("mode", ["P", "RGBA", "I;16"])
def test_pictures_of_pillow_are_what_their_files_are(tmp_path, mode):
    """A palette's indices, alpha or the lower bits are no gray."""
    faces = make_expressions(n_subjects=3, n_samples_per_expression=1, random_state=0)
    pictures = [Image.fromarray(face) for face in faces.images]
    if mode == "I;16":
        pictures = [Image.fromarray(face.astype(np.uint16) * 257) for face in faces.images]
    else:
        pictures = [picture.convert("RGB").convert(mode) for picture in pictures]
    paths = []
    for i, picture in enumerate(pictures):
        paths.append(str(tmp_path / f"{i}.png"))
        picture.save(paths[-1])
    model = MultiThresholdEmbedder(max_epochs=1, random_state=0).fit(pictures, faces.target)
    expected = model.transform(paths)
    np.testing.assert_array_equal(model.transform(pictures), expected)
    np.testing.assert_array_equal(model.transform(pd.Series(pictures)), expected)
    aligned = FaceAligner(image_size=faces.images.shape[1], color=False).transform(paths)
    np.testing.assert_array_equal(model.transform(aligned), expected)
    with pytest.raises(ValueError, match="X must be a list of images, got a single one"):
        model.transform(pictures[0])
