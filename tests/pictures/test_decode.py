"""decode_images: whatever the mode, depth, orientation or fault of a file."""

import pickle

import numpy as np
import pandas as pd
import pytest
from helpers import trees
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from skfer.datasets import DatasetError, DatasetWarning, decode_images
from skfer.pictures import _decode, _reading


def test_grey_png_comes_back_exactly(tmp_path):
    paths = [tmp_path / f"{i}.png" for i in range(70)]  # more than two chunks
    arrays = [trees.picture(path, seed=i) for i, path in enumerate(paths)]
    images = decode_images(paths)
    assert images.dtype == np.uint8
    np.testing.assert_array_equal(images, arrays)


@pytest.mark.parametrize("n_jobs", [None, 1, 2, -1])
def test_number_of_jobs_changes_nothing(tmp_path, n_jobs):
    paths = [tmp_path / f"{i}.jpg" for i in range(70)]
    for i, path in enumerate(paths):
        trees.picture(path, (40, 30), seed=i)
    expected = np.concatenate([decode_images([path], image_size=16) for path in paths])
    np.testing.assert_array_equal(decode_images(paths, image_size=16, n_jobs=n_jobs), expected)


@pytest.mark.parametrize("as_array", [list, np.array, lambda p: np.array(p, dtype=object)])
def test_paths_may_be_lists_or_arrays(tmp_path, as_array):
    path = tmp_path / "a.png"
    trees.picture(path)
    assert decode_images(as_array([str(path)])).shape == (1, 12, 10)


@pytest.mark.parametrize(
    ("image_size", "color", "shape"),
    [
        (8, False, (8, 8)),
        ((6, 9), False, (6, 9)),
        ((6, 9), True, (6, 9, 3)),
        (64, True, (64, 64, 3)),
    ],
)
def test_size_and_color(tmp_path, image_size, color, shape):
    paths = [tmp_path / "a.png", tmp_path / "b.jpg"]
    trees.picture(paths[0], (20, 30), mode="RGB")
    trees.picture(paths[1], (33, 17))
    images = decode_images(paths, image_size=image_size, color=color)
    assert images.shape == (2, *shape)


def test_color_channels_are_red_green_blue(tmp_path):
    Image.new("RGB", (4, 4), (250, 10, 60)).save(tmp_path / "a.png")
    assert decode_images([tmp_path / "a.png"], color=True)[0, 0, 0].tolist() == [250, 10, 60]


def test_palette_is_looked_up(tmp_path):
    image = Image.new("P", (4, 4), 1)
    image.putpalette([0, 0, 0, 200, 200, 200])
    image.save(tmp_path / "a.png")
    image.save(tmp_path / "a.gif")
    assert np.all(decode_images([tmp_path / "a.png", tmp_path / "a.gif"]) == 200)


@pytest.mark.parametrize("extension", ["png", "tif", "pgm"])
def test_sixteen_bits_keep_the_upper_eight(tmp_path, extension):
    values = np.array([[0, 255, 256], [32768, 65280, 65535]], dtype=np.uint16)
    Image.fromarray(values).save(tmp_path / f"a.{extension}")
    images = decode_images([tmp_path / f"a.{extension}"])
    assert images[0].tolist() == [[0, 0, 1], [128, 255, 255]]


def test_deeper_pixels_are_refused(tmp_path):
    Image.fromarray(np.array([[70000]], dtype=np.int32)).save(tmp_path / "a.tif")
    Image.fromarray(np.array([[0.5]], dtype=np.float32)).save(tmp_path / "b.tif")
    with pytest.raises(DatasetError, match=r"(?s)more than 16 bits.*floating-point"):
        decode_images([tmp_path / "a.tif", tmp_path / "b.tif"])


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparent_becomes_black(tmp_path, mode):
    color = (200, 200, 200, 0) if mode == "RGBA" else (200, 0)
    Image.new(mode, (4, 4), color).save(tmp_path / "a.png")
    opaque = (*color[:-1], 255)
    Image.new(mode, (4, 4), opaque).save(tmp_path / "b.png")
    images = decode_images([tmp_path / "a.png", tmp_path / "b.png"])
    assert images[:, 0, 0].tolist() == [0, 200]


def test_transparent_palette_entry_becomes_black(tmp_path):
    image = Image.new("P", (2, 1), 1)
    image.putpalette([50, 50, 50, 90, 90, 90])
    image.putpixel((0, 0), 0)
    image.save(tmp_path / "a.png", transparency=0)
    assert decode_images([tmp_path / "a.png"])[0].tolist() == [[0, 90]]


def test_shrinking_while_decoding_stays_close_to_the_whole_picture(tmp_path):
    smooth = np.add.outer(np.arange(224), np.arange(224)) / 2
    Image.fromarray(smooth.astype(np.uint8)).save(tmp_path / "a.jpg", quality=95)
    Image.fromarray(smooth.astype(np.uint8)).save(tmp_path / "a.png")
    small, whole = decode_images([tmp_path / "a.jpg", tmp_path / "a.png"], image_size=64).astype(
        int
    )
    assert np.abs(small - whole).max() <= 4


def test_cmyk_jpeg(tmp_path):
    Image.new("CMYK", (8, 8), (0, 0, 0, 0)).save(tmp_path / "a.jpg")
    assert decode_images([tmp_path / "a.jpg"], color=True).min() >= 250


@pytest.mark.parametrize("how", sorted(trees.SPOILT))
def test_each_fault_is_named(tmp_path, how):
    for name in ("a.png", "b.png", "c.png"):
        trees.picture(tmp_path / name, (64, 64))
    trees.spoil(tmp_path / "b.png", how)
    paths = sorted(str(tmp_path / name) for name in ("a.png", "b.png", "c.png"))
    with pytest.raises(DatasetError, match=trees.SPOILT_SAYS[how]) as info:
        decode_images(paths)
    assert "1 of 3 files" in str(info.value)
    assert [where for where, _ in info.value.problems] == [paths[1]]
    with pytest.warns(DatasetWarning, match="1 of 3 files"):
        images = decode_images(paths, on_error="skip")
    np.testing.assert_array_equal(images, decode_images([paths[0], paths[2]]))


def test_first_few_and_total_are_told(tmp_path):
    trees.picture(tmp_path / "0.png")
    paths = [tmp_path / f"{i}.png" for i in range(20)]
    with pytest.raises(
        DatasetError, match=r"(?s)19 of 20 files.*1\.png.*5\.png.*and 14 more"
    ) as info:
        decode_images(paths)
    assert "6.png" not in str(info.value)
    assert len(info.value.problems) == 19


def test_all_that_is_left_out_is_known(tmp_path):
    """Labels of the pictures that are left can be told from it."""
    trees.picture(tmp_path / "7.png")
    paths = [str(tmp_path / f"{i}.png") for i in range(9)]
    with pytest.warns(DatasetWarning, match="8 of 10 files") as told:
        images = decode_images([*paths, Image.new("L", (64, 64))], image_size=64, on_error="skip")
    (warning,) = (one.message for one in told)
    assert warning.problems == [(path, "no such file") for path in paths if path != paths[7]]
    left_out = {where for where, _ in pickle.loads(pickle.dumps(warning)).problems}
    assert [path for path in paths if path not in left_out] == [paths[7]]
    assert len(images) == 2
    assert DatasetWarning("of something else").problems == []


def test_skipping_everything_is_an_error(tmp_path):
    with pytest.raises(DatasetError, match="2 of 2 files"):
        decode_images([tmp_path / "a.png", tmp_path / "b.png"], on_error="skip", image_size=8)
    with pytest.raises(DatasetError, match="2 of 2 files"):
        decode_images([tmp_path / "a.png", tmp_path / "b.png"], on_error="skip")


@pytest.mark.parametrize("on_error", ["raise", "skip"])
def test_different_sizes_need_image_size(tmp_path, on_error):
    trees.picture(tmp_path / "a.png", (12, 10))
    trees.picture(tmp_path / "b.png", (12, 14))
    with pytest.raises(DatasetError, match=r"(?s)b\.png: 14 x 12 pixels, not 10 x 12.*image_size="):
        decode_images([tmp_path / "a.png", tmp_path / "b.png"], on_error=on_error)


@pytest.mark.parametrize("image_size", [0, -3, 2.5, "64", (1, 2, 3), (4, 0), True, (4, None)])
def test_senseless_image_size(image_size):
    with pytest.raises(ValueError, match="image_size="):
        decode_images(["a.png"], image_size=image_size)


def test_senseless_arguments():
    with pytest.raises(ValueError, match="on_error must be"):
        decode_images(["a.png"], on_error="ignore")
    with pytest.raises(ValueError, match="pictures is empty"):
        decode_images([])
    with pytest.raises(ValueError, match="is one picture"):
        decode_images("a.png")


def test_progress_goes_to_stderr_when_asked(tmp_path, capsys):
    trees.picture(tmp_path / "a.png")
    decode_images([tmp_path / "a.png"])
    assert capsys.readouterr() == ("", "")
    decode_images([tmp_path / "a.png"], verbose=True)
    out, err = capsys.readouterr()
    assert out == ""
    assert "1/1" in err


@settings(deadline=None, max_examples=25)
@given(
    sizes=st.lists(st.tuples(st.integers(1, 40), st.integers(1, 40)), min_size=1, max_size=4),
    mode=st.sampled_from(["L", "RGB", "RGBA", "LA", "P"]),
    image_size=st.tuples(st.integers(1, 30), st.integers(1, 30)),
    color=st.booleans(),
)
def test_any_picture_takes_any_size(tmp_path_factory, sizes, mode, image_size, color):
    folder = tmp_path_factory.mktemp("pictures")
    for i, size in enumerate(sizes):
        trees.picture(folder / f"{i}.png", size, mode=mode, seed=i)
    paths = [folder / f"{i}.png" for i in range(len(sizes))]
    images = decode_images(paths, image_size=image_size, color=color)
    assert images.shape == (len(sizes), *image_size) + (3,) * color
    assert images.dtype == np.uint8


@settings(deadline=None, max_examples=40)
@given(
    content=st.binary(max_size=200),
    cut=st.integers(0, 400),
    extension=st.sampled_from(["png", "jpg"]),
)
def test_no_content_escapes_the_report(tmp_path_factory, content, cut, extension):
    """Whatever the bytes, they are read as a picture or reported; nothing else is raised."""
    path = tmp_path_factory.mktemp("bytes") / f"a.{extension}"
    trees.picture(path, (20, 20))
    start = path.read_bytes()[:cut]
    path.write_bytes(start + content)
    readable = True
    try:
        images = decode_images([path], image_size=8)
    except DatasetError:
        readable = False
    assert not readable or images.shape == (1, 8, 8)


def test_large_files_are_read_as_small_ones(tmp_path, monkeypatch):
    paths = [tmp_path / "a.jpg", tmp_path / "b.tif", tmp_path / "c.png"]
    for i, path in enumerate(paths):
        trees.picture(path, (30, 20), seed=i)
    small = decode_images(paths, image_size=16)
    monkeypatch.setattr(_reading, "_MOST_IN_MEMORY", 10)
    np.testing.assert_array_equal(decode_images(paths, image_size=16), small)


@pytest.mark.parametrize("n_jobs", [1, 2, 3])
def test_decoding_waits_for_whoever_takes_the_pictures(monkeypatch, n_jobs):
    """A slow disk that a cache is written to must not fill the memory."""
    monkeypatch.setattr(_decode, "CHUNK", 5)
    names = [str(i) for i in range(200)]
    image, begun = np.zeros((2, 2), np.uint8), []

    def read(i):
        begun.append(i)
        return image

    taken = 0
    for chunk in _decode.decode_chunks(read, names, image.shape, n_jobs=n_jobs):
        taken += len(chunk.kept)
        assert len(begun) <= taken + 5 * _decode.AHEAD * n_jobs
    assert taken == 200
    assert sorted(begun) == list(range(200))


def test_decoding_stops_when_nobody_takes_the_pictures(monkeypatch):
    monkeypatch.setattr(_decode, "CHUNK", 1)
    begun = []

    def read(i):
        begun.append(i)
        return np.zeros((2, 2), np.uint8)

    chunks = _decode.decode_chunks(read, ["a"] * 500, (2, 2), n_jobs=2)
    next(chunks)
    chunks.close()
    assert len(begun) < 20


def test_an_error_of_a_reader_is_not_swallowed():
    def read(i):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        list(_decode.decode_chunks(read, ["a"] * 500, (2, 2), n_jobs=2))


@pytest.mark.parametrize("n_jobs", [0, 1.5, "2", True])
def test_senseless_n_jobs(tmp_path, n_jobs):
    trees.picture(tmp_path / "a.png")
    with pytest.raises(ValueError, match="n_jobs="):
        decode_images([tmp_path / "a.png"], n_jobs=n_jobs)


def test_our_own_limit_for_bombs_holds_where_that_of_pillow_is_off(tmp_path, monkeypatch):
    trees.spoil(tmp_path / "a.png", "bomb")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    with pytest.raises(DatasetError, match="decompression bomb: more than 89478485 pixels"):
        decode_images([tmp_path / "a.png"], image_size=8)


@pytest.mark.parametrize("limit", [5000, 3000])  # Pillow warns of 96 x 96, or refuses it
def test_what_counts_for_a_bomb_is_what_is_decoded(tmp_path, monkeypatch, limit):
    """The photographs of some telephones have more pixels than Pillow likes."""
    trees.picture(tmp_path / "a.jpg", (96, 96))
    wanted = decode_images([tmp_path / "a.jpg"], image_size=12)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
    np.testing.assert_array_equal(decode_images([tmp_path / "a.jpg"], image_size=12), wanted)
    assert _reading.sides_of(tmp_path / "a.jpg") == (96, 96)
    said = rf"bomb: more than {limit} pixels\. If .* set PIL\.Image\.MAX_IMAGE_PIXELS to more"
    with pytest.raises(DatasetError, match=said):
        decode_images([tmp_path / "a.jpg"])
    trees.picture(tmp_path / "b.png", (96, 96))
    with pytest.raises(DatasetError, match=said):
        decode_images([tmp_path / "b.png"], image_size=12)


def test_a_progressive_file_is_held_whole_before_it_shrinks(tmp_path, monkeypatch):
    Image.new("L", (96, 96)).save(tmp_path / "a.jpg", progressive=True)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 5000)
    with pytest.raises(DatasetError, match="decompression bomb"):
        decode_images([tmp_path / "a.jpg"], image_size=12)


@pytest.mark.parametrize("size", [(384, 768), (768, 384)])
def test_a_jpeg_file_that_shrinks_much_keeps_twice_the_longer_side(tmp_path, monkeypatch, size):
    """Whether EXIF swaps the sides is not known when it is shrunk."""
    trees.picture(tmp_path / "a.jpg", size, mode="RGB")
    seen = []
    plain = _reading.plain_picture
    monkeypatch.setattr(
        _reading, "plain_picture", lambda p, color: seen.append((p.mode, p.size)) or plain(p, color)
    )
    decode_images([tmp_path / "a.jpg"], image_size=(96, 48))
    decode_images([tmp_path / "a.jpg"], image_size=(97, 48))
    assert seen == [("L", (size[1] // 2, size[0] // 2)), ("RGB", (size[1], size[0]))]


def test_pictures_may_be_a_series_or_a_column(tmp_path):
    trees.picture(tmp_path / "a.png")
    table = pd.DataFrame({"path": [str(tmp_path / "a.png")] * 2}, index=[5, 3])
    for pictures in (table["path"], table, table.to_numpy(), iter(table["path"])):
        assert decode_images(pictures).shape == (2, 12, 10)
    with pytest.raises(ValueError, match=r"pictures\[1\] is neither a path nor a PIL image: nan"):
        decode_images([tmp_path / "a.png", float("nan")])
