"""load_mmi."""

import pytest
from helpers import trees
from hypothesis import given, settings
from hypothesis import strategies as st

from skfer.datasets import DatasetError, DatasetWarning, check_dataset, load_mmi

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


PEOPLE = [(1, "S001-100", 3, 4), (2, "S002-101", 3, 6), (3, "clip", 3, 1)]


def test_a_person_told_by_names_here_and_by_session_files_there(tmp_path):
    trees.mmi(tmp_path, PEOPLE, ids={1: "1", 2: "", 3: "1"})
    faces = load_mmi(tmp_path, frames=1)
    assert faces.groups.tolist() == ["S001", "S002", "S001"]


def test_ids_of_session_files_where_all_have_them(tmp_path):
    trees.mmi(tmp_path, PEOPLE, ids={1: "20", 2: "30", 3: "20"})
    assert load_mmi(tmp_path, frames=1).groups.tolist() == ["20", "30", "20"]


def test_sources_that_count_differently_are_not_mixed(tmp_path):
    trees.mmi(tmp_path, PEOPLE, ids={1: "20", 2: "", 3: "2"})
    with pytest.raises(DatasetError, match=r"S001 is '20'.*Name the frames like"):
        load_mmi(tmp_path)


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        ({1: "1", 2: "1", 3: "7"}, "subject S002 by its name and '1' by session.xml, but S001"),
        ({1: "1", 2: "2", 4: "3", 3: "7"}, "subject S001 by its name and '3' by session.xml, but"),
    ],
)
def test_sources_that_contradict_each_other(tmp_path, ids, message):
    people = [*PEOPLE, (4, "S001-105", 3, 2)]
    trees.mmi(tmp_path, [person for person in people if person[0] in ids], ids=ids)
    with pytest.raises(DatasetError, match=message):
        load_mmi(tmp_path, frames=1)
    with pytest.warns(DatasetWarning, match=message):
        faces = load_mmi(tmp_path, frames=1, on_error="skip")
    assert faces.groups.tolist() == (["7"] if len(ids) == 3 else ["2", "7"])


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


@pytest.mark.parametrize("value", ["10", "-1", "", "1.0"])
def test_unknown_emotions_are_told_by_file(tmp_path, value):
    trees.mmi(tmp_path, [*SESSIONS, (2000, "S004-001", 3, value)])
    with pytest.raises(DatasetError, match=rf"S004-001.xml, line 1: emotion '{value}' is not a"):
        load_mmi(tmp_path)


def test_the_line_of_an_emotion_is_told(tmp_path):
    trees.mmi(tmp_path, SESSIONS)
    path = tmp_path / "Sessions/1767/S001-100.xml"
    path.write_text('<a>\n\n<Metatag\nName="Emotion" Value="77"/></a>')
    with pytest.raises(DatasetError, match=r"S001-100.xml, line 3: emotion '77' is not a number"):
        load_mmi(tmp_path)


def test_what_archivers_leave_is_passed_over(tmp_path):
    trees.mmi(tmp_path, SESSIONS)
    for name in ("._S001-100.xml", "._S001-100_00001.png", ".DS_Store"):
        (tmp_path / "Sessions/1767" / name).write_bytes(b"\0\5\26\7")
    (tmp_path / "Sessions/__MACOSX").mkdir()
    assert len(load_mmi(tmp_path).images) == 5


def test_an_unknown_encoding_is_told_by_file(tmp_path):
    trees.mmi(tmp_path, SESSIONS)
    path = tmp_path / "Sessions/1767/S001-100.xml"
    path.write_text('<?xml version="1.0" encoding="klingon"?><a/>')
    with pytest.raises(DatasetError, match=r"Sessions/1767/S001-100.xml.*: .*encoding"):
        load_mmi(tmp_path)
    with pytest.warns(DatasetWarning, match="S001-100.xml"):
        assert load_mmi(tmp_path, on_error="skip").target.tolist() == [7, 7]


def test_a_session_without_xml(tmp_path):
    trees.mmi(tmp_path, SESSIONS)
    for path in (tmp_path / "Sessions/1768").glob("*.xml"):
        path.unlink()
    with pytest.raises(DatasetError, match=r"Sessions/1768/: frames without an XML file"):
        load_mmi(tmp_path)
    problems = check_dataset("mmi", tmp_path).problems
    assert [where for where, _ in problems] == ["Sessions/1768/"]


def test_two_clips_of_a_session_are_two_sequences(tmp_path):
    trees.mmi(tmp_path, [(1767, "S001-100", 7, 4), (1767, "S001-101", 3, 6), SESSIONS[1]])
    faces = load_mmi(tmp_path, frames=1)
    stems = [name.rpartition("/")[2] for name in faces.filenames]
    assert stems == ["S001-100_00003.png", "S001-101_00001.png", "S001-101_00000.png"]
    assert faces.target.tolist() == [4, 7, 7]
    assert faces.sequence.tolist() == ["1767/S001-100", "1767/S001-101", "1768"]


def test_frames_and_xml_of_different_clips(tmp_path):
    trees.mmi(tmp_path, SESSIONS)
    session = tmp_path / "Sessions/1767"
    trees.picture(session / "S002-100_00001.png")
    pattern = r"1767/S002-100_00001.png: of S002-100, but the XML beside it is S001-100.xml"
    with pytest.raises(DatasetError, match=pattern):
        load_mmi(tmp_path)
    (session / "S002-100.xml").write_text("<a/>")
    assert len(load_mmi(tmp_path).images) == 5
    (session / "S003-100-oao_aucs.xml").write_text('<a><Metatag Name="Emotion" Value="2"/></a>')
    with pytest.raises(DatasetError, match=r"S003-100-oao_aucs.xml: no frames of S003-100"):
        load_mmi(tmp_path)


@pytest.mark.parametrize("copy", ["S001-100_00003.jpg", "all/S001-100_00003.png", "S001-100_3.png"])
def test_one_frame_twice(tmp_path, copy):
    trees.mmi(tmp_path, SESSIONS)
    trees.picture(tmp_path / "Sessions/1767" / copy)
    with pytest.raises(DatasetError, match=r"1 of .*\n.*'S001-100 3' again, as in Sessions/1767/"):
        load_mmi(tmp_path)


def test_unnamed_clips_are_told_apart_by_their_folders(tmp_path):
    trees.mmi(tmp_path, [(1767, "S001-100", 0, 4)])
    for name in ("front/1.png", "front/2.png", "side/1.png", "side/view_1.png"):
        trees.picture(tmp_path / "Sessions/1767" / name)
    sequences = ["1767/front"] * 2 + ["1767/side", "1767/side/view"]
    assert load_mmi(tmp_path).sequence.tolist() == sequences


@pytest.mark.parametrize("stem", ["S001-100_", "frame", "", "S001-100-"])
def test_frames_are_in_order_of_number(tmp_path, stem):
    trees.mmi(tmp_path, [(1767, "S001-100", 0, 4)])
    for number in range(8, 13):
        trees.picture(tmp_path / f"Sessions/1767/{stem}{number}.png")
    assert load_mmi(tmp_path, frames=1).filenames.tolist() == [f"Sessions/1767/{stem}10.png"]


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
