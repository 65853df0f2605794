"""The programs that pages of the guide show. Ray itself is run by benchmarks/embed_at_scale.py."""

import os
import re
import runpy
import sys
import types
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from PIL import Image
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline

import skfer
from skfer.datasets import DatasetError

GUIDE = Path(__file__).parents[1] / "docs" / "guide"
RECIPES = sorted(GUIDE.glob("*.py"))


def test_pages_show_the_programs_that_are_run():
    shown = [
        name
        for page in GUIDE.glob("*.rst")
        for name in re.findall(r"^.. literalinclude:: (.+)$", page.read_text(), re.MULTILINE)
    ]
    assert sorted(shown) == [path.name for path in RECIPES]
    benchmark = (GUIDE.parents[1] / "benchmarks" / "embed_at_scale.py").read_text()
    assert all(f'"{path.name}"' in benchmark for path in RECIPES)


class Rows:
    """As much of Ray's data as the recipe asks for, one batch after the other."""

    def from_items(self, items, override_num_blocks):
        self.items = items
        return self

    def map_batches(self, cls, *, fn_constructor_args, batch_size, **how):
        worker = cls(*fn_constructor_args)
        self.found = [worker({"part": np.array([item["part"]])}) for item in self.items]
        return self

    def iter_rows(self):
        return [{name: values[0] for name, values in batch.items()} for batch in self.found]

    def ActorPoolStrategy(self, size):  # noqa: N802 (Ray's name)
        return size


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    images = np.random.default_rng(0).integers(256, size=(16, 16, 16), dtype=np.uint8)
    model = skfer.CrossEntropyEmbedder(4, backbone="scratch", max_epochs=1, random_state=0)
    path = tmp_path_factory.mktemp("model") / "smile.skfer"
    skfer.save(model.fit(images, np.arange(16) % 2), path)
    return path


@pytest.fixture
def embed_parts(monkeypatch):
    ray = types.ModuleType("ray")
    ray.data = Rows()
    monkeypatch.setitem(sys.modules, "ray", ray)
    return runpy.run_path(str(GUIDE / "embed_with_ray.py"))["embed_parts"]


def write_parts(folder):
    """Write two parts of three pictures, the last of which is none; return all paths."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rng = np.random.default_rng(1)
    paths = [str(folder / f"{i}.png") for i in range(6)]
    for path in paths[:-1]:
        Image.fromarray(rng.integers(256, size=(16, 16), dtype=np.uint8)).save(path)
    Path(paths[-1]).write_text("no picture")
    (folder / "paths").mkdir()
    for name, some in (("a", paths[:3]), ("b", paths[3:])):
        pq.write_table(pa.table({"path": some}), folder / "paths" / f"{name}.parquet")
    return paths


@pytest.mark.pyarrow
def test_parts_are_embedded_once(embed_parts, model, tmp_path, capsys):
    """What is done is left out, and so is what cannot be read."""
    import pyarrow.parquet as pq

    paths, output = write_parts(tmp_path), tmp_path / "new" / "embeddings"
    embed_parts(model, tmp_path / "paths", output, workers=2)
    told = capsys.readouterr().out
    assert "parts to do: 2" in told
    assert "a.parquet: 3 faces" in told
    assert paths[-1] in told
    assert sorted(os.listdir(output)) == ["a.parquet", "b.parquet"]
    found = [pq.read_table(output / name) for name in ("a.parquet", "b.parquet")]
    assert found[0]["path"].to_pylist() + found[1]["path"].to_pylist() == paths[:-1]
    Z = np.concatenate([np.stack(table["embedding"].to_numpy()) for table in found])
    assert Z.dtype == np.float32
    assert_array_equal(Z, skfer.load(model).transform(paths[:-1]))
    # As after a kill: one part is there, one is not, and a file of it was being written.
    before = (output / "a.parquet").stat()
    (output / "b.parquet").rename(output / ".b.parquet.unfinished")
    embed_parts(model, tmp_path / "paths", output, workers=2)
    assert "parts to do: 1" in capsys.readouterr().out
    assert (output / "a.parquet").stat() == before
    assert sorted(os.listdir(output)) == ["a.parquet", "b.parquet"]
    embed_parts(model, tmp_path / "paths", output, workers=2)
    assert capsys.readouterr().out == "parts to do: 0\n"


@pytest.mark.pyarrow
def test_a_classifier_behind_the_embedder_is_left_out(embed_parts, model, tmp_path):
    """As the command line makes models."""
    import pyarrow.parquet as pq

    paths = write_parts(tmp_path)[:3]
    embedder = skfer.load(model)
    Z = embedder.transform(paths)
    whole = make_pipeline(embedder, KNeighborsClassifier(1).fit(Z, [0, 1, 0]))
    skfer.save(whole, tmp_path / "whole.skfer")
    output = tmp_path / "embeddings"
    embed_parts(tmp_path / "whole.skfer", tmp_path / "paths", output, workers=1)
    found = pq.read_table(output / "a.parquet")["embedding"].to_numpy()
    assert_array_equal(np.stack(found), Z)


@pytest.mark.pyarrow
def test_a_part_of_which_nothing_can_be_read(embed_parts, model, tmp_path):
    for path in write_parts(tmp_path):
        Path(path).unlink(missing_ok=True)
    with pytest.raises(DatasetError, match=r"0\.png"):
        embed_parts(model, tmp_path / "paths", tmp_path / "embeddings", workers=1)
    assert os.listdir(tmp_path / "embeddings") == []
