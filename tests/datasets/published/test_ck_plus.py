"""load_ck_plus."""

import numpy as np
import pytest
from helpers import trees
from hypothesis import given, settings
from hypothesis import strategies as st

from skfer.datasets import DatasetError, DatasetWarning, check_dataset, load_ck_plus
from skfer.datasets.published._ck_labels import read_label

SEQUENCES = [("S005", "001", 6, 3), ("S010", "002", 2, 5), ("S010", "004", 5, None)]
WHOLE = {"align": False, "image_size": None}


def test_last_three_frames_are_the_habit(tmp_path):
    made = trees.ck_plus(tmp_path, SEQUENCES)
    faces = load_ck_plus(tmp_path, **WHOLE)
    trees.check_pixels(faces, made)
    assert faces.images.shape == (5, 20, 24)
    assert (
        faces.target.tolist() == [trees.code_of("disgust")] * 3 + [trees.code_of("happiness")] * 2
    )
    assert faces.frame_number.tolist() == [4, 5, 6, 1, 2]
    assert faces.groups.tolist() == ["S005"] * 3 + ["S010"] * 2
    assert faces.sequence.tolist() == ["S005_001"] * 3 + ["S010_002"] * 2
    assert faces.split is None
    assert "Lucey" in faces.DESCR


def test_peak_and_first_as_neutral(tmp_path):
    made = trees.ck_plus(tmp_path, SEQUENCES)
    faces = load_ck_plus(tmp_path, frames="peak", neutral_first=True, **WHOLE)
    trees.check_pixels(faces, made)
    assert faces.frame_number.tolist() == [1, 6, 1, 2]
    assert faces.target.tolist() == [5, 2, 5, 4]
    assert faces.sequence_target.tolist() == [2, 2, 4, 4]


def test_first_frame_among_the_last_is_not_neutral(tmp_path):
    trees.ck_plus(tmp_path, SEQUENCES)
    faces = load_ck_plus(tmp_path, frames=2, neutral_first=True, subset="S010", **WHOLE)
    assert faces.target.tolist() == [4, 4]


def test_all_frames_have_a_label_only_near_the_peak(tmp_path):
    trees.ck_plus(tmp_path, SEQUENCES)
    faces = load_ck_plus(tmp_path, frames="all", subset=["S005"], **WHOLE)
    assert faces.target.tolist() == [-1, -1, -1, 2, 2, 2]
    assert faces.sequence_target.tolist() == [2] * 6


def test_unlabeled_sequences(tmp_path):
    made = trees.ck_plus(tmp_path, SEQUENCES)
    faces = load_ck_plus(tmp_path, frames="peak", unlabeled=True, **WHOLE)
    trees.check_pixels(faces, made)
    assert faces.target.tolist() == [2, 4, -1]


@pytest.mark.parametrize("outer", ["ck", "CK+/extended"])
def test_nested_folders_and_an_emotion_folder_in_one_of_its_name(tmp_path, outer):
    made = trees.ck_plus(tmp_path, SEQUENCES, outer=outer)
    if outer == "ck":
        (tmp_path / outer / "Emotion").rename(tmp_path / outer / "inner")
        (tmp_path / outer / "Emotion").mkdir()
        (tmp_path / outer / "inner").rename(tmp_path / outer / "Emotion" / "Emotion")
    trees.check_pixels(load_ck_plus(tmp_path, **WHOLE), made)


def test_alignment_brings_the_eyes_to_one_place(tmp_path):
    """Two frames with the same face at another place look the same once aligned."""
    size = (60, 80)
    trees.ck_plus(tmp_path, [("S005", "001", 1, 3), ("S006", "001", 1, 3)], size=size)
    for subject, shift in (("S005", (0, 0)), ("S006", (9, -6))):
        stem = f"{subject}/001/{subject}_001_00000001"
        image = np.full(size, 90, dtype=np.uint8)
        points = trees.face_points(size, shift)
        for x, y in points[[36, 42]]:
            image[int(y) - 2 : int(y) + 3, int(x) - 2 : int(x) + 3] = 250
        trees.Image.fromarray(image).save(tmp_path / f"cohn-kanade-images/{stem}.png")
        trees.write_points(tmp_path / f"Landmarks/{stem}_landmarks.txt", points)
    one, other = load_ck_plus(tmp_path, image_size=40).images.astype(int)
    assert one.max() > 200
    middle = (slice(5, 25), slice(5, 35))
    assert np.abs(one[middle] - other[middle]).mean() < 8
    assert load_ck_plus(tmp_path, image_size=(40, 30), color=True).images.shape == (2, 40, 30, 3)


def test_alignment_needs_landmarks_and_a_size(tmp_path):
    trees.ck_plus(tmp_path, SEQUENCES, landmarks=False)
    with pytest.raises(DatasetError, match=r"no folder 'Landmarks'.*align=False"):
        load_ck_plus(tmp_path, align=True)
    with pytest.warns(DatasetWarning, match=r"no folder 'Landmarks'.*whole frames are taken"):
        faces = load_ck_plus(tmp_path, image_size=20)
    whole = load_ck_plus(tmp_path, image_size=20, align=False)
    np.testing.assert_array_equal(faces.images, whole.images)
    with pytest.raises(ValueError, match="align must be one of True, False, 'auto', got 'eyes'"):
        load_ck_plus(tmp_path, align="eyes")
    trees.ck_plus(tmp_path, SEQUENCES)
    with pytest.raises(ValueError, match="image_size=None: aligned faces need a size"):
        load_ck_plus(tmp_path, image_size=None)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "is missing"),
        ("", "holds 0 points"),
        ("1 2\n3 4\n", "holds 2 points"),
        ("5 5\na b\n" * 34, "landmarks.txt, line 2: 'a b' is no pair of numbers"),
        ("1 2 3\n" * 68, "line 1: '1 2 3' is no pair"),
        ("nan nan\n" * 68, "line 1: 'nan nan' is no pair"),
        ("5 5\n" * 68, "cannot be cut out"),
    ],
)
def test_faulty_landmarks_are_told_by_frame(tmp_path, content, message):
    trees.ck_plus(tmp_path, SEQUENCES)
    path = tmp_path / "Landmarks/S005/001/S005_001_00000006_landmarks.txt"
    if content is None:
        path.unlink()
    else:
        path.write_text(content)
    with pytest.raises(DatasetError, match=rf"S005_001_00000006.png: .*{message}"):
        load_ck_plus(tmp_path, image_size=24)
    with pytest.warns(DatasetWarning, match="1 of 5 files"):
        faces = load_ck_plus(tmp_path, image_size=24, on_error="skip")
    assert faces.frame_number.tolist() == [4, 5, 1, 2]


def test_a_moved_landmark_makes_a_new_cache(tmp_path):
    size = (60, 80)
    trees.ck_plus(tmp_path / "set", [("S005", "001", 1, 3)], size=size)
    stem = "S005/001/S005_001_00000001"
    trees.picture(tmp_path / f"set/cohn-kanade-images/{stem}.png", size)
    how = {"image_size": 24, "cache_dir": tmp_path / "cache"}
    first = np.array(load_ck_plus(tmp_path / "set", **how).images)
    points = trees.face_points(size, (5.25, 3.5))
    trees.write_points(tmp_path / f"set/Landmarks/{stem}_landmarks.txt", points)
    assert np.any(load_ck_plus(tmp_path / "set", **how).images != first)
    whole = load_ck_plus(tmp_path / "set", align=False, **how).images
    assert np.any(whole != first)


@pytest.mark.parametrize("text", ["8.0", "-1", "3.5", "happy", "", "nan", "3 4"])
def test_labels_out_of_range_are_told_by_file_and_line(tmp_path, text):
    trees.ck_plus(tmp_path, SEQUENCES)
    path = tmp_path / "Emotion/S005/001/S005_001_00000006_emotion.txt"
    path.write_text(text)
    with pytest.raises(DatasetError, match=r"S005_001_00000006_emotion.txt, line 1: .*from 0 to 7"):
        load_ck_plus(tmp_path, **WHOLE)


def test_a_label_in_another_encoding_is_told_by_file(tmp_path):
    trees.ck_plus(tmp_path, SEQUENCES)
    path = tmp_path / "Emotion/S005/001/S005_001_00000006_emotion.txt"
    path.write_bytes("3".encode("utf-16"))
    with pytest.raises(DatasetError, match=r"S005_001_00000006_emotion.txt, line 1"):
        load_ck_plus(tmp_path, **WHOLE)


@given(code=st.integers(0, 7), write=st.sampled_from(["   {:.7e}\r\n", "{}", "{}.0\n", "\t{:g} "]))
def test_any_way_to_write_a_label(code, write):
    assert read_label(write.format(code)) == trees.CK_CODES[code]


def test_labels_without_frames_and_second_labels(tmp_path):
    trees.ck_plus(tmp_path, SEQUENCES)
    folder = tmp_path / "Emotion/S099/001"
    folder.mkdir(parents=True)
    (folder / "S099_001_00000006_emotion.txt").write_text("3")
    (tmp_path / "Emotion/S005/001/S005_001_00000005_emotion.txt").write_text("3")
    (tmp_path / "Emotion/S010/002/S010_002_00000001_emotion.txt").write_text("7")
    pattern = r"(?s)2 of .*second label for S010_002.*S099_001: a label but no frames"
    with pytest.raises(DatasetError, match=pattern):
        load_ck_plus(tmp_path, **WHOLE)
    with pytest.warns(DatasetWarning):  # of two labels nobody knows which is right
        faces = load_ck_plus(tmp_path, on_error="skip", **WHOLE)
    assert faces.frame_number.tolist() == [4, 5, 6]


@pytest.mark.parametrize("gone", [range(4, 21), [20]])
def test_a_sequence_that_does_not_reach_its_peak_is_told(tmp_path, gone):
    trees.ck_plus(tmp_path, [("S005", "001", 20, 7), ("S010", "002", 4, 5)])
    for number in gone:
        (tmp_path / f"cohn-kanade-images/S005/001/S005_001_{number:08d}.png").unlink()
    what = rf"S005_001_00000020_emotion.txt: a label of frame 20, .* is .*_{gone[0] - 1:08d}.png"
    with pytest.raises(DatasetError, match=what):
        load_ck_plus(tmp_path, **WHOLE)
    assert len(check_dataset("ck+", tmp_path).problems) == 1
    with pytest.warns(DatasetWarning, match=what):
        faces = load_ck_plus(tmp_path, neutral_first=True, on_error="skip", **WHOLE)
    assert set(faces.groups) == {"S010"}


def test_frames_after_the_labeled_one_are_told(tmp_path):
    trees.ck_plus(tmp_path, SEQUENCES)
    trees.picture(tmp_path / "cohn-kanade-images/S005/001/S005_001_00000007.png")
    with pytest.raises(DatasetError, match=r"a label of frame 6, but the last .*_00000007.png"):
        load_ck_plus(tmp_path, **WHOLE)


@pytest.mark.parametrize("stray", ["old", "__MACOSX", "cohn-kanade-images/old"])
def test_labels_and_landmarks_of_a_stray_copy_are_not_used(tmp_path, stray):
    made = trees.ck_plus(tmp_path, SEQUENCES)
    expected = load_ck_plus(tmp_path, image_size=20)
    trees.ck_plus(tmp_path / stray, [("S005", "001", 6, 7), ("S010", "002", 2, 1)])
    for kind in ("cohn-kanade-images", "Emotion", "Landmarks"):
        (tmp_path / stray / kind).rename(tmp_path / stray / f"{kind}x")
    for kind in ("Emotion", "Landmarks"):
        (tmp_path / stray / f"{kind}x").rename(tmp_path / stray / kind)
    trees.check_pixels(load_ck_plus(tmp_path, **WHOLE), made)
    faces = load_ck_plus(tmp_path, image_size=20)
    np.testing.assert_array_equal(faces.images, expected.images)
    np.testing.assert_array_equal(faces.target, expected.target)


def test_two_copies_side_by_side_are_refused(tmp_path):
    for outer in ("a", "b"):
        trees.ck_plus(tmp_path, SEQUENCES, outer=outer)
    with pytest.raises(DatasetError, match=r"both 'a/cohn-kanade-images' and 'b/cohn-kanade-im"):
        load_ck_plus(tmp_path)
    assert len(load_ck_plus(tmp_path / "b", **WHOLE).images) == 5


def test_parts_that_were_unpacked_each_into_its_folder(tmp_path):
    made = trees.ck_plus(tmp_path, SEQUENCES)
    moved = {}
    for kind, outer in (
        ("cohn-kanade-images", "extended-cohn-kanade-images"),
        ("Emotion", "Emotion_labels"),
        ("Landmarks", "Landmark_files"),
    ):
        (tmp_path / outer).mkdir()
        (tmp_path / kind).rename(tmp_path / outer / kind)
        moved |= {f"{outer}/{name}": value for name, value in made.items()}
    trees.check_pixels(load_ck_plus(tmp_path, **WHOLE), moved)
    assert len(load_ck_plus(tmp_path, align=True, image_size=20).images) == 5


def test_litter_is_passed_over_and_wrong_names_are_told(tmp_path):
    trees.ck_plus(tmp_path, SEQUENCES)
    sequence = tmp_path / "cohn-kanade-images/S005/001"
    for name in (".DS_Store", "._S005_001_00000006.png", "notes.txt"):
        (sequence / name).write_text("")
    assert len(load_ck_plus(tmp_path, **WHOLE).images) == 5
    trees.picture(sequence / "copy.png")
    with pytest.raises(DatasetError, match=r"copy.png: not named like"):
        load_ck_plus(tmp_path, **WHOLE)


def test_frames_are_in_order_of_number_and_extensions_in_any_case(tmp_path):
    trees.ck_plus(tmp_path, [("S005", "001", 3, 3)])
    folder = tmp_path / "cohn-kanade-images/S005/001"
    (folder / "S005_001_00000003.png").rename(folder / "S005_001_100.PNG")
    label = tmp_path / "Emotion/S005/001/S005_001_00000003_emotion.txt"
    label.rename(label.with_name("S005_001_00000100_emotion.txt"))
    assert load_ck_plus(tmp_path, frames="peak", **WHOLE).frame_number.tolist() == [100]


def test_no_labels_at_all(tmp_path):
    trees.ck_plus(tmp_path, SEQUENCES)
    (tmp_path / "Emotion").rename(tmp_path / "elsewhere")
    with pytest.raises(DatasetError, match="no folder 'Emotion'"):
        load_ck_plus(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetError, match=r"(?s)no CK\+ in a known layout.*CK\+48"):
        load_ck_plus(tmp_path / "empty")


def test_the_folder_of_the_frames_alone_is_told(tmp_path):
    trees.ck_plus(tmp_path, SEQUENCES)
    pattern = r"root=.* is the folder of the frames alone: give the folder above it, .*'Emotion'"
    with pytest.raises(DatasetError, match=pattern):
        load_ck_plus(tmp_path / "cohn-kanade-images")


@pytest.mark.parametrize("frames", [0, -2, 1.5, "last", True])
def test_senseless_frames(tmp_path, frames):
    with pytest.raises(ValueError, match="frames="):
        load_ck_plus(tmp_path, frames=frames)


@pytest.mark.parametrize(("subject", "number"), [("S099", "001"), ("S005", "007"), ("S099", "007")])
def test_frames_and_labels_of_another_sequence_are_told(tmp_path, subject, number):
    trees.ck_plus(tmp_path, SEQUENCES)
    stem = f"{subject}_{number}_00000007"
    trees.picture(tmp_path / f"cohn-kanade-images/S005/001/{stem}.png")
    (tmp_path / f"Emotion/S005/001/{stem}_emotion.txt").write_text("3")
    with pytest.raises(DatasetError) as info:
        load_ck_plus(tmp_path, **WHOLE)
    told = dict(info.value.problems)
    what = f"of {subject}_{number} but in the folder of S005_001"
    assert told == {
        f"cohn-kanade-images/S005/001/{stem}.png": what,
        f"Emotion/S005/001/{stem}_emotion.txt": what,
    }
    with pytest.warns(DatasetWarning):
        faces = load_ck_plus(tmp_path, frames="peak", on_error="skip", **WHOLE)
    assert faces.frame_number.tolist() == [6, 2]


def test_one_frame_in_two_formats(tmp_path):
    trees.ck_plus(tmp_path, SEQUENCES)
    folder = tmp_path / "cohn-kanade-images/S005/001"
    trees.picture(folder / "S005_001_00000006.jpg")
    with pytest.raises(DatasetError, match=r"6.png: 'frame 6 of S005_001' again, as in .*6.jpg"):
        load_ck_plus(tmp_path, **WHOLE)
    with pytest.warns(DatasetWarning):
        faces = load_ck_plus(tmp_path, on_error="skip", align=False)
    assert faces.frame_number.tolist() == [4, 5, 6, 1, 2]


def test_labels_and_landmarks_with_extensions_in_any_case(tmp_path):
    trees.ck_plus(tmp_path / "plain", SEQUENCES)
    trees.ck_plus(tmp_path / "loud", SEQUENCES)
    for path in [*(tmp_path / "loud").rglob("*.txt")]:
        path.rename(path.with_suffix(".TXT"))
    plain, loud = (load_ck_plus(tmp_path / name, image_size=20) for name in ("plain", "loud"))
    np.testing.assert_array_equal(plain.images, loud.images)
    np.testing.assert_array_equal(plain.target, loud.target)


def test_images_in_a_folder_of_the_same_name(tmp_path):
    trees.ck_plus(tmp_path, SEQUENCES)
    (tmp_path / "cohn-kanade-images").rename(tmp_path / "inner")
    (tmp_path / "cohn-kanade-images").mkdir()
    (tmp_path / "inner").rename(tmp_path / "cohn-kanade-images/cohn-kanade-images")
    assert load_ck_plus(tmp_path, image_size=20).frame_number.tolist() == [4, 5, 6, 1, 2]


def test_check_tells_missing_landmarks(tmp_path):
    trees.ck_plus(tmp_path, SEQUENCES)
    assert check_dataset("ck+", tmp_path).missing == []
    gone = "Landmarks/S005/001/S005_001_00000005_landmarks.txt"  # not of the peak
    (tmp_path / gone).unlink()
    assert check_dataset("ck+", tmp_path).missing == [gone]
    (tmp_path / "Landmarks").rename(tmp_path / "elsewhere")
    assert check_dataset("ck+", tmp_path).missing == ["Landmarks/"]


sequence = st.tuples(
    st.sampled_from(["S005", "S010", "S999"]),
    st.sampled_from(["001", "002", "013"]),
    st.integers(1, 5),
    st.one_of(st.none(), st.integers(0, 7)),
)


@settings(deadline=None, max_examples=15)
@given(
    sequences=st.lists(sequence, min_size=1, max_size=4, unique_by=lambda s: s[:2]),
    frames=st.one_of(st.integers(1, 4), st.sampled_from(["peak", "all"])),
    neutral_first=st.booleans(),
)
def test_any_sequences(tmp_path_factory, sequences, frames, neutral_first):
    root = tmp_path_factory.mktemp("ck")
    made = trees.ck_plus(root, sequences, size=(4, 4), landmarks=False)
    faces = load_ck_plus(root, frames=frames, neutral_first=neutral_first, unlabeled=True, **WHOLE)
    trees.check_pixels(faces, made)
    for name, group, code, whole in zip(
        faces.filenames, faces.groups, faces.target, faces.sequence_target, strict=True
    ):
        assert f"/{group}/" in name
        assert whole == made[name]["sequence_target"]
        assert code in (whole, -1, 5)
    for subject, number, n_frames, label in sequences:
        chosen = faces.frame_number[faces.sequence == f"{subject}_{number}"].tolist()
        peak = faces.target[faces.sequence == f"{subject}_{number}"][-1]
        n_last = {"peak": 1, "all": n_frames}.get(frames, frames)
        first = [1] if neutral_first and label is not None and n_last < n_frames else []
        assert chosen == first + list(range(max(1, n_frames - n_last + 1), n_frames + 1))
        assert peak == (-1 if label is None else trees.code_of(trees.CK_CODES[label]))


@pytest.mark.parametrize("given", ["", "CK+", "CK+/images"])
def test_folders_of_the_owners_under_other_names(tmp_path, given):
    """The names that are needed are told, by whichever folder is given."""
    trees.ck_plus(tmp_path, [("S005", "001", 3, 3)], outer="CK+")
    (tmp_path / "CK+/cohn-kanade-images").rename(tmp_path / "CK+/images")
    (tmp_path / "CK+/Emotion").rename(tmp_path / "CK+/labels")
    says = "images': call it 'cohn-kanade-images', and that of the labels beside it 'Emotion'"
    with pytest.raises(DatasetError, match=rf"(?s)no CK\+ in a known layout.*{says}") as info:
        load_ck_plus(tmp_path / given)
    assert "further down" not in str(info.value)
