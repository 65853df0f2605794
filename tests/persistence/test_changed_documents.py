"""A document that says something else than what was saved, in a file that is whole, is refused."""

import contextlib
import json
from itertools import permutations

import numpy as np
import pytest
from sklearn.datasets import load_iris

import skfer
from skfer import CrossEntropyEmbedder
from skfer.exceptions import ModelFileError
from skfer.persistence._file import read_file, write_file

# Tags, and names of arrays, of which a document has each at least once.
WORDS = ("tensor", "parameter", "array", "objects", "tuple", "module", "a1", "a2")
# What is told by the first of these may be told by the second too: the file may be another one.
ALIKE = {
    ("tensor", "parameter"),
    ("parameter", "tensor"),
    ("array", "tensor"),
    ("array", "tuple"),
    ("objects", "tuple"),
    ("a1", "a2"),
}


@pytest.fixture(scope="module")
def fitted():
    X, y = load_iris(return_X_y=True)
    return CrossEntropyEmbedder(8, max_epochs=1, random_state=0).fit(X, np.array(list("abc"))[y])


@pytest.mark.parametrize(("old", "new"), list(permutations(WORDS, 2)))
def test_a_document_with_another_word_is_refused(old, new, fitted, tmp_path):
    path = tmp_path / "model.skfer"
    skfer.save(fitted, path)
    document, arrays = read_file(path)
    text = json.dumps(document["model"])
    count = text.count(f'"{old}"')
    assert count > 0
    for n in range(1, count + 1):
        changed = json.loads(text.replace(f'"{old}"', f'"{new}"', n))
        write_file(path, document | {"model": changed}, arrays)  # with a right checksum
        may_load = contextlib.suppress(ModelFileError)
        with may_load if (old, new) in ALIKE else pytest.raises(ModelFileError):
            skfer.load(path)
