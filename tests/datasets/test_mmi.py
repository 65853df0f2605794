"""load_mmi."""

import pytest
import trees
from hypothesis import given, settings
from hypothesis import strategies as st

from skfer.datasets import DatasetError, DatasetWarning, load_mmi

SESSIONS = [
    (1767, "S001-100", 7, 4),
    (1768, "S001-101", 2, 6),
    (1801, "S002-005", 5, 8),  # an emotion without a word in the vocabulary
    (1900, "S003-001", 5, None),
]


@pytest.mark.parametrize("outer", ["Sessions", "MMI/Sessions", ""])
@pytest.mark.parametrize("inner", ["", "frames"])
@pytest.mark.parametrize("tag", ["Metatag", "Metadata"])
def test_middle_frames(tmp_path, outer, inner, tag):
    made = trees.mmi(tmp_path, SESSIONS, outer=outer, inner=inner, tag=tag)
    faces = load_mmi(tmp_path)
    trees.check_pixels(faces, made)
    numbers = [int(name[-9:-4]) for name in faces.filenames]
    assert numbers == [2, 3, 4, 0, 1]
    assert faces.target.tolist() == [4, 4, 4, 7, 7]
    assert faces.groups.tolist() == ["S001"] * 5
    assert faces.sequence.tolist() == ["1767"] * 3 + ["1768"] * 2


def test_neutral_first_and_all(tmp_path):
    trees.mmi(tmp_path, SESSIONS)
    faces = load_mmi(tmp_path, frames=1, neutral_first=True)
    assert faces.target.tolist() == [5, 4, 7]
    assert faces.sequence_target.tolist() == [4, 4, 7]
    faces = load_mmi(tmp_path, frames="all")
    assert faces.target.tolist() == [-1, -1, 4, 4, 4, -1, -1, 7, 7]
    with pytest.raises(ValueError, match="frames="):
        load_mmi(tmp_path, frames="peak")


def test_unlabeled(tmp_path):
    trees.mmi(tmp_path, SESSIONS)
    faces = load_mmi(tmp_path, unlabeled=True, frames=1)
    assert faces.target.tolist() == [4, 7, -1, -1]
    assert faces.groups.tolist() == ["S001", "S001", "S002", "S003"]


def test_subject_from_the_session_file(tmp_path):
    trees.mmi(tmp_path, [(3, "clip", 3, 1)])
    assert load_mmi(tmp_path).groups.tolist() == ["7"] * 3
    (tmp_path / "Sessions/3/session.xml").unlink()
    with pytest.raises(DatasetError, match=r"Sessions/3/: no subject"):
        load_mmi(tmp_path)


def test_videos_without_frames(tmp_path):
    trees.mmi(tmp_path, [*SESSIONS, (2000, "S004-001", 0, 1)])
    (tmp_path / "Sessions/2000/S004-001.avi").write_bytes(b"RIFF")
    (tmp_path / "Sessions/1767/S001-100.avi").write_bytes(b"RIFF")  # beside its frames
    with pytest.raises(DatasetError, match=r"1 of .*\n.*2000/: .* without frames: write those"):
        load_mmi(tmp_path)
    with pytest.warns(DatasetWarning):
        assert len(load_mmi(tmp_path, on_error="skip").images) == 5


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("<a>\n<b></a>", r"S001-100.xml, line 2: not XML"),
        ("", r"S001-100.xml, line 1: not XML"),
        ('<a><Metatag Name="Emotion" Value="happy"/></a>', "emotion 'happy' is not a number"),
        (
            '<a><Metatag Name="Emotion" Value="1"/><Metatag Name="emotion" Value="2"/></a>',
            "several emotions",
        ),
    ],
)
def test_faulty_xml(tmp_path, content, message):
    trees.mmi(tmp_path, SESSIONS)
    (tmp_path / "Sessions/1767/S001-100.xml").write_text(content)
    with pytest.raises(DatasetError, match=message):
        load_mmi(tmp_path)


def test_no_mmi(tmp_path):
    (tmp_path / "Sessions" / "1").mkdir(parents=True)
    with pytest.raises(DatasetError, match="no MMI in a known layout"):
        load_mmi(tmp_path)


@settings(deadline=None, max_examples=10)
@given(
    sessions=st.lists(
        st.tuples(
            st.integers(1, 2000),
            st.from_regex(r"S00[1-3]-00[1-9]", fullmatch=True),
            st.integers(1, 6),
            st.one_of(st.none(), st.integers(1, 9)),
        ),
        min_size=1,
        max_size=4,
        unique_by=lambda session: session[0],
    ),
    frames=st.integers(1, 4),
)
def test_any_sessions(tmp_path_factory, sessions, frames):
    root = tmp_path_factory.mktemp("mmi")
    made = trees.mmi(root, sessions, size=(4, 4))
    faces = load_mmi(root, frames=frames, unlabeled=True, image_size=None)
    trees.check_pixels(faces, made)
    words = ("anger", "disgust", "fear", "happiness", "sadness", "surprise")
    for number, clip, n_frames, emotion in sessions:
        mine = faces.sequence == str(number)
        assert mine.sum() == min(frames, n_frames)
        assert set(faces.groups[mine]) == {clip[:4]}
        known = emotion is not None and emotion <= 6
        assert set(faces.target[mine]) == {trees.code_of(words[emotion - 1]) if known else -1}
