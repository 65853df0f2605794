"""Faces that the commands are tried on."""

import pytest
from helpers.calls import TRAINED
from PIL import Image

from skfer.cli import main
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


@pytest.fixture(scope="session")
def smile(tmp_path_factory):
    """A model that has seen a few drawn faces."""
    path = tmp_path_factory.mktemp("model") / "smile.skfer"
    assert main(["train", *TRAINED, "-o", str(path)]) == 0
    return path


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """Twelve faces in two folders, and a text."""
    root = tmp_path_factory.mktemp("pictures")
    faces = make_expressions(2, 1, image_size=24, random_state=1)
    for i, image in enumerate(faces.images[:12]):
        path = root / ("b" if i % 2 else "a") / f"{i:02d}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(image).save(path)
    (root / "notes.txt").write_text("no picture")
    return root
