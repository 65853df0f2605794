"""The card of a model file is read without asking: nothing that it names is imported for it."""

import sys

import pytest
from sklearn.datasets import load_iris

import skfer
from skfer import CrossEntropyEmbedder
from skfer.exceptions import ModelFileError
from skfer.persistence._file import read_file, write_file


@pytest.fixture(scope="module")
def fitted():
    return CrossEntropyEmbedder(4, max_epochs=1, random_state=0).fit(*load_iris(return_X_y=True))


@pytest.mark.parametrize("read", [skfer.load, skfer.model_card])
@pytest.mark.parametrize("tag", ["named", "object", "module", "embedder"])
def test_a_card_may_not_name_what_runs_code(read, tag, fitted, tmp_path, monkeypatch):
    (tmp_path / "runs_code.py").write_text("class Thing:\n    pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    path = tmp_path / "model.skfer"
    skfer.save(fitted, path)
    document, arrays = read_file(path)
    bad = {"!": tag, "value": "runs_code.Thing", "state": {}, "net": None}
    write_file(path, document | {"card": {"x": bad}}, arrays)
    with pytest.raises(ModelFileError, match="loaded unasked"):
        read(path)
    assert "runs_code" not in sys.modules
