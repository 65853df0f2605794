"""The registry, the check of a copy, and what all loaders have in common."""

import inspect
import pickle

import numpy as np
import pytest
import trees
from sklearn.model_selection import KFold

from skfer import datasets
from skfer.datasets import (
    DATASETS,
    EXPRESSIONS,
    DatasetError,
    DatasetReport,
    DatasetWarning,
    check_dataset,
)
from skfer.datasets._docs import SHARED_TEXTS
from skfer.model_selection import OfficialSplit, SubjectKFold, check_leakage

CLEAR = (9, 0, 0, 1, 0, 0, 0, 0, 0, 0)
# A small copy of each set, in each of its layouts.
COPIES = {
    "ck+": [
        lambda root: trees.ck_plus(root, [("S005", "001", 4, 3), ("S010", "002", 4, 5)]),
        lambda root: trees.ck48(root, [("anger", "S010_004_00000017.png")]),
    ],
    "jaffe": [lambda root: trees.named(root, ["KA.AN1.39.tiff", "KA.HA2.40.tiff"])],
    "fer2013": [
        lambda root: trees.fer2013(root, [(3, 7, "Training"), (0, 9, "PrivateTest")]),
        lambda root: trees.named(root, ["train/angry/1.jpg", "test/sad/2.jpg"]),
    ],
    "fer+": [
        lambda root: (
            trees.fer2013(root, [(3, 7, "Training")]),
            trees.fer_plus_table(root, [("Training", "fer0000000.png", CLEAR)]),
        ),
        lambda root: trees.fer_plus_pictures(
            root,
            [
                (f"FER2013{part}", f"fer000000{i}.png", 11 + i, CLEAR)
                for i, part in enumerate(("Train", "Valid", "Test"))
            ],
        ),
    ],
    "raf-db": [
        lambda root: trees.raf_db(root, [("train_00001.jpg", 5), ("test_0001.jpg", 2)]),
        lambda root: trees.named(root, ["train/1/a.jpg", "test/7/b.jpg"]),
    ],
    "affectnet": [
        lambda root: trees.affectnet_2016(
            root, [trees.affectnet_row("1/aa.jpg", 1)], [trees.affectnet_row("9/ee.jpg", 0)]
        ),
        lambda root: trees.affectnet_2021(
            root, [("train_set", 3, 0, 0.5, -0.1), ("val_set", 4, 1, 0.5, -0.1)]
        ),
    ],
    "bu3dfe": [lambda root: trees.named(root, ["F0001/F0001_AN01WH_F2D.bmp"])],
    "sfew": [
        lambda root: trees.named(
            root, ["Train/Angry/A_000519240_00000005.png", "Val/Sad/B_000519240_00000005.png"]
        ),
        lambda root: trees.named(
            root,
            [
                "Train_Aligned_Faces/Sad/A_000519240_00000005.png",
                "Val_Aligned_Faces/Fear/B_000519240_00000005.png",
            ],
        ),
    ],
    "mmi": [lambda root: trees.mmi(root, [(1767, "S001-100", 3, 4)])],
    "folder": [lambda root: trees.named(root, ["happy/a.png", "sad/b.png"], size=(20, 20))],
}
ALL = [(name, make) for name, copies in COPIES.items() for make in copies]
IDS = [f"{name}-{i}" for name, copies in COPIES.items() for i, _ in enumerate(copies)]
SHARED = (
    "image_size",
    "color",
    "classes",
    "cache_dir",
    "n_jobs",
    "on_error",
    "return_X_y",
    "as_frame",
    "verbose",
)
KEYS = (
    "images",
    "data",
    "target",
    "target_names",
    "groups",
    "sequence",
    "split",
    "filenames",
    "root",
    "skipped",
    "frame",
    "DESCR",
)


@pytest.mark.parametrize("name", DATASETS)
def test_one_signature(name):
    loader = DATASETS[name].loader
    parameters = inspect.signature(loader).parameters
    assert set(SHARED) <= set(parameters)
    assert name in ("folder", "table") or "subset" in parameters
    assert getattr(datasets, loader.__name__) is loader
    positional = [p for p in parameters.values() if p.kind is not inspect.Parameter.KEYWORD_ONLY]
    assert len(positional) == (2 if name == "table" else 1)
    for parameter in parameters:  # each is documented, and no mark of a template is left
        assert f"    {parameter}" in loader.__doc__ or f", {parameter} :" in loader.__doc__
    assert not any(mark in loader.__doc__ for mark in SHARED_TEXTS)


def test_which_protocol_belongs_to_which_set():
    assert {name: dataset.protocol for name, dataset in DATASETS.items()} == {
        "ck+": "subject-10fold",
        "jaffe": "leave-one-subject-out",
        "fer2013": "official",
        "fer+": "official",
        "raf-db": "official",
        "affectnet": "official",
        "bu3dfe": "subject-10fold",
        "sfew": "official",
        "mmi": "subject-10fold",
        "folder": "group-fold",
        "table": "group-fold",
    }


@pytest.mark.parametrize(("name", "make"), ALL, ids=IDS)
@pytest.mark.parametrize(
    ("inside", "root"), [(".", "."), (".inner", ".."), (".inner", "deep/../.."), (".", ".inner/..")]
)
def test_relative_roots(tmp_path, monkeypatch, name, make, inside, root):
    make(tmp_path)
    (tmp_path / ".inner" / "deep").mkdir(parents=True)
    faces = DATASETS[name].loader(tmp_path, image_size=16)
    monkeypatch.chdir(tmp_path / inside)
    here = DATASETS[name].loader(root, image_size=16)
    assert here.filenames.tolist() == faces.filenames.tolist()
    np.testing.assert_array_equal(here.images, faces.images)
    assert check_dataset(name, root).missing == []


@pytest.mark.parametrize(
    ("name", "form", "table"),
    [
        ("fer2013", 0, "fer2013.csv"),
        ("fer+", 0, "fer2013new.csv"),
        ("fer+", 1, "FER2013Train/label.csv"),
        ("raf-db", 0, "EmoLabel/list_patition_label.txt"),
        ("affectnet", 0, "Manually_Annotated_file_lists/training.csv"),
    ],
)
def test_tables_in_another_encoding_are_told_by_file(tmp_path, name, form, table):
    COPIES[name][form](tmp_path)
    path = tmp_path / table
    path.write_text(path.read_text(), encoding="utf-16")
    with pytest.raises(DatasetError, match=path.name):
        DATASETS[name].loader(tmp_path, image_size=16)


def test_relative_root_of_a_table(tmp_path, monkeypatch):
    trees.named(tmp_path, ["a.png"])
    trees.table(tmp_path / "labels.csv", ("file", "label"), [("a.png", "fear")])
    (tmp_path / "inner").mkdir()
    monkeypatch.chdir(tmp_path / "inner")
    assert datasets.load_image_table("../labels.csv").target.tolist() == [3]
    assert datasets.load_image_table("../labels.csv", "..").target.tolist() == [3]


# What a description must tell, besides the words Origin, Terms and Cite.
SIZES = {
    "ck+": "593 image sequences of 123 subjects",
    "jaffe": "213 pictures of 10 women",
    "fer2013": "35,887 faces",
    "fer+": "35,887 faces",
    "raf-db": "15,339 faces",
    "affectnet": "420,299 pictures",
    "bu3dfe": "2,500 3D scans of 100 subjects",
    "sfew": "train 958",
    "mmi": "75 subjects",
}


@pytest.mark.parametrize("name", SIZES)
def test_descriptions_are_whole(tmp_path, name):
    COPIES[name][0](tmp_path)
    text = DATASETS[name].loader(tmp_path, image_size=16).DESCR
    lines = text.splitlines()
    assert SIZES[name] in " ".join(text.split())
    assert any(line.startswith("Origin: ") for line in lines)
    assert any(line.startswith("Terms: ") for line in lines)
    assert any(line.startswith("Cite: ") for line in lines)


@pytest.mark.parametrize(("name", "make"), ALL, ids=IDS)
def test_one_bunch(tmp_path, name, make):
    make(tmp_path / "set")
    load = DATASETS[name].loader
    how = {"image_size": 16, "cache_dir": tmp_path / "cache"}
    plain = load(tmp_path / "set", image_size=16, as_frame=True)
    cached = load(tmp_path / "set", **how)
    again = load(tmp_path / "set", n_jobs=2, **how)
    for faces in (plain, cached, again):
        assert set(KEYS) <= set(faces)
        assert faces.images.dtype == np.uint8
        assert faces.images.shape[1:] == (16, 16)
        assert np.shares_memory(faces.data, faces.images)
        assert len(faces.target) == len(faces.images) == len(faces.filenames)
        assert faces.target.dtype == np.int64
        assert faces.target_names.tolist() == list(EXPRESSIONS)
        np.testing.assert_array_equal(faces.images, plain.images)
        np.testing.assert_array_equal(faces.target, plain.target)
        assert faces.skipped == []
    assert isinstance(again.images, np.memmap)
    assert len(plain.frame) == len(plain.images)
    X, y = load(tmp_path / "set", image_size=16, color=True, return_X_y=True)
    assert X.shape == (len(y), 16 * 16 * 3)
    copy = pickle.loads(pickle.dumps(cached))
    np.testing.assert_array_equal(copy.images, plain.images)


@pytest.mark.parametrize(("name", "make"), ALL, ids=IDS)
def test_one_class(tmp_path, name, make):
    make(tmp_path)
    load = DATASETS[name].loader
    word = str(load(tmp_path, image_size=16).target_names[load(tmp_path, image_size=16).target[0]])
    one = load(tmp_path, image_size=16, classes=[word])
    assert set(one.target_names[one.target]) == {word}
    with pytest.raises(ValueError, match="classes="):
        load(tmp_path, classes=["boredom"])


@pytest.mark.parametrize(("name", "make"), ALL, ids=IDS)
def test_check(tmp_path, name, make):
    make(tmp_path)
    report = check_dataset(name, tmp_path)
    faces = DATASETS[name].loader(tmp_path, image_size=16)
    assert sum(report.counts.values()) <= len(faces.images)
    assert set(report.counts) == set(faces.target_names[faces.target])
    assert (report.missing, report.problems) == ([], [])
    assert report.ok == (not report.published and not report.published_parts)
    text = str(report)
    assert report.layout
    assert report.layout in text
    assert (f"{'class':<12}{'found':>9}{'published':>12}" in text) == bool(report.published)
    if faces.split is not None:
        assert report.parts == dict.fromkeys(faces.split.tolist(), 1)
    if report.n_groups:
        assert f"{report.groups}: {report.n_groups}" in text


@pytest.mark.parametrize("name", COPIES)
@pytest.mark.parametrize("root", ["nowhere", "file", "empty"])
def test_no_copy(tmp_path, name, root):
    (tmp_path / "file").write_text("")
    (tmp_path / "empty").mkdir()
    error = {"nowhere": FileNotFoundError, "file": NotADirectoryError, "empty": DatasetError}[root]
    with pytest.raises(error, match="root="):
        DATASETS[name].loader(tmp_path / root)
    with pytest.raises(error, match="root="):
        check_dataset(name, tmp_path / root)


# Builders whose pictures are files, which can be spoilt.
FILES = [(name, make) for name, make in ALL if name not in ("fer2013", "fer+")]


@pytest.mark.parametrize(("name", "make"), FILES, ids=[name for name, _ in FILES])
@pytest.mark.parametrize("how", ["empty", "truncated", "zip", "text"])
def test_faulty_pictures(tmp_path, name, make, how):
    make(tmp_path)
    load = DATASETS[name].loader
    faces = load(tmp_path, image_size=16)
    trees.spoil(tmp_path / faces.filenames[0], how)
    stem = faces.filenames[0].split("/")[-1].split(".")[0]
    with pytest.raises(DatasetError, match=rf"(?s){stem}.*{trees.SPOILT_SAYS[how]}"):
        load(tmp_path, image_size=16)
    if len(faces.images) > 1:
        with pytest.warns(DatasetWarning, match=trees.SPOILT_SAYS[how]):
            left = load(tmp_path, image_size=16, on_error="skip")
        np.testing.assert_array_equal(left.images, faces.images[1:])
        np.testing.assert_array_equal(left.target, faces.target[1:])


def test_check_counts_against_the_published_and_tells_what_is_missing(tmp_path):
    trees.raf_db(tmp_path, [("train_00001.jpg", 5), ("test_0001.jpg", 2), ("test_0002.jpg", 2)])
    path = tmp_path / "EmoLabel" / "list_patition_label.txt"
    path.write_text(path.read_text() + "test_0003.jpg 9\n")
    (tmp_path / "Image" / "aligned" / "test_0002_aligned.jpg").unlink()
    report = check_dataset("raf-db", tmp_path)
    assert report.counts == {"fear": 2, "sadness": 1}
    assert report.published["happiness"] == 5957
    assert sum(report.published.values()) == 12_271 + 3_068
    assert report.parts == {"test": 2, "train": 1}
    assert report.missing == ["Image/aligned/test_0002_aligned.jpg"]
    assert not report.ok
    text = str(report)
    assert "missing: 1\n  Image/aligned/test_0002_aligned.jpg" in text
    assert "list_patition_label.txt, line 4: label '9'" in text
    assert "fear                2         355  (-353)" in text
    assert text.endswith("NOT as published")


def test_check_of_a_whole_copy(tmp_path):
    counts = {"AN": 30, "DI": 29, "FE": 32, "HA": 31, "NE": 30, "SA": 31, "SU": 30}
    for code, count in counts.items():
        for number in range(count):
            subject = WOMEN[number % len(WOMEN)]
            (tmp_path / f"{subject}.{code}1.{number}.tiff").write_bytes(b"")
    report = check_dataset("jaffe", tmp_path)
    assert report.ok
    assert report.n_groups == 10
    assert str(report).endswith("subjects: 10\nall as published")
    for path in tmp_path.glob("YM.*"):
        path.rename(path.with_name(path.name.replace("YM", "UY")))
    report = check_dataset("jaffe", tmp_path)
    assert (report.counts, report.ok) == (report.published, False)
    assert str(report).endswith("subjects: 9  (published: 10)\nNOT as published")


WOMEN = ("KA", "KL", "KM", "KR", "MK", "NA", "NM", "TM", "UY", "YM")
CLASSES = {
    "ck+": (45, 18, 59, 25, 69, 0, 28, 83),
    "jaffe": (30, 0, 29, 32, 31, 30, 31, 30),
    "fer2013": (4953, 0, 547, 5121, 8989, 6198, 6077, 4002),
    "raf-db": (867, 0, 877, 355, 5957, 3204, 2460, 1619),
    "affectnet": (25_382, 4_250, 4_303, 6_878, 134_915, 75_374, 25_959, 14_590),
    "bu3dfe": (400, 0, 400, 400, 400, 100, 400, 400),
    "sfew": (255, 0, 89, 145, 271, 236, 245, 153),
}
SPLITS = {
    "fer2013": {"train": 28_709, "validation": 3_589, "test": 3_589},
    "fer+": {"train": 28_709, "validation": 3_589, "test": 3_589},
    "raf-db": {"train": 12_271, "test": 3_068},
    "affectnet": {"train": 287_651, "validation": 4_000},
    "sfew": {"train": 958, "validation": 436},
}
SUBJECTS = {"ck+": 118, "jaffe": 10, "bu3dfe": 100}


@pytest.mark.parametrize("name", SIZES)
def test_published_numbers(tmp_path, name):
    COPIES[name][0](tmp_path)
    report = check_dataset(name, tmp_path)
    found = tuple(report.published.get(word, 0) for word in EXPRESSIONS)
    assert found == CLASSES.get(name, (0,) * 8)
    assert report.published_parts == SPLITS.get(name, {})
    assert report.published_groups == SUBJECTS.get(name)
    if name in SPLITS and report.published:
        assert sum(report.published.values()) == sum(report.published_parts.values())


def test_swapped_parts_are_not_as_published():
    counts, parts = {"fear": 3}, {"train": 2, "test": 1}
    report = DatasetReport("x", "", "", counts, counts, parts, published_parts=parts)
    assert report.ok
    swapped = {"train": 1, "test": 2}
    report = DatasetReport("x", "", "", counts, counts, swapped, published_parts=parts)
    assert not report.ok
    assert "parts: train 1, test 2  (published: train 2, test 1)" in str(report)


def test_one_row_of_fer_plus_is_not_as_published(tmp_path):
    COPIES["fer+"][0](tmp_path)
    assert str(check_dataset("fer+", tmp_path)).endswith("NOT as published")


@pytest.mark.parametrize(
    ("name", "form", "gone", "missing"),
    [
        (
            "affectnet",
            0,
            "Manually_Annotated_file_lists/validation.csv",
            "Manually_Annotated_file_lists/validation.csv",
        ),
        (
            "affectnet",
            0,
            "Manually_Annotated_file_lists/training.csv",
            "Manually_Annotated_file_lists/training.csv",
        ),
        ("affectnet", 1, "val_set", "val_set/"),
        ("fer+", 1, "FER2013Valid", "FER2013Valid/"),
        ("sfew", 0, "Train", "Train/"),
        ("sfew", 1, "Val_Aligned_Faces", "Val_Aligned_Faces/"),
    ],
)
def test_check_tells_missing_parts(tmp_path, name, form, gone, missing):
    COPIES[name][form](tmp_path / "set")
    (tmp_path / "set" / gone).rename(tmp_path / "elsewhere")
    report = check_dataset(name, tmp_path / "set")
    assert missing in report.missing
    assert not report.ok
    assert f"missing: 1\n  {missing}" in str(report)


def test_check_tells_faces_without_a_place(tmp_path):
    row = trees.affectnet_row("1/aa.jpg", 1, points=False, box=False)
    trees.affectnet_2016(tmp_path, [row], [trees.affectnet_row("9/ee.jpg", 0)])
    (problem,) = check_dataset("affectnet", tmp_path).problems
    assert problem.where.startswith("training.csv, line 2")
    assert "it has no landmarks: give align=False" in problem.what


def test_frames_of_a_sequence_may_not_be_parted(tmp_path):
    trees.ck_plus(tmp_path, [(f"S{i:03d}", "001", 3, 1 + i % 7) for i in range(10, 24)])
    for path in tmp_path.rglob("*.png"):  # no two alike
        trees.picture(path, (20, 24), seed=int(path.stem[1:4]) * 10 + int(path.stem[-1]))
    faces = datasets.load_ck_plus(tmp_path, image_size=16)
    with pytest.raises(ValueError, match=r"subject.*'S0\d\d'.*cohn-kanade-images/S0"):
        check_leakage(faces, KFold(5, shuffle=True, random_state=0))
    assert len(check_leakage(faces, SubjectKFold(10))) == 10


def test_an_identical_image_in_both_parts_of_fer2013_is_named(tmp_path):
    trees.fer2013(tmp_path, [(3, 7, "Training"), (3, 9, "Training"), (3, 7, "PrivateTest")])
    faces = datasets.load_fer2013(tmp_path)
    pattern = r"identical image.*train: fer2013.csv:2.*test: fer2013.csv:4"
    with pytest.raises(ValueError, match=pattern):
        check_leakage(faces, OfficialSplit(faces.split))


@pytest.mark.parametrize("name", ["table", "ckplus", ""])
def test_check_of_an_unknown_set(tmp_path, name):
    with pytest.raises(ValueError, match=r"name=.*is not known: give one of \['ck\+', 'jaffe'"):
        check_dataset(name, tmp_path)


TOTALS = {
    "ck+": (327, 981),
    "jaffe": (213,),
    "fer2013": (35_887, 35_887),
    "raf-db": (15_339, 15_339),
    "affectnet": (291_651, 291_650),
    "bu3dfe": (2_500,),
    "sfew": (1_394, 1_322),
}


@pytest.mark.parametrize(("name", "make"), ALL, ids=IDS)
def test_published_counts_add_up(tmp_path, name, make):
    make(tmp_path)
    published = check_dataset(name, tmp_path).published
    assert not published or sum(published.values()) in TOTALS[name]
