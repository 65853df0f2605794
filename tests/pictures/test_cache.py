"""The cache: complete or not there, new when anything changed, safe among processes."""

import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from helpers import trees

from skfer.datasets import (
    DatasetError,
    DatasetWarning,
    load_ck_plus,
    load_image_folder,
    load_jaffe,
)
from skfer.pictures import _decode

NAMES = [f"{folder}/{i}.png" for folder in ("fear", "sad") for i in range(20)]


@pytest.fixture
def root(tmp_path):
    trees.folder(tmp_path / "faces", NAMES)
    return tmp_path / "faces"


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache"


def ages(cache):
    return {path.name: path.stat().st_mtime_ns for path in cache.iterdir()}


def by_name(faces):
    return dict(zip(faces.filenames, faces.images, strict=True))


@pytest.mark.parametrize("how", [{}, {"color": True}, {"image_size": 7}, {"n_jobs": 2}])
def test_cached_equals_decoded(root, cache, how):
    plain = load_image_folder(root, **how)
    first = load_image_folder(root, cache_dir=cache, **how)
    before = ages(cache)
    again = load_image_folder(root, cache_dir=cache, **how)
    assert ages(cache) == before
    for faces in (first, again):
        np.testing.assert_array_equal(faces.images, plain.images)
        assert isinstance(faces.images, np.memmap)
        assert isinstance(faces.data, np.memmap)
        assert np.shares_memory(faces.data, faces.images)
        assert not faces.images.flags.writeable
    assert sorted(path.suffix for path in cache.iterdir()) == [".json", ".npy"]


def test_number_of_jobs_shares_a_cache(root, cache):
    load_image_folder(root, cache_dir=cache, n_jobs=1)
    load_image_folder(root, cache_dir=cache, n_jobs=2, verbose=True, as_frame=True)
    assert len(ages(cache)) == 2


@pytest.mark.parametrize("how", [{"color": True}, {"image_size": 6}, {"classes": ["fear"]}])
def test_a_changed_parameter_makes_a_new_cache(root, cache, how):
    load_image_folder(root, cache_dir=cache)
    faces = load_image_folder(root, cache_dir=cache, **how)
    assert len(ages(cache)) == 4
    np.testing.assert_array_equal(faces.images, load_image_folder(root, **how).images)


def test_a_changed_source_makes_a_new_cache(root, cache):
    load_image_folder(root, cache_dir=cache)
    status = os.stat(root / NAMES[3])
    trees.picture(root / NAMES[3], value=255)
    os.utime(root / NAMES[3], ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    assert np.all(by_name(load_image_folder(root, cache_dir=cache))[NAMES[3]] == 255)
    (root / NAMES[0]).unlink()
    assert len(load_image_folder(root, cache_dir=cache).images) == len(NAMES) - 1
    (root / NAMES[1]).rename(root / "fear" / "zz.png")
    faces = by_name(load_image_folder(root, cache_dir=cache))
    assert NAMES[1] not in faces
    assert np.all(faces["fear/zz.png"] == 37 + 5)


def test_files_that_changed_places_make_a_new_cache(root, cache):
    """Names, sizes and times of the content may all be as before."""
    for name in NAMES[:2]:
        os.utime(root / name, ns=(1, 1))
    assert (root / NAMES[0]).stat().st_size == (root / NAMES[1]).stat().st_size
    before = by_name(load_image_folder(root, cache_dir=cache))
    (root / NAMES[0]).rename(root / "aside.png")
    (root / NAMES[1]).rename(root / NAMES[0])
    (root / "aside.png").rename(root / NAMES[1])
    after = by_name(load_image_folder(root, cache_dir=cache))
    for one, other in (NAMES[:2], NAMES[1::-1]):
        np.testing.assert_array_equal(after[one], before[other])


@pytest.mark.parametrize("text", ["{}", "[]", "null", "3", '"key"', '{"key": 1}'])
def test_a_manifest_that_is_none(root, cache, text):
    expected = np.array(load_image_folder(root, cache_dir=cache).images)
    (path,) = cache.glob("*.json")
    content = path.read_text()
    path.write_text(text)
    np.testing.assert_array_equal(load_image_folder(root, cache_dir=cache).images, expected)
    assert path.read_text() == content


@pytest.mark.parametrize("inner", ["cache", "fear/cache", ".", "fear"])
def test_a_cache_among_the_pictures(root, inner):
    expected = load_image_folder(root)
    for how in ({}, {}, {"image_size": 8}, {}):
        faces = load_image_folder(root, cache_dir=root / inner, **how)
        assert faces.filenames.tolist() == expected.filenames.tolist()
    np.testing.assert_array_equal(faces.images, expected.images)


FACE = [("anger", "S010_004_00000017.png")]


@pytest.mark.parametrize(
    ("make", "load"),
    [
        (lambda root: trees.named(root, ["KA.AN1.39.tiff"]), load_jaffe),
        (lambda root: trees.ck48(root, FACE), load_ck_plus),
        (lambda root: trees.ck48(root, FACE, outer=""), load_ck_plus),
    ],
)
def test_a_cache_in_the_root_of_a_set(tmp_path, make, load):
    make(tmp_path)
    for size in (16, 16, 8):
        assert len(load(tmp_path, image_size=size, cache_dir=tmp_path / "cache").images) == 1


def test_what_a_killed_writer_of_another_cache_left_is_removed(root, cache):
    load_image_folder(root, cache_dir=cache)
    (images,) = cache.glob("*.npy")
    dead = cache / f"folder-{'0' * 24}.{'a' * 32}.partial"
    foreign = cache / "thesis.partial"
    for path in (dead, foreign):
        path.write_bytes(b"")
    load_image_folder(root, cache_dir=cache, image_size=8)
    assert not dead.exists()
    assert foreign.exists()
    assert images.exists()


def test_skipped_files_are_remembered(root, cache):
    trees.spoil(root / NAMES[2], "zip")
    for _ in range(2):
        with pytest.warns(DatasetWarning, match="1 of 40 files"):
            faces = load_image_folder(root, cache_dir=cache, on_error="skip")
        assert len(faces.images) == len(faces.target) == len(faces.filenames) == 39
        assert [where for where, _ in faces.skipped] == [NAMES[2]]
    with pytest.raises(DatasetError, match="zip"):
        load_image_folder(root, cache_dir=cache)


def test_a_faulty_set_leaves_nothing_behind(root, cache):
    trees.spoil(root / NAMES[2], "truncated")
    with pytest.raises(DatasetError):
        load_image_folder(root, cache_dir=cache)
    assert ages(cache) == {}
    for name in NAMES:
        trees.spoil(root / name, "empty")
    with pytest.raises(DatasetError, match="40 of 40"):
        load_image_folder(root, cache_dir=cache, on_error="skip", image_size=8)
    assert ages(cache) == {}


@pytest.mark.parametrize("suffix", [".npy", ".json"])
@pytest.mark.parametrize("harm", ["cut", "gone", "emptied"])
def test_a_damaged_cache_is_made_anew(root, cache, suffix, harm):
    expected = np.array(load_image_folder(root, cache_dir=cache).images)
    (path,) = cache.glob(f"*{suffix}")
    if harm == "gone":
        path.unlink()
    else:
        content = path.read_bytes()
        path.unlink()  # not to cut a file that is mapped
        path.write_bytes(content[: len(content) // 2 if harm == "cut" else 0])
    np.testing.assert_array_equal(load_image_folder(root, cache_dir=cache).images, expected)
    np.testing.assert_array_equal(np.load(next(cache.glob("*.npy"))), expected)


@pytest.mark.parametrize("suffix", [".npy", ".json"])
def test_a_flipped_bit_is_never_served(root, cache, suffix):
    trees.spoil(root / NAMES[2], "zip")
    how = {"cache_dir": cache, "on_error": "skip"}
    with pytest.warns(DatasetWarning):
        expected = load_image_folder(root, **how)
    (path,) = cache.glob(f"*{suffix}")
    content = path.read_bytes()
    for place in np.random.default_rng(0).integers(0, 8 * len(content), 60):
        damaged = bytearray(content)
        damaged[place // 8] ^= 1 << place % 8
        path.unlink()  # not to change a file that is mapped
        path.write_bytes(damaged)
        with pytest.warns(DatasetWarning, match="zip archive"):
            faces = load_image_folder(root, **how)
        np.testing.assert_array_equal(faces.images, expected.images)
        assert faces.filenames.tolist() == expected.filenames.tolist()
        assert faces.skipped == expected.skipped


def test_every_block_of_pictures_is_checked(root, cache, monkeypatch):
    """The checksums are of a few pictures each, and the last of these are damaged."""
    monkeypatch.setattr(_decode, "CHUNK", 4)
    expected = np.array(load_image_folder(root, cache_dir=cache).images)
    (path,) = cache.glob("*.npy")
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.unlink()  # not to change a file that is mapped
    path.write_bytes(content)
    np.testing.assert_array_equal(load_image_folder(root, cache_dir=cache).images, expected)


def test_a_cache_of_another_shape_is_made_anew(root, cache):
    expected = np.array(load_image_folder(root, cache_dir=cache).images)
    (path,) = cache.glob("*.npy")
    path.unlink()
    np.save(path, expected.reshape(len(expected), -1))
    np.testing.assert_array_equal(load_image_folder(root, cache_dir=cache).images, expected)
    np.testing.assert_array_equal(np.load(path), expected)


# A writer that stops reading at the seventh picture, so that it can be killed in the midst of it.
WRITER = """
import sys, time
from skfer.datasets import load_image_folder
from skfer.datasets import _loading
from skfer.pictures import _decode
quick, n_read = _loading.read_picture, iter(range(1_000_000))
_loading.read_picture = lambda *args: (time.sleep(600 * (next(n_read) > 5)), quick(*args))[1]
_decode.CHUNK = 4
load_image_folder(sys.argv[1], cache_dir=sys.argv[2])
"""


def test_a_killed_writer_leaves_no_cache(root, cache):
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(root), str(cache)])
    while not list(cache.glob("*.partial")):
        assert writer.poll() is None, "the writer ended before it began to write"
        time.sleep(0.01)
    time.sleep(0.3)
    writer.kill()
    writer.wait()
    assert {path.suffix for path in cache.iterdir()} == {".partial"}
    expected = load_image_folder(root).images
    np.testing.assert_array_equal(load_image_folder(root, cache_dir=cache).images, expected)
    assert {path.suffix for path in cache.iterdir()} == {".npy", ".json"}  # and it was cleared


def test_writers_at_the_same_time(root, cache, monkeypatch):
    """Two writers wait for each other in the midst of writing; neither removes the other's file."""
    expected = np.array(load_image_folder(root).images)
    meeting = threading.Barrier(2, timeout=60)
    quick = _decode._decode_chunk

    def slow(read, names, start, shape):
        if start == 20:
            meeting.wait()
        return quick(read, names, start, shape)

    monkeypatch.setattr(_decode, "_decode_chunk", slow)
    monkeypatch.setattr(_decode, "CHUNK", 4)
    with ThreadPoolExecutor(2) as pool:
        writers = [pool.submit(load_image_folder, root, cache_dir=cache) for _ in range(2)]
        images = [writer.result(timeout=120).images for writer in writers]
    for found in (*images, load_image_folder(root, cache_dir=cache).images):
        np.testing.assert_array_equal(found, expected)
    assert sorted(path.suffix for path in cache.iterdir()) == [".json", ".npy"]


def test_a_new_writer_leaves_a_living_one_alone(root, cache, monkeypatch):
    """A writer begins and ends while another is in the midst; what that one mapped stays whole."""
    expected = np.array(load_image_folder(root).images)
    begun, ended = threading.Event(), threading.Event()
    quick = _decode._decode_chunk

    def slow(read, names, start, shape):
        if start == 20 and threading.current_thread().name.startswith("slow"):
            begun.set()
            assert ended.wait(60)
        return quick(read, names, start, shape)

    monkeypatch.setattr(_decode, "_decode_chunk", slow)
    monkeypatch.setattr(_decode, "CHUNK", 4)
    with ThreadPoolExecutor(1, thread_name_prefix="slow") as pool:
        writer = pool.submit(load_image_folder, root, cache_dir=cache)
        assert begun.wait(60)
        mine = load_image_folder(root, cache_dir=cache).images
        assert len(list(cache.glob("*.partial"))) == 2  # the other's two files
        ended.set()
        theirs = writer.result(timeout=120).images
    np.testing.assert_array_equal(mine, expected)
    np.testing.assert_array_equal(theirs, expected)
    assert sorted(path.suffix for path in cache.iterdir()) == [".json", ".npy"]
