"""Copies that broke off, whose rest is zeros, are told from good files that end in zeros."""

import io

import numpy as np
import pytest
from helpers import trees
from PIL import Image, features

from skfer.datasets import DatasetError, check_dataset, decode_images
from skfer.pictures import _reading
from skfer.pictures._broken import breaks_off

KINDS = {
    "baseline": {"quality": 95},
    "progressive": {"progressive": True},
    "thumbnail": {"exif": b"Exif\0\0 \xff\xd8 a small picture \xff\xd9"},
}
SIDE = 120


def smooth(seed=0):
    """A picture of many shades that all formats keep well."""
    coarse = np.random.default_rng(seed).integers(0, 256, (15, 15, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((SIDE, SIDE), Image.Resampling.BICUBIC)


def content_of(kind):
    file = io.BytesIO()
    smooth().save(file, "JPEG", **KINDS[kind])
    return file.getvalue()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("share", [0.3, 0.6, 0.8])
@pytest.mark.parametrize("in_memory", [True, False])
def test_a_picture_whose_rest_is_zeros_is_told(tmp_path, monkeypatch, kind, share, in_memory):
    if not in_memory:
        monkeypatch.setattr(_reading, "_MOST_IN_MEMORY", 10)
    content, path = content_of(kind), tmp_path / "a.jpg"
    kept = int(len(content) * share)
    path.write_bytes(content[:kept] + bytes(len(content) - kept))
    said = r"breaks off: its end is zeros\. Copy or download it"
    with pytest.raises(DatasetError, match=said):
        decode_images([path], image_size=24)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("in_memory", [True, False])
def test_zeros_behind_a_good_picture_are_no_fault(tmp_path, monkeypatch, kind, in_memory):
    if not in_memory:
        monkeypatch.setattr(_reading, "_MOST_IN_MEMORY", 10)
    content, good, padded = content_of(kind), tmp_path / "a.jpg", tmp_path / "b.jpg"
    good.write_bytes(content)
    padded.write_bytes(content + bytes(5000))
    one, other = decode_images([good, padded])
    np.testing.assert_array_equal(one, other)


def test_what_a_phone_puts_behind_a_picture_is_no_fault(tmp_path):
    """A short video, which may have markers of JPEG in it by chance and end in zeros."""
    (tmp_path / "a.jpg").write_bytes(content_of("thumbnail") + b"video\xff\xda\1\2" + bytes(900))
    assert decode_images([tmp_path / "a.jpg"]).shape == (1, SIDE, SIDE)


@pytest.mark.parametrize("value", [0, 128, 255])
@pytest.mark.parametrize("side", [8, 1500])
@pytest.mark.parametrize("kind", KINDS)
def test_a_picture_of_one_color_does_not_break_off(value, side, kind):
    file = io.BytesIO()
    Image.new("L", (side, side), value).save(file, "JPEG", optimize=True, **KINDS[kind])
    assert not breaks_off(file)
    file.write(bytes(400))
    assert not breaks_off(file)


@pytest.mark.skipif(not features.check("webp"), reason="this Pillow has no WebP")
@pytest.mark.parametrize("how", [{"quality": 100}, {"lossless": True, "quality": 0}])
def test_one_color_may_be_zeros_in_a_good_webp_file(tmp_path, how):
    """The background of a face that was cut out, say."""
    pixels = np.random.default_rng(0).integers(0, 256, (224, 224, 3), dtype=np.uint8)
    pixels[20:] = 255
    Image.fromarray(pixels).save(tmp_path / "a.webp", method=0, **how)
    assert (tmp_path / "a.webp").read_bytes().endswith(bytes(100))
    assert decode_images([tmp_path / "a.webp"]).shape == (1, 224, 224)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        bytes(10),
        bytes(1000),
        b"\xff\xd8\xff\xe0" + bytes(1000),
        b"\xff\xd8\xff" + b"\xff" * 40 + bytes(1000),
        b"RIFF\0\0\0\0WEBP" + bytes(1000),
        b"BM" + bytes(1000),
    ],
)
def test_whatever_ends_in_zeros_is_looked_at_and_left_as_it_was(content):
    file = io.BytesIO(content)
    file.seek(3)
    assert breaks_off(file) == content.startswith(b"\xff\xd8")
    assert file.tell() == 3


def test_an_end_marker_is_found_across_blocks(monkeypatch):
    monkeypatch.setattr("skfer.pictures._broken._BLOCK", 1)
    assert not breaks_off(io.BytesIO(content_of("baseline") + bytes(300)))


def test_a_check_of_a_data_set_tells_it(tmp_path):
    trees.folder(tmp_path, ["happy/a.png", "sad/b.png"])
    content = content_of("baseline")
    half = len(content) // 2
    (tmp_path / "sad" / "c.jpg").write_bytes(content[:half] + bytes(half))
    report = check_dataset("folder", tmp_path, decode=True)
    assert "sad/c.jpg: a picture that breaks off" in str(report)
