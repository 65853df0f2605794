"""The registry and the check of a copy."""

import pytest
from helpers import trees
from helpers.copies import ALL, COPIES, IDS
from sklearn.model_selection import KFold

from skfer import datasets
from skfer.datasets import (
    DATASETS,
    EXPRESSIONS,
    DatasetReport,
    DatasetWarning,
    check_dataset,
)
from skfer.model_selection import OfficialSplit, SubjectKFold, check_leakage


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


def test_check_counts_against_the_published_and_tells_what_is_missing(tmp_path):
    trees.raf_db(tmp_path, [("train_00001.jpg", 5), ("test_0001.jpg", 2), ("test_0002.jpg", 2)])
    path = tmp_path / "EmoLabel" / "list_patition_label.txt"
    path.write_text(path.read_text() + "test_0003.jpg 12\n")
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
    assert "list_patition_label.txt, line 4: label '12'" in text
    assert "fear                2         355  (-353)" in text
    assert text.endswith("NOT as published")
    assert repr(report) == text


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


def test_check_by_any_spelling_tells_what_a_loader_would(tmp_path):
    trees.folder(tmp_path, ["suprise/a.png", "fear/b.png"])
    with pytest.warns(DatasetWarning, match="'suprise'"):
        assert check_dataset("Folder", tmp_path).name == "folder"
    trees.named(tmp_path / "jaffe", ["KA.AN1.39.tiff"])
    assert check_dataset("JAFFE", tmp_path / "jaffe").name == "jaffe"
    (tmp_path / "ck").mkdir()
    COPIES["ck+"][0](tmp_path / "ck")
    assert check_dataset("CK_plus", tmp_path / "ck").name == "ck+"


@pytest.mark.parametrize("name", ["table", "ck", ""])
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


@pytest.mark.parametrize("name", ["folder", "jaffe", "raf-db", "affectnet", "ck+"])
def test_broken_pictures_are_seen_by_decoding(tmp_path, name):
    COPIES[name][0](tmp_path)
    faces = DATASETS[name].loader(tmp_path, image_size=16)
    assert check_dataset(name, tmp_path, decode=True).problems == []
    name_of_one = faces.filenames[-1]
    trees.spoil(tmp_path / name_of_one, "truncated")
    assert check_dataset(name, tmp_path).problems == []
    report = check_dataset(name, tmp_path, decode=True, n_jobs=2)
    assert len(report.problems) == 1
    assert "truncated" in report.problems[0].what
    assert name_of_one.split("/")[-1] in report.problems[0].where
    assert "faulty: 1" in str(report)


@pytest.mark.parametrize("name", ["ck+", "mmi"])
def test_all_frames_of_sequences_are_decoded(tmp_path, name):
    """Those that loaders leave out too, however deep they lie."""
    COPIES[name][0](tmp_path / "a" / "b")
    pictures = sorted(tmp_path.rglob("*.png")) or sorted(tmp_path.rglob("*.jpg"))
    assert len(pictures) >= len(DATASETS[name].loader(tmp_path / "a", image_size=16).images)
    for picture in pictures:
        trees.spoil(picture, "truncated")
    found = check_dataset(name, tmp_path / "a", decode=True).problems
    assert sorted(where for where, _ in found) == [
        picture.relative_to(tmp_path / "a").as_posix() for picture in pictures
    ]


def test_decoding_tells_what_is_missing_once(tmp_path):
    trees.fer2013(tmp_path, [(3, 7, "Training"), (3, "1 2", "Training")])
    assert [where for where, _ in check_dataset("fer2013", tmp_path, decode=True).problems] == [
        "fer2013.csv, line 3"
    ]
    trees.raf_db(tmp_path / "raf", [("train_00001.jpg", 5), ("test_0001.jpg", 2)])
    (tmp_path / "raf/Image/aligned/test_0001_aligned.jpg").unlink()
    report = check_dataset("raf-db", tmp_path / "raf", decode=True)
    assert (len(report.missing), report.problems) == (1, [])
