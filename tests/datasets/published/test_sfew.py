"""load_sfew."""

import shutil

import pytest
from helpers import trees
from hypothesis import given, settings
from hypothesis import strategies as st

from skfer.datasets import DatasetError, DatasetWarning, check_dataset, load_sfew

WORDS = {
    "Angry": "anger",
    "Disgust": "disgust",
    "Fear": "fear",
    "Happy": "happiness",
    "Neutral": "neutral",
    "Sad": "sadness",
    "Surprise": "surprise",
}
FRAMES = [
    "Train/Angry/Airheads_000519240_00000005.png",
    "Train/Happy/AirHeads_000519241_00000002.png",
    "Val/Sad/21_002237120_00000056.png",
    "Val/Surprise/Harry_Potter_2_001237120_00000007.PNG",
]
FACES = [
    "Train_Aligned_Faces/Angry/Airheads_000519240_00000005.png",
    "Val_Aligned_Faces_new/Sad/21_002237120_00000056.png",
]


def test_frames(tmp_path):
    made = trees.named(tmp_path, FRAMES)
    faces = load_sfew(tmp_path)
    trees.check_pixels(faces, made)
    assert faces.target.tolist() == [0, 4, 6, 7]
    assert faces.split.tolist() == ["train", "train", "validation", "validation"]
    assert faces.groups.tolist() == ["airheads", "airheads", "21", "harry_potter_2"]


@pytest.mark.parametrize(
    "move",
    [
        lambda name: name,
        lambda name: f"SFEW_2/{name}",
        lambda name: f"{name[: name.index('_')]}/{name}",  # Train/Train_Aligned_Faces/...
        lambda name: f"{name.split('/')[0]}/{name}",  # a folder in one of its name
    ],
)
def test_aligned_faces_are_taken_if_they_are_there(tmp_path, move):
    made = trees.named(tmp_path, [move(name) for name in FACES])
    made |= trees.named(tmp_path, FRAMES)
    faces = load_sfew(tmp_path)
    trees.check_pixels(faces, {name: made[name] for name in faces.filenames})
    assert len(faces.images) == 2
    assert all("Aligned" in name for name in faces.filenames)
    assert load_sfew(tmp_path, align=True).target.tolist() == [0, 6]
    frames = load_sfew(tmp_path, align=False)
    assert frames.filenames.tolist() == FRAMES


def test_aligned_faces_of_one_part_do_not_hide_the_frames_of_both(tmp_path):
    trees.named(tmp_path, [*FRAMES, FACES[0]])
    assert load_sfew(tmp_path).filenames.tolist() == FRAMES
    assert check_dataset("sfew", tmp_path).missing == []
    faces = load_sfew(tmp_path, align=True)
    assert faces.filenames.tolist() == FACES[:1]
    shutil.rmtree(tmp_path / "Train")
    shutil.rmtree(tmp_path / "Val")
    assert check_dataset("sfew", tmp_path).missing == ["Val_Aligned_Faces/"]


def test_frames_of_the_test_part_alone_do_not_hide_aligned_faces(tmp_path):
    trees.named(tmp_path, [*FRAMES, *FACES, "Test/Juno_002237120_00000056.png"])
    assert load_sfew(tmp_path).filenames.tolist() == FACES
    assert load_sfew(tmp_path, unlabeled=True).split.tolist()[-1] == "test"


def test_published_numbers_of_aligned_faces(tmp_path):
    trees.named(tmp_path, FACES)
    report = check_dataset("sfew", tmp_path)
    assert report.published_parts == {"train": 891, "validation": 431}
    assert report.published == {
        "anger": 178 + 77,
        "disgust": 52 + 23,
        "fear": 78 + 46,
        "happiness": 184 + 72,
        "neutral": 144 + 84,
        "sadness": 161 + 73,
        "surprise": 94 + 56,
    }
    assert not report.ok


@pytest.mark.parametrize("stray", ["old/x", "__MACOSX"])
def test_a_stray_copy_is_not_used(tmp_path, stray):
    made = trees.named(tmp_path, FRAMES)
    trees.named(tmp_path / stray, [name.replace("Angry", "Fear") for name in FRAMES])
    trees.check_pixels(load_sfew(tmp_path), made)


def test_two_copies_side_by_side_are_refused(tmp_path):
    for outer in ("a", "b"):
        trees.named(tmp_path / outer, FRAMES)
    with pytest.raises(DatasetError, match="has both 'a/Train' and 'b/Train': keep one of them"):
        load_sfew(tmp_path)


def test_aligned_faces_that_are_not_there(tmp_path):
    trees.named(tmp_path, FRAMES)
    says = r"no SFEW in a known layout:\n  Train_Aligned_Faces.*\nThe frames are there: align=False"
    with pytest.raises(DatasetError, match=says):
        load_sfew(tmp_path, align=True)
    with pytest.raises(ValueError, match="align must be"):
        load_sfew(tmp_path, align="maybe")


def test_frames_that_are_not_there(tmp_path):
    trees.named(tmp_path, FACES)
    says = "no SFEW in a known layout:\n  Train/Angry.*\nThe aligned faces are there: align=True"
    with pytest.raises(DatasetError, match=says) as info:
        load_sfew(tmp_path, align=False)
    assert "load_image_folder" not in str(info.value)


def test_unlabeled_test_part(tmp_path):
    made = trees.named(tmp_path, [*FRAMES, "Test/Juno_002237120_00000056.png"])
    assert len(load_sfew(tmp_path).images) == 4
    faces = load_sfew(tmp_path, unlabeled=True)
    trees.check_pixels(faces, made)
    assert faces.target.tolist() == [0, 4, 6, 7, -1]
    assert faces.split[-1] == "test"


@pytest.mark.parametrize("film", ["21", "Airheads", "Voyage"])  # before and after "Test_Al..."
@pytest.mark.parametrize("inner", ["Test_Aligned_Faces", "Test_Aligned_Faces_new/more"])
def test_aligned_faces_within_the_test_part_are_no_frames(tmp_path, film, inner):
    name = f"{film}_002237129_00000056.png"
    made = trees.named(tmp_path, [*FRAMES, f"Test/{name}", f"Test/{inner}/{name}"])
    (tmp_path / "Test" / inner / "more.zip").write_bytes(b"PK\x03\x04")
    (tmp_path / "Test" / "Test_Aligned_Faces.zip").write_bytes(b"PK\x03\x04")
    faces = load_sfew(tmp_path, align=False, unlabeled=True)
    trees.check_pixels(faces, made)
    assert faces.filenames.tolist() == [*FRAMES, f"Test/{name}"]


def test_frames_of_the_test_part_in_a_folder_below(tmp_path):
    name = "Test/frames/Airheads_002237120_00000056.png"
    trees.named(tmp_path, [*FRAMES, name, "Test/frames/x.zip.png"])
    (tmp_path / "Test" / "frames" / "x.zip").write_bytes(b"PK\x03\x04")
    with pytest.raises(DatasetError, match=r"(?s)2 of 7 files.*x.zip: .*x.zip.png"):
        load_sfew(tmp_path, unlabeled=True)
    with pytest.warns(DatasetWarning):
        faces = load_sfew(tmp_path, unlabeled=True, on_error="skip")
    assert faces.filenames.tolist() == [*FRAMES, name]


@pytest.mark.parametrize("train", ["Train", "train", "TRAINING"])
@pytest.mark.parametrize("validation", ["Validation", "validation", "VAL", "valid"])
def test_words_for_the_parts(tmp_path, train, validation):
    names = [name.replace("Train", train).replace("Val", validation) for name in FRAMES]
    trees.named(tmp_path, names)
    faces = load_sfew(tmp_path)
    assert sorted(faces.filenames) == sorted(names)
    assert faces.split.tolist() == ["train", "train", "validation", "validation"]
    assert check_dataset("sfew", tmp_path).missing == []


def test_aligned_faces_of_the_validation_part_by_its_whole_name(tmp_path):
    trees.named(
        tmp_path, [FACES[0], FACES[1].replace("Val_Aligned_Faces_new", "Validation_Aligned_Faces")]
    )
    assert load_sfew(tmp_path).split.tolist() == ["train", "validation"]


@pytest.mark.parametrize("test", ["Test", "test", "Test/Test"])
def test_a_test_part_with_labels_is_loaded_with_them(tmp_path, test):
    name = f"{test}/Fear/Juno_002237120_00000056.png"
    trees.named(tmp_path, [*FRAMES[:2], name])
    for unlabeled in (False, True):
        faces = load_sfew(tmp_path, unlabeled=unlabeled)
        assert faces.split.tolist() == ["train", "train", "test"]
        assert faces.target.tolist() == [0, 4, 3]
        assert faces.filenames[-1] == name


@pytest.mark.parametrize("place", ["Held_out/Fear", "Fear"])
def test_classes_that_are_in_no_part_are_told(tmp_path, place):
    name = f"{place}/Juno_002237120_00000056.png"
    trees.named(tmp_path, [*FRAMES, *FACES[:1], name])
    with pytest.raises(DatasetError, match=f"1 of 5 files.*\n.*{name}: .*not in one of the parts"):
        load_sfew(tmp_path)
    with pytest.warns(DatasetWarning, match="not in one of the parts"):
        assert load_sfew(tmp_path, on_error="skip").filenames.tolist() == FRAMES


def test_neither_form_has_all_parts(tmp_path):
    trees.named(tmp_path, [FACES[0], *FRAMES[2:]])
    match = (
        r"aligned faces of the parts \['train'\] and frames of \['validation'\].*align=True or a"
    )
    with pytest.raises(DatasetError, match=match):
        load_sfew(tmp_path)
    assert load_sfew(tmp_path, align=True).split.tolist() == ["train"]
    assert load_sfew(tmp_path, align=False).split.tolist() == ["validation"] * 2


def test_subset(tmp_path):
    trees.named(tmp_path, FRAMES)
    assert load_sfew(tmp_path, subset="val").target.tolist() == [6, 7]


def test_a_part_without_labels_is_named(tmp_path):
    trees.named(tmp_path, [*FRAMES, "Test/Juno_002237120_00000056.png"])
    says = "subset='test': the test part has no labels here: give unlabeled=True to load it as -1"
    with pytest.raises(ValueError, match=says):
        load_sfew(tmp_path, subset="test")
    assert load_sfew(tmp_path, subset="test", unlabeled=True).target.tolist() == [-1]


def test_faults(tmp_path):
    wrong = [
        "Train/Bored/Airheads_000519240_00000009.png",
        "Train/Angry/face.png",
        "Val/Angry/Airheads_000519240_00000005.png",
    ]
    trees.named(tmp_path, [*FRAMES, *wrong])
    (tmp_path / "Val" / "Sad.zip").write_bytes(b"PK\x03\x04")
    (tmp_path / "Val" / "Sad" / "x.zip").write_bytes(b"PK\x03\x04")
    with pytest.raises(DatasetError) as info:
        load_sfew(tmp_path)
    told = dict(info.value.problems)
    assert "no class" in told["Train/Bored/"]
    assert "not named like" in told["Train/Angry/face.png"]
    assert "'.zip'" in told["Val/Sad/x.zip"]
    assert "with the label" in told["Val/Angry/Airheads_000519240_00000005.png"]
    with pytest.warns(DatasetWarning):
        faces = load_sfew(tmp_path, on_error="skip")
    assert faces.filenames.tolist() == FRAMES[1:]  # of the frame in both parts neither stays


@settings(deadline=None, max_examples=10)
@given(
    st.dictionaries(
        st.tuples(st.from_regex(r"[A-Za-z0-9_]{1,8}", fullmatch=True), st.integers(0, 99)),
        st.tuples(st.sampled_from(["Train", "Val"]), st.sampled_from(sorted(WORDS))),
        min_size=1,
        max_size=5,
    )
)
def test_any_films(tmp_path_factory, rows):
    root = tmp_path_factory.mktemp("sfew")
    names = {
        f"{part}/{word}/{film}_{i:09d}_{i:08d}.png": (film, part, word)
        for (film, i), (part, word) in rows.items()
    }
    made = trees.named(root, names)
    faces = load_sfew(root, image_size=8)
    trees.check_pixels(faces, made)
    assert sorted(faces.filenames) == sorted(names)
    for name, film, part, code in zip(
        faces.filenames, faces.groups, faces.split, faces.target, strict=True
    ):
        assert film == names[name][0].lower()
        assert part == {"Train": "train", "Val": "validation"}[names[name][1]]
        assert faces.target_names[code] == WORDS[names[name][2]]
