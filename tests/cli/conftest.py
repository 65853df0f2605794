"""Faces that the commands are tried on."""

import pytest
from PIL import Image

from skfer.datasets import make_expressions


@pytest.fixture(scope="session")
def faces_on_disk(tmp_path_factory):
    """Forty-eight drawn faces as files, in class folders, and a table of them."""
    root = tmp_path_factory.mktemp("faces")
    faces = make_expressions(
        12,
        1,
        image_size=24,
        classes=["anger", "happiness", "neutral", "surprise"],
        random_state=0,
    )
    lines = ["path,emotion,person"]
    for i, (image, code, person) in enumerate(
        zip(faces.images, faces.target, faces.groups, strict=True)
    ):
        name = f"{faces.target_names[code]}/p{person:02d}_{i}.png"
        (root / name).parent.mkdir(exist_ok=True)
        Image.fromarray(image).save(root / name)
        lines.append(f"{name},{faces.target_names[code]},p{person}")
    (root / "labels.csv").write_text("\n".join(lines) + "\n")
    return root
