"""Pictures with a box and a word for each face: every word is whole, and none hides another."""

from itertools import combinations

import pytest
from PIL import Image, ImageDraw

from skfer.cli import _draw


@pytest.fixture
def drawn(monkeypatch):
    """Draw faces (box, label) into a gray picture; return it, and (plate, word) of each."""
    plates, words = [], []
    rectangle, text = ImageDraw.ImageDraw.rectangle, ImageDraw.ImageDraw.text

    def spy_rectangle(self, place, fill=None, *args, **options):
        if fill is not None:
            plates.append(tuple(place))
        return rectangle(self, place, fill, *args, **options)

    def spy_text(self, place, word, *args, **options):
        words.append(word)
        return text(self, place, word, *args, **options)

    monkeypatch.setattr(ImageDraw.ImageDraw, "rectangle", spy_rectangle)
    monkeypatch.setattr(ImageDraw.ImageDraw, "text", spy_text)

    def draw(size, *faces, probability=0.55):
        picture = _draw._drawn(
            Image.new("RGB", size, (90, 110, 130)),
            [{"box": box, "label": label, "probability": probability} for box, label in faces],
        )
        return picture, list(zip(plates, words, strict=True))

    return draw


def is_inside(plate, picture):
    return (
        plate[0] >= 0 and plate[1] >= 0 and plate[2] < picture.width and plate[3] < picture.height
    )


def ink_of(picture, plate):
    """The box of the dark letters on a plate."""
    dark = picture.crop(tuple(map(round, plate))).convert("L").point(lambda v: 255 * (v < 60))
    return dark.getbbox()


@pytest.mark.parametrize(
    "box",
    [[560, 5, 598, 60], [560, 100, 598, 160], [-20, -10, 30, 40], [2, 240, 40, 310], None],
    ids=["corner", "right", "over the edge", "foot", "whole"],
)
def test_a_word_is_in_the_picture(drawn, box):
    picture, [(plate, word)] = drawn((600, 300), (box, "happiness"))
    assert word == "happiness 0.55"
    assert is_inside(plate, picture)
    left, upper, right, lower = ink_of(picture, plate)
    assert min(left, upper) > 0
    assert (right, lower) < (round(plate[2] - plate[0]), round(plate[3] - plate[1]))


def test_a_word_that_is_too_long_keeps_its_probability(drawn):
    label = "a_very_long_class_name_that_never_ends_at_all"
    picture, [(plate, word)] = drawn((256, 256), (None, label))
    assert word.startswith("a_very_long_class_name")
    assert word.endswith("... 0.55")
    assert is_inside(plate, picture)


def test_words_of_a_group_hide_neither_each_other_nor_other_faces(drawn):
    boxes = [
        [120 * column + 20, 130 * row + 60, 120 * column + 95, 130 * row + 150]
        for row in range(4)
        for column in range(10)
    ]
    picture, words = drawn((1300, 975), *((box, "happiness") for box in boxes))
    plates = [plate for plate, _ in words]
    assert all(is_inside(plate, picture) for plate in plates)
    for one, other in combinations(plates, 2):
        assert not _draw._covered(one, [other])
    assert not any(_draw._covered(plate, boxes) for plate in plates)


def test_neighbors_have_words_above_and_below(drawn):
    boxes = [[x, 100, x + 46, 150] for x in (50, 100, 150)]
    _, words = drawn((300, 300), *((box, "happiness") for box in boxes))
    tops = [plate[1] for plate, _ in words]
    assert tops[0] < 100 <= 150 < tops[1]
    for (one, _), (other, _) in combinations(words, 2):
        assert not _draw._covered(one, [other])


def test_a_word_is_as_large_as_its_face_lets_it_be(drawn):
    size = (2000, 1500)
    faces = ([100, 400, 1100, 1400], [1200, 400, 1320, 520], [1400, 400, 1430, 430])
    _, words = drawn(size, *((box, "joy") for box in faces))
    large, middle, small = (plate[3] - plate[1] for plate, _ in words)
    assert large > middle > small > 12


def test_a_label_is_in_one_line(drawn):
    _, [(_, word)] = drawn((300, 300), (None, "line\nbreak"), probability=None)
    assert word == "line break"


def test_a_font_has_the_characters(monkeypatch):
    assert _draw._font_of("happiness") is None
    pytest.importorskip("matplotlib")
    font = _draw._font_of("радость")
    assert not _draw._lacking("радость", font)
    assert _draw._lacking("радость", None) == "радость"
    monkeypatch.setattr(_draw, "find_spec", lambda name: None)
    with pytest.warns(UserWarning, match=r"no font at hand has the characters радость: set font"):
        assert _draw._font_of("радость") is None


def test_characters_that_no_font_has_are_told_once(tmp_path):
    path = tmp_path / "x.png"
    Image.new("RGB", (300, 300)).save(path)
    row = {"file": str(path), "face": 0, "box": None, "probability": 0.5, "error": None}
    rows = [{**row, "label": label} for label in ("\U000f1234", "joy", "\U000f1234")]
    with pytest.warns(UserWarning, match="no font at hand has the characters") as told:
        _draw.draw_faces(rows, _draw.drawing_places(rows, tmp_path))
    assert len(told) == 1
