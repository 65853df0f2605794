"""From options to faces: every data set, and the options that it has."""

import functools
import shutil
from dataclasses import replace

import numpy as np
import pytest
from helpers import trees
from helpers.calls import parsed, refused, table_call

from skfer.cli import _evaluate, _faces, main
from skfer.cli._evaluate import headline, usual_protocol
from skfer.cli._faces import load_faces
from skfer.cli.exit_codes import FAILED
from skfer.cli.options import _data
from skfer.datasets import DATASETS, make_expressions
from skfer.evaluation import make_splits, prepare

PEOPLE = [f"S{i:03d}" for i in range(10, 22)]


WOMEN = ("KA", "KL", "KM", "KR", "MK", "NA", "NM", "TM", "UY", "YM")


PARTS_OF_EIGHT = ["Training"] * 6 + ["PrivateTest"] * 2


VOTES = ((9, 0, 0, 1, 0, 0, 0, 0, 0, 0), (0, 9, 0, 1, 0, 0, 0, 0, 0, 0))


def _fer2013(root):
    """Write noise labeled sadness and fear in turn, six to train on and two to test."""
    draw = np.random.RandomState(0)
    pixels = [" ".join(map(str, draw.randint(0, 256, 2304))) for _ in PARTS_OF_EIGHT]
    trees.fer2013(root, [(4 - 2 * (i % 2), pixels[i], p) for i, p in enumerate(PARTS_OF_EIGHT)])


def _fer_plus(root):
    _fer2013(root)
    rows = [(p, f"fer000000{i}.png", VOTES[i % 2]) for i, p in enumerate(PARTS_OF_EIGHT)]
    trees.fer_plus_table(root, rows)


COPIES = {
    "ck+": (
        lambda root: trees.ck_plus(root, [(s, "001", 4, 1 + i % 7) for i, s in enumerate(PEOPLE)]),
        ("subject-10fold", 10, "12 subjects;"),
    ),
    "jaffe": (
        lambda root: trees.named(
            root, [f"{s}.{'AN' if i % 2 else 'HA'}1.{i}.tiff" for i, s in enumerate(WOMEN)]
        ),
        ("leave-one-subject-out", 10, "10 subjects;"),
    ),
    "fer2013": (_fer2013, ("official", 1, "8 different images, subjects unknown")),
    "fer+": (_fer_plus, ("official", 1, "8 different images, subjects unknown")),
    "raf-db": (
        lambda root: trees.raf_db(
            root,
            [(f"{'train_0000' if i < 6 else 'test_000'}{i}.jpg", 4 + i % 2) for i in range(8)],
        ),
        ("official", 1, "subjects unknown"),
    ),
    "affectnet": (
        lambda root: trees.affectnet_2021(
            root, [("train_set" if i < 6 else "val_set", i, i % 2, 0.5, -0.1) for i in range(8)]
        ),
        ("official", 1, "subjects unknown"),
    ),
    "bu3dfe": (
        lambda root: trees.named(
            root,
            [
                f"F{i:04d}/F{i:04d}_{'AN' if i > 6 else 'HA'}0{1 + i % 4}WH_F2D.bmp"
                for i in range(1, 13)
            ],
        ),
        ("subject-10fold", 10, "12 subjects;"),
    ),
    "sfew": (
        lambda root: trees.named(
            root,
            [
                f"{'Train' if i < 6 else 'Val'}/{('Sad', 'Angry')[i % 2]}/"
                f"{'A' if i < 6 else 'B'}_00051924{i}_00000005.png"
                for i in range(8)
            ],
        ),
        ("official", 1, "2 films, subjects unknown"),
    ),
    "mmi": (
        lambda root: trees.mmi(root, [(i, f"{s}-001", 5, 1 + i % 6) for i, s in enumerate(PEOPLE)]),
        ("subject-10fold", 10, "12 subjects;"),
    ),
}


def _noise(root, name):
    """Make the small copy of a set, no two pictures of it alike."""
    COPIES[name][0](root)
    for i, path in enumerate(sorted(root.rglob("*.*"))):
        if path.suffix.lower() in (".png", ".jpg", ".tiff", ".bmp"):
            trees.picture(path, (24, 24), seed=i)


def test_a_copy_without_subjects_is_split_as_it_can_be(capsys):
    faces = _faces_of("--dataset", "synthetic")
    assert usual_protocol("ck+", faces) == "subject-10fold"
    faces.group_kind = "different images"
    assert usual_protocol("ck+", faces) == "group-fold"
    assert "no subjects, whom the usual protocol, subject-10fold, needs" in capsys.readouterr().err
    faces.split = np.repeat(["test", "train"], len(faces.target))[::2]
    assert usual_protocol("jaffe", faces) == "official"


@pytest.mark.parametrize("name", COPIES)
def test_every_set_is_split_by_its_protocol(tmp_path, name):
    protocol, n_folds, groups = COPIES[name][1]
    _noise(tmp_path, name)
    faces = _faces_of("--dataset", name, "--root", str(tmp_path))
    assert usual_protocol(name, faces) == protocol
    splits = make_splits(faces, protocol)
    assert len(splits) == n_folds
    assert groups in headline(faces, protocol, splits, "knn")
    for train, test in splits:
        if protocol == "official":
            assert set(faces.split[train]) == {"train"}
            assert len(set(faces.split[test]) & {"train"}) == 0
        else:
            assert not set(faces.groups[train]) & set(faces.groups[test])


@pytest.mark.parametrize("name", COPIES)
def test_every_set_is_evaluated_by_default(tmp_path, capsys, monkeypatch, name):
    _noise(tmp_path, name)
    # One embedder is enough: they do not know the set.
    monkeypatch.setattr(_evaluate, "METHODS", ("pca", "cross-entropy"))
    call = ["--dataset", name, "--root", str(tmp_path), "--image-size", "16"]
    assert main(["evaluate", *call, "--epochs", "1", "--n-jobs", "1"]) == 0
    protocol, n_folds, _ = COPIES[name][1]
    out = capsys.readouterr().out
    folds = "trained on train (" if protocol == "official" else f"{n_folds} folds"
    assert f"; {protocol}, {folds}" in out
    assert ("±" in out) == (n_folds > 1)  # one split has no spread


def test_every_name_is_known_and_tried():
    assert {*COPIES, "folder", "table"} == set(DATASETS)
    assert {*_data.DATASETS} == {"synthetic", *DATASETS}
    assert {*_data.CHECKABLE} == {name for name in DATASETS if DATASETS[name].lister is not None}


def _faces_of(*words):
    return prepare(load_faces(parsed(*words))[1])


def _copy(root, name):
    """Make the small copy of a set and return the options that name it."""
    COPIES[name][0](root / name)
    return ("--dataset", name, "--root", str(root / name))


def test_variants_of_protocols(tmp_path):
    call = {name: _copy(tmp_path, name) for name in ("ck+", "mmi", "bu3dfe")}
    loud = _faces_of(*call["ck+"], "--frames", "peak", "--neutral-first")
    assert len(loud.target) == 24
    assert np.sum(loud.target == 5) == 12
    assert len(_faces_of(*call["ck+"], "--frames", "2").target) == 24
    assert len(_faces_of(*call["mmi"], "--frames", "1").target) == 12
    assert len(_faces_of(*call["bu3dfe"], "--intensities", "3", "4").target) == 6


def test_classes(tmp_path, faces_on_disk):
    ck = _copy(tmp_path, "ck+")
    six = ["anger", "disgusted", "fear", "Happy", "sadness", "surprise"]
    faces = _faces_of(*ck, "--classes", *six)
    assert np.unique(faces.target).tolist() == [0, 2, 3, 4, 6, 7]
    drawn = _faces_of("--classes", "happy", "sad", "happiness")
    assert np.unique(drawn.target).tolist() == [4, 6]
    table = _faces_of(*table_call(faces_on_disk)[1:], "--classes", "anger", "surprise")
    assert np.unique(table.target).tolist() == [0, 7]


def test_classes_that_are_not_there(tmp_path, faces_on_disk, capsys):
    ck = _copy(tmp_path, "ck+")
    said = refused(capsys, *ck, "--classes", "anger", "hapiness")
    assert "--classes hapiness: there is no such expression: give some of anger contempt" in said
    assert "--classes neutral: no image is of it: give --neutral-first" in refused(
        capsys, *ck, "--classes", "anger", "fear", "neutral"
    )
    assert "--classes fear: no image is of it: leave it out." in refused(
        capsys, *table_call(faces_on_disk)[1:], "--classes", "anger", "fear"
    )
    assert "['bored'] is not among the classes here: ['anger'," in refused(
        capsys, *table_call(faces_on_disk)[1:], "--classes", "bored"
    )
    assert "'anger': give at least two" in refused(capsys, *ck, "--classes", "anger")


def _passed_on(monkeypatch, name, *words):
    """Return what `evaluate` passes to the loader of a set, besides what all get."""
    passed = {}
    real = DATASETS[name].loader

    @functools.wraps(real)
    def loader(root, *, image_size, cache_dir, on_error, verbose, n_jobs, **own):
        passed.update(own)
        return make_expressions(2, 1, image_size=16)

    monkeypatch.setitem(_faces.DATASETS, name, replace(DATASETS[name], loader=loader))
    load_faces(parsed("--dataset", name, "--root", ".", *words))
    return passed


PASSED_ON = [
    ("ck+", ["--align"], {"align": True}),
    ("ck+", ["--no-align"], {"align": False}),
    ("affectnet", ["--align"], {"align": "landmarks"}),
    ("affectnet", ["--align", "box"], {"align": "box"}),
    ("affectnet", ["--no-align"], {"align": False}),
    ("raf-db", ["--no-align"], {"align": False}),
    ("raf-db", ["--align", "points"], {"align": "points"}),
    ("sfew", ["--align"], {"align": True}),
    ("jaffe", ["--align", "0.1", "0", "0.9", "1"], {"align": (0.1, 0.0, 0.9, 1.0)}),
    ("jaffe", ["--align"], {"align": True}),
    ("jaffe", ["--no-align"], {"align": False}),
    ("fer+", ["--classes", "angry", "fear"], {"classes": ("anger", "fear")}),
    ("sfew", [], {}),
]


@pytest.mark.parametrize(("name", "words", "passed"), PASSED_ON)
def test_options_are_passed_to_loaders(monkeypatch, name, words, passed):
    assert _passed_on(monkeypatch, name, *words) == passed


def test_crops_and_alignments_that_cannot_be(tmp_path, capsys):
    jaffe, ck = _copy(tmp_path, "jaffe"), _copy(tmp_path, "ck+")
    part = ["--align", "0.9", "0", "0.1", "1"]
    assert "--align 0.9 0.0 0.1 1.0 is not a part" in refused(capsys, *jaffe, *part)
    assert "--align box is not a part of a picture" in refused(capsys, *jaffe, "--align", "box")
    assert "--align box does not belong to --dataset ck+" in refused(capsys, *ck, "--align", "box")
    shutil.rmtree(tmp_path / "ck+" / "Landmarks")
    assert "or give --no-align to take whole frames" in refused(capsys, *ck, "--align")


FOREIGN = [
    ("--frames", "jaffe", "3"),
    ("--neutral-first", "bu3dfe"),
    ("--intensities", "ck+", "3", "4"),
    ("--group-pattern", "raf-db", "x"),
    ("--labels", "fer2013", "labels.csv"),
    ("--frames", "synthetic", "all"),
    ("--group-pattern", "table", "x"),
    ("--group-column", "folder", "person"),
    ("--label-column", "jaffe", "emotion"),
    ("--labels", "synthetic", "labels.csv"),
    ("--align", "bu3dfe"),
    ("--no-align", "fer2013"),
    ("--no-align", "folder"),
    ("--root", "synthetic", "faces"),
    ("--skip-bad", "synthetic"),
]


@pytest.mark.parametrize("option", ["--root", "--group-column", "--file-column"])
def test_options_without_a_data_set_are_refused(capsys, option):
    assert main(["evaluate", "--quiet", option, "x"]) == FAILED
    assert f"{option} needs --dataset NAME or --labels CSV" in capsys.readouterr().err


@pytest.mark.parametrize(("option", "name", "values"), [(o, n, v) for o, n, *v in FOREIGN])
def test_options_of_other_sets_are_refused(capsys, option, name, values):
    root = [] if option == "--skip-bad" else ["--root", "nowhere"]
    call = ["evaluate", "--quiet", "--dataset", name, *root, option, *values]
    assert main(call) == FAILED
    said = capsys.readouterr().err
    assert f"{option} does not belong to --dataset {name}" in said
    if option == "--frames":
        assert f"{name} (but to ck+, mmi): leave it out" in said


@pytest.mark.parametrize(
    ("name", "kind"),
    [("fer2013", "different images"), ("fer+", "different images"), ("sfew", "films")],
)
@pytest.mark.parametrize("protocol", ["subject-10fold", "leave-one-subject-out"])
def test_groups_that_are_no_subjects(tmp_path, name, kind, protocol):
    COPIES[name][0](tmp_path)
    faces = _faces_of("--dataset", name, "--root", str(tmp_path))
    with pytest.raises(ValueError, match=f"{protocol}.? needs subjects, .* are {kind}"):
        make_splits(faces, protocol)


def test_copies_across_folds_without_groups_are_refused(tmp_path):
    names = [f"{word}/{i}.png" for word in ("happy", "sad") for i in range(6)]
    for i, name in enumerate(names):
        trees.picture(tmp_path / name, (16, 16), seed=i)
    call = ["--dataset", "folder", "--root", str(tmp_path)]
    assert len(make_splits(_faces_of(*call))) == 3
    for i in range(1, 6):  # all of one class alike: some are in every fold
        trees.picture(tmp_path / f"sad/{i}.png", (16, 16), seed=6)
    with pytest.raises(ValueError, match=r"leaks.*\n.*identical image, such as .*sad/"):
        make_splits(_faces_of(*call))


def test_what_an_official_split_shares_is_told(tmp_path):
    rows = [(3, 7, "Training"), (3, 9, "Training"), (3, 7, "PrivateTest"), (0, 9, "PrivateTest")]
    trees.fer2013(tmp_path / "fer", rows)
    faces = _faces_of("--dataset", "fer2013", "--root", str(tmp_path / "fer"))
    with pytest.warns(UserWarning, match=r"training and test alike: 2 identical images\. It"):
        splits = make_splits(faces, "official")
    assert [side.tolist() for side in splits[0]] == [[0, 1], [2, 3]]
    names = ["Train/Angry/A_000519240_00000005.png", "Val/Sad/a_000519241_00000005.png"]
    for i, name in enumerate(names):
        trees.picture(tmp_path / "sfew" / name, (16, 16), seed=i)
    with pytest.warns(UserWarning, match=r"training and test alike: 1 films\. It"):
        make_splits(_faces_of("--dataset", "sfew", "--root", str(tmp_path / "sfew")), "official")


def test_pictures_are_read_by_the_wanted_threads(monkeypatch):
    called = {}

    def loader(root, *, n_jobs, **options):
        called["n_jobs"] = n_jobs
        return make_expressions(2, 1, image_size=16)

    monkeypatch.setitem(_faces.DATASETS, "jaffe", replace(DATASETS["jaffe"], loader=loader))
    load_faces(parsed("--dataset", "jaffe", "--root", ".", "--n-jobs", "3"))
    assert called == {"n_jobs": 3}
