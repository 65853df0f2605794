"""Where models are written to, and what is told of places that take no file."""

from pathlib import Path

import numpy as np
import pytest

import skfer
from skfer import CrossEntropyEmbedder
from skfer.persistence import _file


@pytest.fixture(scope="module")
def fitted():
    X = np.random.default_rng(0).normal(size=(24, 4))
    return CrossEntropyEmbedder(4, max_epochs=1, random_state=0).fit(X, np.arange(24) % 3)


@pytest.mark.parametrize(
    "write", [skfer.save, pytest.param(skfer.export_onnx, marks=pytest.mark.onnx)]
)
def test_a_place_that_takes_no_file_is_told(write, fitted, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"^path='no/a' .* no folder .*no'\. Make it"):
        write(fitted, "no/a")
    with pytest.raises(IsADirectoryError, match=r"^path='\.' is a folder: give the name of a file"):
        write(fitted, ".")
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError, match=r"^path='file/a' .*: Not a directory. Give anot"):
        write(fitted, Path("file/a"))

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(_file.os, "fsync", full)
    with pytest.raises(OSError, match=r"^path='a' .*: No space left on device\.") as told:
        write(fitted, "a")
    assert told.value.errno == 28
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
