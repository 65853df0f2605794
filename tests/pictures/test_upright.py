"""Depths, transparency and orientation: a picture's pixels are what a person sees."""

import io

import numpy as np
import pytest
from helpers import formats
from PIL import Image

from skfer.datasets import DatasetError, decode_images

RAMPS = {
    1: [0, 1],
    2: [0, 1, 2, 3],
    4: [0, 1, 7, 14, 15],
    8: [0, 1, 127, 254, 255],
    12: [0, 1, 300, 2047, 4095],
    16: [0, 1, 255, 256, 300, 32767, 65535],
    32: [0, 1, 127, 254, 255],
}


def shown(value, depth):
    """The gray of 0..255 for a value, of which the upper bits are kept."""
    if depth == 32:  # whose range is not known
        return value
    return value >> (depth - 8) if depth > 8 else value * 255 // (2**depth - 1)


def read(tmp_path, content, name, **how):
    (tmp_path / name).write_bytes(content)
    return decode_images([tmp_path / name], **how)[0]


@pytest.mark.parametrize("depth", [1, 2, 4, 8, 16])
def test_png_gray_and_its_transparent_value(tmp_path, depth):
    ramp = RAMPS[depth]
    for key in (None, *ramp):
        file = formats.png([ramp], depth, transparent=None if key is None else (key,))
        expected = [0 if value == key else shown(value, depth) for value in ramp]
        assert read(tmp_path, file, "a.png").tolist() == [expected], key


@pytest.mark.parametrize("depth", [8, 16])
def test_png_color_and_its_transparent_value(tmp_path, depth):
    top = 2**depth - 1
    pixels = [(0, 0, 0), (top, 10, 20), (top // 2, 3, top), (top // 3, top // 5, top // 7)]
    for key in (None, *pixels):
        row = [sample for pixel in pixels for sample in pixel]
        file = formats.png([row], depth, color=True, transparent=key)
        expected = [[shown(c, depth) * (pixel != key) for c in pixel] for pixel in pixels]
        assert read(tmp_path, file, "a.png", color=True).tolist() == [expected], key


@pytest.mark.parametrize("depth", [1, 2, 4, 8, 12, 16, 32])
@pytest.mark.parametrize("white_is_zero", [False, True])
def test_tiff_gray(tmp_path, depth, white_is_zero):
    file = formats.tiff([RAMPS[depth]], depth, white_is_zero=white_is_zero)
    if white_is_zero and depth in (12, 32):  # which Pillow does not read
        with pytest.raises(DatasetError, match="known format"):
            read(tmp_path, file, "a.tif")
        return
    expected = np.array([shown(value, depth) for value in RAMPS[depth]])
    expected = 255 - expected if white_is_zero else expected
    assert read(tmp_path, file, "a.tif").tolist() == [expected.tolist()]


def test_tiff_of_an_integer_array_is_as_bright_as_the_array(tmp_path):
    """Pillow writes 32 bits then."""
    values = np.array([[0, 100, 255]], dtype=np.int32)
    Image.fromarray(values).save(tmp_path / "a.tif")
    assert decode_images([tmp_path / "a.tif"])[0].tolist() == values.tolist()


@pytest.mark.parametrize("maxval", [15, 255, 1000, 65535])
def test_pgm_of_any_range(tmp_path, maxval):
    values = np.array([0, maxval // 3, maxval])
    numbers = " ".join(map(str, values))
    image = read(tmp_path, f"P2 3 1 {maxval} {numbers}".encode(), "a.pgm")
    np.testing.assert_allclose(image[0], values * 255 / maxval, atol=1)


UPRIGHT = np.repeat(np.repeat([[0, 80], [160, 240], [40, 200]], 16, 0), 16, 1).astype(np.uint8)
STORED = {
    1: UPRIGHT,
    2: UPRIGHT[:, ::-1],
    3: UPRIGHT[::-1, ::-1],
    4: UPRIGHT[::-1],
    5: UPRIGHT.T,
    6: UPRIGHT.T[::-1],
    7: UPRIGHT[::-1, ::-1].T,
    8: UPRIGHT.T[:, ::-1],
}


@pytest.mark.parametrize(
    ("kind", "how"),
    [
        ("JPEG", {"quality": 95}),
        ("JPEG", {"quality": 95, "progressive": True}),
        ("MPO", {"quality": 95, "save_all": True}),
        ("PNG", {}),
        ("TIFF", {}),
        ("TIFF", {"compression": "tiff_lzw"}),
        ("WEBP", {"lossless": True}),
    ],
)
@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize("image_size", [None, (6, 4)])
def test_orientation(tmp_path, kind, how, orientation, image_size):
    """Each stored form of one upright picture is read as that picture, by path and from Pillow."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / f"a.{kind.lower()}"
    if kind == "MPO":
        how = {**how, "append_images": [Image.fromarray(UPRIGHT)]}
    stored = Image.fromarray(np.ascontiguousarray(STORED[orientation]))
    stored.save(path, kind, exif=exif, **how)
    with Image.open(path) as opened, Image.open(path) as loaded:
        # Pillow itself scrambles a file of this kind that it maps, once it is asked to read it.
        if (kind, how) != ("TIFF", {}):
            loaded.load()
        images = decode_images([path, opened, loaded], image_size=image_size)
    blocks = images[0].reshape(3, images.shape[1] // 3, 2, images.shape[2] // 2).mean(axis=(1, 3))
    np.testing.assert_allclose(blocks, UPRIGHT[8::16, 8::16], atol=25)
    np.testing.assert_array_equal(images[1], images[0])
    np.testing.assert_array_equal(images[2], images[0])


def test_orientation_told_by_xmp(tmp_path):
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><a tiff:Orientation="6"/></x:xmpmeta>'
    stored = Image.fromarray(np.ascontiguousarray(STORED[6]))
    stored.save(tmp_path / "a.webp", lossless=True, xmp=xmp)
    np.testing.assert_array_equal(decode_images([tmp_path / "a.webp"])[0], UPRIGHT)


def test_of_an_animation_the_first_frame_is_read(tmp_path):
    frames = [Image.new("L", (8, 8), value) for value in (200, 50)]
    for name in ("a.gif", "a.webp", "a.png", "a.tif"):
        frames[0].save(tmp_path / name, save_all=True, append_images=frames[1:])
    images = decode_images([tmp_path / name for name in ("a.gif", "a.webp", "a.png", "a.tif")])
    np.testing.assert_allclose(images, 200, atol=1)


# Pictures that are gray or have the same gray in each channel, in every mode of Pillow.
GRAY = np.arange(0, 250, 10, dtype=np.uint8).reshape(5, 5)
MODES = ["1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "HSV"]
MODES += ["I", "I;16"]


def in_mode(mode):
    if mode == "I;16":
        return Image.fromarray(GRAY.astype(np.uint16) * 257)
    picture = Image.fromarray(GRAY)
    if mode in ("La", "PA", "RGBa"):
        picture = picture.convert({"La": "LA", "PA": "P", "RGBa": "RGBA"}[mode])
    return picture.convert(mode)


@pytest.mark.parametrize("color", [False, True])
@pytest.mark.parametrize("mode", MODES)
def test_every_mode_of_pillow_gives_what_a_person_sees(mode, color):
    image = decode_images([in_mode(mode)], color=color)[0]
    seen = Image.fromarray(GRAY).convert("1").convert("L") if mode == "1" else GRAY
    expected = np.repeat(np.asarray(seen)[..., None], 3, axis=2) if color else seen
    np.testing.assert_allclose(image, expected, atol=2)


@pytest.mark.parametrize(
    ("mode", "kind"),
    [
        ("P", "PNG"),
        ("P", "GIF"),
        ("RGBA", "PNG"),
        ("LA", "PNG"),
        ("I;16", "PNG"),
        ("I;16", "TIFF"),
        ("I", "TIFF"),
        ("1", "PNG"),
        ("CMYK", "JPEG"),
        ("RGB", "JPEG"),
        ("RGB", "BMP"),
    ],
)
@pytest.mark.parametrize("image_size", [None, 4, 64])
@pytest.mark.parametrize("color", [False, True])
def test_a_picture_of_pillow_gives_what_its_file_gives(mode, kind, image_size, color, tmp_path):
    colors = np.random.default_rng(0).integers(0, 256, (40, 30, 3), dtype=np.uint8)
    picture = {
        "I;16": lambda: Image.fromarray(colors[..., 0].astype(np.uint16) * 200),
        "I": lambda: Image.fromarray(colors[..., 0].astype(np.int32)),
    }.get(mode, lambda: Image.fromarray(colors).convert(mode))()
    path = tmp_path / "a.x"
    picture.save(path, kind)
    expected = decode_images([path], image_size=image_size, color=color)
    with Image.open(path) as opened:
        np.testing.assert_array_equal(
            decode_images([opened], image_size=image_size, color=color), expected
        )
        assert opened.size == (30, 40)  # the caller's own stays as it is
    if kind != "JPEG":  # which is lossy
        np.testing.assert_array_equal(
            decode_images([picture], image_size=image_size, color=color), expected
        )


@pytest.mark.parametrize("image_size", [None, 4])
def test_lab_in_gray_is_the_gray_of_its_colors(tmp_path, image_size):
    colors = np.random.default_rng(0).integers(0, 256, (12, 10, 3), dtype=np.uint8)
    picture = Image.fromarray(colors).convert("LAB")
    picture.save(tmp_path / "a.tif")
    with Image.open(tmp_path / "a.tif") as opened:
        assert opened.mode == "LAB"
        images = decode_images([tmp_path / "a.tif", opened, picture], image_size=image_size)
    expected = decode_images([picture.convert("RGB").convert("L")], image_size=image_size)
    np.testing.assert_array_equal(images, np.repeat(expected, 3, axis=0))
    rgb = decode_images([tmp_path / "a.tif"], image_size=image_size, color=True)
    colored = decode_images([picture.convert("RGB")], image_size=image_size, color=True)
    np.testing.assert_array_equal(rgb, colored)


def test_pictures_of_pillow_that_cannot_be_used_are_told_by_their_place():
    closed = Image.open(io.BytesIO(formats.png([[0, 1]], 1)))
    closed.close()
    with pytest.raises(DatasetError, match=r"(?s)pictures\[1\]: .*pictures\[2\]: floating-point"):
        decode_images([Image.new("L", (2, 2)), closed, Image.new("F", (2, 2))])
