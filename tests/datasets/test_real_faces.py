"""The real faces of wild-faces, where SKFER_DATA says that they are."""

import pytest

from skfer.datasets import load_image_table


@pytest.mark.real_faces
def test_wild_faces_counts(real_faces_root, tmp_path):
    root = real_faces_root / "wild-faces"
    faces = load_image_table(
        root / "labels.csv",
        root / "images",
        label_column="expression",
        group_column="person",
        image_size=None,
        cache_dir=tmp_path,
        n_jobs=2,
    )
    assert faces.images.shape == (12_758, 64, 64)
    counts = {name: int((faces.target == k).sum()) for k, name in enumerate(faces.target_names)}
    assert counts == {
        "anger": 227,
        "contempt": 9,
        "disgust": 12,
        "fear": 12,
        "happiness": 5306,
        "neutral": 6713,
        "sadness": 124,
        "surprise": 355,
    }
    assert len(faces.groups) == 12_758
