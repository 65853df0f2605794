"""Memory maps that dask sends as paths."""

import mmap
from pathlib import Path

import joblib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from sklearn.model_selection import cross_validate

from skfer import CrossEntropyEmbedder
from skfer.model_selection import share_memmaps

pytestmark = [
    pytest.mark.dask,
    # What a second of waiting for a disk would say.
    pytest.mark.filterwarnings("ignore:Creating scratch directories:UserWarning"),
]
SHAPE = (64, 5, 7)
TOLD = 1000
"""More bytes than a path and a header take."""


@pytest.fixture(scope="module")
def register():
    from dask.sizeof import sizeof
    from distributed.protocol.serialize import dask_deserialize, dask_serialize

    from skfer.model_selection._dask_memmaps import register

    tables = [table._lookup for table in (dask_serialize, dask_deserialize, sizeof)]
    before = [dict(table) for table in tables]
    register()
    yield
    for table, former in zip(tables, before, strict=True):
        table.clear()
        table.update(former)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("maps")


def travel(x):
    """Return what arrives by dask's own way through a socket, and how many bytes were sent."""
    from distributed.protocol import Serialize, dumps, loads

    frames = [bytes(frame) for frame in dumps({"x": Serialize(x)})]
    return loads(frames)["x"], sum(map(len, frames))


@pytest.mark.usefixtures("register")
@given(
    st.tuples(*(st.slices(n) for n in SHAPE)),
    st.sampled_from(["<f4", ">i2", "u1", "?", "<M8[s]", [("a", "<i4"), ("b", "<i2", (2,))]]),
    st.sampled_from("CF"),
    st.sampled_from([0, 3, mmap.ALLOCATIONGRANULARITY + 128]),
    st.sampled_from(["r", "r+", "c"]),
)
def test_every_part_of_a_map_arrives(folder, part, dtype, order, offset, mode):
    size = np.dtype(dtype).itemsize * np.prod(SHAPE)
    values = np.arange(size).astype(np.uint8).view(np.uint8)
    values = (values % 2 if dtype == "?" else values).view(dtype).reshape(SHAPE)
    path = folder / "values"
    path.write_bytes(b"\0" * offset + values.tobytes(order))
    x = np.memmap(path, dtype, mode, offset, SHAPE, order)
    arrived, n_bytes = travel(x[part])
    assert_array_equal(arrived, values[part])
    assert arrived.dtype == x.dtype
    in_one_piece = x[part].flags.c_contiguous or x[part].flags.f_contiguous
    by_path = mode != "c" and in_one_piece and x[part].size > 0
    assert n_bytes < TOLD if by_path else n_bytes > x[part].nbytes
    assert not by_path or isinstance(arrived, np.memmap)


@pytest.mark.usefixtures("register")
def test_what_is_in_no_file_arrives(folder):
    np.save(folder / "values.npy", np.arange(800.0))
    x = np.load(folder / "values.npy", mmap_mode="r")
    for values in (x + 1, x[[3, 1]], np.asarray(x), np.broadcast_to(x, (2, 800)), x.sum()):
        arrived, n_bytes = travel(values)
        assert_array_equal(arrived, values)
        assert n_bytes > values.nbytes / 2  # rows that repeat are sent once


@pytest.mark.usefixtures("register")
@pytest.mark.parametrize("spoil", [Path.unlink, lambda path: path.write_bytes(b"short")])
def test_a_file_that_is_gone(spoil, folder):
    from distributed.protocol import Serialize, dumps, loads

    path = folder / "gone"
    x = np.memmap(path, np.uint8, "w+", shape=(2, 500))
    frames = [bytes(frame) for frame in dumps({"x": Serialize(x)})]
    path.rename(folder / "elsewhere")  # the values stay where they are
    path.touch()
    spoil(path)
    with pytest.raises(FileNotFoundError, match=f"{path} is not on .* share the disk"):
        loads(frames)["x"]
    arrived, n_bytes = travel(x)
    assert_array_equal(arrived, np.zeros((2, 500)))
    assert n_bytes > 1000
    path.unlink(missing_ok=True)


@pytest.mark.usefixtures("register")
def test_a_map_takes_no_memory_of_a_worker(folder):
    from dask.sizeof import sizeof

    assert sizeof(np.memmap(folder / "large", np.uint8, "w+", shape=10**6)) < TOLD


@pytest.mark.usefixtures("register")
def test_a_change_that_was_not_written_yet_arrives(folder):
    x = np.memmap(folder / "changed", np.uint8, "w+", shape=3)
    x[:] = 1, 2, 3
    assert_array_equal(travel(x)[0], [1, 2, 3])


@pytest.mark.usefixtures("register")
def test_workers_open_the_file(tmp_path):
    from distributed import Client, LocalCluster

    y = np.arange(40) % 3
    X = np.random.default_rng(0).normal(size=(40, 5)) + y[:, None]
    np.save(tmp_path / "rows.npy", X)
    mapped = np.load(tmp_path / "rows.npy", mmap_mode="r")
    model = CrossEntropyEmbedder(8, max_epochs=2, random_state=0)
    expected = cross_validate(model, X, y, cv=2)["test_score"]
    of_type = lambda x: type(x).__name__  # noqa: E731 (travels by value, as from a notebook)
    with (
        LocalCluster(
            n_workers=1, threads_per_worker=1, processes=True, dashboard_address=":0"
        ) as cluster,
        Client(cluster) as client,
    ):
        share_memmaps(client)
        client.amm.stop()
        assert client.submit(of_type, client.scatter(mapped)).result() == "memmap"
        with joblib.parallel_config("dask", scatter=[mapped, y]):
            assert_array_equal(cross_validate(model, mapped, y, cv=2)["test_score"], expected)
        cluster.scale(2)  # a worker that comes later knows, too
        client.wait_for_workers(2, timeout=120)
        everywhere = client.scatter(mapped, broadcast=True)
        workers = list(client.scheduler_info()["workers"])
        kinds = [client.submit(of_type, everywhere, workers=[w], key=w) for w in workers]
        assert client.gather(kinds) == ["memmap", "memmap"]


@pytest.mark.parametrize("client", ["tcp://here:8786", None, 3, np.zeros(2)])
def test_what_is_no_client(client):
    with pytest.raises(ValueError, match=r"client must be a distributed\.Client, got "):
        share_memmaps(client)
