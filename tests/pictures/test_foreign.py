"""Pictures of formats that are not read are told by what they are."""

import numpy as np
import pytest
from helpers import trees
from PIL import Image, features

from skfer.datasets import DatasetError, decode_images, load_image_folder
from skfer.pictures import EXTENSIONS, unread_kind
from skfer.pictures._foreign import kind_of

AVIF = features.check("avif")


@pytest.mark.parametrize(
    ("start", "said"),
    [
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "a HEIC picture, which is not read: convert it to"),
        (b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic", "a HEIC picture"),
        (b"\0\0\0\x18ftypmif1\0\0\0\0avifmif1", "an AVIF picture"),
        (b"\0\0\0\x18ftypcrx \0\0\0\1", "a raw picture of a camera, which is not read"),
        (b"\0\0\0\x18ftypisom\0\0\2\0isomiso2", "a video, not a picture"),
        (b"\0\0\0\x0cJXL \r\n\x87\n", "a JPEG XL picture"),
        (b"\0\0\0\x0cjP  \r\n\x87\n", "a JPEG 2000 picture"),
        (b"8BPS\0\1", "a Photoshop picture"),
    ],
)
def test_what_a_file_is_is_told(tmp_path, start, said):
    trees.picture(tmp_path / "a.png")
    (tmp_path / "b.jpg").write_bytes(start + b"and so on" * 9)
    with pytest.raises(DatasetError, match=rf"b\.jpg: {said}"):
        decode_images([tmp_path / "a.png", tmp_path / "b.jpg"])


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("a.HEIC", "a HEIC picture, which is not read: convert it to JPEG or PNG"),
        ("a/b.jpg.svg", "an SVG drawing, which is not read: convert it to JPEG or PNG"),
        ("notes.txt", ""),
        ("a.png", ""),
        ("heic", ""),
        ("clip.mp4", ""),
    ],
)
def test_the_ending_of_a_name_tells_it_too(name, said):
    assert unread_kind(name) == said


def test_what_is_read_is_not_told_as_foreign():
    assert not any(map(unread_kind, EXTENSIONS))
    assert (unread_kind("a.avif") == "") == AVIF


@pytest.mark.skipif(not AVIF, reason="this Pillow has no AVIF")
def test_avif_is_read_where_pillow_has_it(tmp_path):
    gray = np.add.outer(np.arange(60), np.arange(40)).astype(np.uint8) * 2
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = exif.tobytes()  # from an object Pillow takes the mark off
    for i, word in enumerate(("happy", "sad")):
        (tmp_path / word).mkdir()
        Image.fromarray(gray + 5 * np.uint8(i)).save(
            tmp_path / word / "a.avif", quality=100, exif=turned
        )
    faces = load_image_folder(tmp_path, image_size=None)
    assert faces.images.shape == (2, 40, 60)  # turned upright
    upright = np.rot90(gray, -1).astype(int)
    assert np.abs(faces.images[0].astype(int) - upright).max() <= 3
    content = (tmp_path / "sad" / "a.avif").read_bytes()
    (tmp_path / "sad" / "a.avif").write_bytes(content[:40] + bytes(100))
    with pytest.raises(DatasetError, match=r"a\.avif: "):
        load_image_folder(tmp_path)
    assert "an AVIF picture that is damaged" in kind_of(content[:32])
