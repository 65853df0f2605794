"""load_image_table."""

import csv
import unicodedata
import warnings

import numpy as np
import pandas as pd
import pytest
from helpers import trees
from hypothesis import given, settings
from hypothesis import strategies as st

from skfer.datasets import DatasetError, DatasetWarning, load_image_table
from skfer.exceptions import ArgumentError
from skfer.validation import MISSING_WORDS, is_missing

HEADER = ("file", "label", "person", "part")
ROWS = [
    ("a.png", "fear", "Ann", "train"),
    ("sub/b.png", "Angry", "Bob", "test"),
    ("C.PNG", "unlabeled", "Cid", ""),
]


def make(root, rows=ROWS, header=HEADER, **how):
    trees.folder(root, [name for name, *_ in ROWS])
    return trees.table(root / "labels.csv", header, rows, **how)


def test_bunch(tmp_path):
    faces = load_image_table(make(tmp_path), group_column="person", split_column="part")
    assert faces.images[:, 0, 0].tolist() == [5, 42, 79]
    assert faces.target.tolist() == [3, 0, -1]
    assert faces.groups.tolist() == ["Ann", "Bob", "Cid"]
    assert faces.split.tolist() == ["train", "test", ""]
    assert faces.filenames.tolist() == ["a.png", "sub/b.png", "C.PNG"]
    assert "labels.csv" in faces.DESCR
    assert load_image_table(tmp_path / "labels.csv").groups is None


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_dialects(tmp_path, newline, encoding, delimiter):
    path = make(tmp_path, newline=newline, encoding=encoding, delimiter=delimiter)
    assert load_image_table(path).target.tolist() == [3, 0, -1]


def test_root_elsewhere_and_frame(tmp_path):
    trees.folder(tmp_path / "images", ["a.png"])
    path = trees.table(tmp_path / "t.csv", ("f", "l"), [("a.png", "x")])
    faces = load_image_table(
        path, tmp_path / "images", file_column="f", label_column="l", as_frame=True
    )
    assert faces.target_names.tolist() == ["x"]
    assert faces.frame.to_dict("list") == {
        "filenames": ["a.png"],
        "target": [0],
        "expression": ["x"],
    }


def test_names_from_windows_and_absolute_names_inside_root(tmp_path):
    rows = [("sub\\b.png", "fear"), (str(tmp_path / "a.png"), "fear"), ("./sub/../C.PNG", "fear")]
    faces = load_image_table(make(tmp_path, rows, HEADER[:2]))
    assert faces.filenames.tolist() == ["sub/b.png", "a.png", "C.PNG"]


@pytest.mark.parametrize(
    "name",
    ["../a.png", "sub/../../a.png", "..", "/etc/passwd", "C:\\a.png", "..\\a.png", "a\0.png"],
)
def test_names_that_leave_root_are_refused(tmp_path, name):
    path = make(tmp_path, [*ROWS, (name, "fear", "", "")])
    with pytest.raises(DatasetError, match=r"labels.csv, line 5: .* leads out of root"):
        load_image_table(path)
    with pytest.warns(DatasetWarning, match="1 of 4 rows"):
        assert len(load_image_table(path, on_error="skip").images) == 3


def test_label_with_no_file(tmp_path):
    path = make(tmp_path, [*ROWS, ("", "fear", "", ""), ("gone.png", "fear", "", "")])
    with pytest.raises(
        DatasetError,
        match=r"(?s)2 of 5 .*line 5: a label \('fear'\) with no file.*"
        r"line 6 \(gone.png\): no such file",
    ):
        load_image_table(path)
    with pytest.warns(DatasetWarning, match=r"(?s)2 of 5 rows.*line 6 \(gone.png\): no such file"):
        faces = load_image_table(path, on_error="skip")
    assert len(faces.skipped) == 2


def test_repeated_rows(tmp_path):
    rows = [*ROWS, ("./a.png", "afraid", "", ""), ("C.PNG", "sad", "", "")]
    with pytest.raises(
        DatasetError, match=r"(?s)line 5: 'a.png' again, as in labels.csv, line 2.*line 6.*another"
    ):
        load_image_table(make(tmp_path, rows))
    with pytest.warns(DatasetWarning, match="3 of 5 rows"):
        faces = load_image_table(tmp_path / "labels.csv", on_error="skip")
    assert faces.filenames.tolist() == ["a.png", "sub/b.png"]  # C.PNG has two labels: neither


def test_short_rows_blank_lines_and_quotes(tmp_path):
    trees.folder(tmp_path, ["a.png", 'b,"c".png'])
    text = '\nfile,label\n\na.png,fear\n\n"b,""c"".png","fear"\n , \nshort\n'.lstrip("\n")
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(DatasetError, match=r"t.csv, line 7: fewer cells"):
        load_image_table(tmp_path / "t.csv")
    with pytest.warns(DatasetWarning):
        faces = load_image_table(tmp_path / "t.csv", on_error="skip")
    assert faces.filenames.tolist() == ["a.png", 'b,"c".png']


@pytest.mark.parametrize("column", ["file_column", "label_column", "group_column", "split_column"])
def test_unknown_column(tmp_path, column):
    with pytest.raises(DatasetError, match=r"no column 'nobody'; its columns are 'file', 'label'"):
        load_image_table(make(tmp_path), **{column: "nobody"})


def test_tables_that_are_none(tmp_path):
    with pytest.raises(FileNotFoundError, match="csv="):
        load_image_table(tmp_path / "labels.csv")
    (tmp_path / "empty.csv").write_text("")
    with pytest.raises(DatasetError, match="an empty file"):
        load_image_table(tmp_path / "empty.csv")
    (tmp_path / "header.csv").write_text("file,label\n")
    with pytest.raises(DatasetError, match=r"header.csv' lists no pictures: it has a header and"):
        load_image_table(tmp_path / "header.csv")
    trees.table(tmp_path / "latin.csv", ("file", "label"), [("é.png", "x")], encoding="latin-1")
    with pytest.raises(DatasetError, match=r"latin.csv', line 2: not in UTF-8. Save"):
        load_image_table(tmp_path / "latin.csv")
    (tmp_path / "twice.csv").write_text("file,label,label\n")
    with pytest.raises(DatasetError, match="'label' more than once"):
        load_image_table(tmp_path / "twice.csv")
    (tmp_path / "torn.csv").write_text('file,label\n"a.png,fear\n')
    with pytest.raises(
        DatasetError, match=r"torn.csv', line 2: not a row of a table: unexpected end"
    ):
        load_image_table(tmp_path / "torn.csv")
    (tmp_path / "picture.csv").write_bytes(trees.png_bytes())
    with pytest.raises(
        DatasetError, match=r"line \d: (not a row of a table|not in UTF-8)|no column"
    ):
        load_image_table(tmp_path / "picture.csv")


def test_rows_without_a_group_are_no_group_of_their_own(tmp_path):
    path = make(tmp_path, [*ROWS[:2], ("C.PNG", "sad", " ", "test")])
    with pytest.raises(DatasetError, match=r"labels.csv, line 4: no group in the column 'person'"):
        load_image_table(path, group_column="person")
    with pytest.warns(DatasetWarning):
        faces = load_image_table(path, group_column="person", on_error="skip")
    assert faces.groups.tolist() == ["Ann", "Bob"]
    assert faces.group_kind == "subjects"
    assert load_image_table(path).group_kind is None
    assert len(load_image_table(path).images) == 3


def labeled(root, labels, **how):
    """Load a table of pictures that have these labels."""
    names = [f"{i}.png" for i in range(len(labels))]
    trees.folder(root, names)
    path = trees.table(root / "t.csv", ("file", "label"), zip(names, labels, strict=True))
    return load_image_table(path, **how)


@pytest.mark.parametrize("mark", sorted(MISSING_WORDS | {"  "}))
def test_missing_labels_are_no_class_and_are_told(tmp_path, mark):
    with pytest.warns(DatasetWarning, match=r"2 of 4 rows have no label in the column 'label'"):
        faces = labeled(tmp_path, ["happy", mark, "bored", mark])
    assert faces.target.tolist() == [4, -1, 8, -1]
    assert faces.class_names.tolist() == ["happiness", "bored"]


@pytest.mark.parametrize("mark", sorted(MISSING_WORDS))
def test_missing_groups_are_no_person(tmp_path, mark):
    path = make(tmp_path, [*ROWS[:2], ("C.PNG", "sad", mark, "test")])
    with pytest.raises(DatasetError, match=r"labels.csv, line 4: no group in the column 'person'"):
        load_image_table(path, group_column="person")


@pytest.mark.parametrize("mark", ["-1", "-1.0", "unlabeled", "Unlabelled"])
@pytest.mark.parametrize(("words", "codes"), [(("sad", "joy"), [6, 4]), (("2", "5"), [2, 5])])
def test_what_is_unlabeled_on_purpose(tmp_path, mark, words, codes):
    faces = labeled(tmp_path, [words[0], mark, words[1]])
    assert faces.target.tolist() == [codes[0], -1, codes[1]]


def test_minus_one_beside_one_other_label_is_a_class(tmp_path):
    faces = labeled(tmp_path, ["-1", "1", "1"])
    assert faces.target_names[faces.target].tolist() == ["-1", "1", "1"]


def test_numbers_among_words_are_told(tmp_path):
    with pytest.warns(DatasetWarning, match=r"are '3', '7', classes of their own beside words"):
        faces = labeled(tmp_path, ["3", "fear", "7"])
    assert faces.target.tolist() == [8, 3, 9]


@pytest.mark.parametrize("write", ["{}", "{}.0"])
def test_whole_numbers_keep_their_meaning(tmp_path, write):
    codes = [7, 0, 3, 7]
    faces = labeled(tmp_path, [write.format(code) for code in codes])
    assert faces.target.tolist() == codes
    assert faces.class_names.tolist() == ["0", "3", "7"]
    assert labeled(tmp_path, [write.format(code) for code in codes], classes=["3"]).target == [3]


def test_what_as_frame_wrote_is_read_again(tmp_path):
    words = ["happy", "unlabeled", "bored", "sad", "bored"]
    trees.folder(tmp_path, [f"{i}.png" for i in range(5)])
    rows = [(f"{i}.png", word, f"S{i}") for i, word in enumerate(words)]
    path = trees.table(tmp_path / "t.csv", ("file", "label", "person"), rows)
    faces = load_image_table(path, group_column="person", as_frame=True)
    faces.frame.to_csv(tmp_path / "again.csv")
    how = {"file_column": "filenames", "group_column": "groups"}
    with pytest.raises(DatasetError, match=r"give label_column='expression'"):
        load_image_table(tmp_path / "again.csv", label_column="target", **how)
    with pytest.warns(DatasetWarning, match="1 of 5 rows have no label"):
        again = load_image_table(tmp_path / "again.csv", label_column="expression", **how)
    for name in ("images", "target", "target_names", "groups", "filenames"):
        np.testing.assert_array_equal(again[name], faces[name])


def test_file_names_in_another_case(tmp_path):
    trees.folder(tmp_path, ["Faces/a.JPG", "Faces/b.png", "Faces/B.PNG"])
    rows = [("Faces/A.jpg", "joy"), ("Faces/b.png", "fear"), ("Faces/B.PNG", "anger")]
    faces = load_image_table(trees.table(tmp_path / "t.csv", ("file", "label"), rows))
    assert faces.filenames.tolist() == ["Faces/a.JPG", "Faces/b.png", "Faces/B.PNG"]


@pytest.mark.parametrize(
    ("row", "told"),
    [
        (
            ("a.png", "fear", "Bob", "train"),
            "'fear of Bob in train' and not 'fear of Ann in",
        ),
        (("a.png", "fear", "Ann", "test"), "'fear of Ann in test' and not 'fear of Ann in train'"),
    ],
)
def test_rows_that_contradict_each_other(tmp_path, row, told):
    trees.folder(tmp_path, ["a.png", "b.png"])
    rows = [("a.png", "fear", "Ann", "train"), ("b.png", "joy", "Ann", "train"), row]
    path = trees.table(tmp_path / "t.csv", ("file", "label", "who", "part"), rows)
    how = {"group_column": "who", "split_column": "part"}
    with pytest.raises(DatasetError, match=told):
        load_image_table(path, **how)
    with pytest.warns(DatasetWarning, match="2 of 3 rows cannot be used"):
        faces = load_image_table(path, **how, on_error="skip")
    assert faces.filenames.tolist() == ["b.png"]


def test_names_for_classes_and_some_parts(tmp_path):
    trees.folder(tmp_path, ["a.png", "b.png", "c.png"])
    rows = [("a.png", "1.0", "train"), ("b.png", "2.0", "train"), ("c.png", "2.0", "dev")]
    path = trees.table(tmp_path / "t.csv", ("file", "label", "part"), rows)
    how = {"split_column": "part", "class_names": {1: "surprise", 2: "fear"}}
    faces = load_image_table(path, **how)
    assert faces.target_names[faces.target].tolist() == ["surprise", "fear", "fear"]
    assert load_image_table(path, **how, subset="val").filenames.tolist() == ["c.png"]


def test_the_label_is_no_person(tmp_path):
    names = [f"{i}.png" for i in range(8)]
    trees.folder(tmp_path, names)
    rows = [(name, "ab"[i % 2]) for i, name in enumerate(names)]
    path = trees.table(tmp_path / "t.csv", ("file", "label"), rows)
    with pytest.warns(DatasetWarning, match="Is that the column of persons"):
        load_image_table(path, group_column="label")


def test_no_part_without_a_column_of_parts(tmp_path):
    trees.folder(tmp_path, ["a.png"])
    path = trees.table(tmp_path / "t.csv", ("file", "label"), [("a.png", "fear")])
    with pytest.raises(ArgumentError, match=r"subset='train': these pictures have no official pa"):
        load_image_table(path, subset="train")


def test_a_table_of_pixels(tmp_path):
    path = trees.table(tmp_path / "t.csv", ("pixels", "label"), [(" ".join("12" * 24), "fear")])
    with pytest.raises(DatasetError, match="as numbers of pixels in the column 'pixels'"):
        load_image_table(path, file_column="pixels")


def test_a_person_called_na_is_told_of(tmp_path):
    trees.folder(tmp_path, ["a.png"])
    path = trees.table(tmp_path / "t.csv", ("file", "label", "who"), [("a.png", "fear", "NA")])
    with pytest.raises(DatasetError, match="where 'NA' stands for no value: write 'Na' if it is"):
        load_image_table(path, group_column="who")


def test_persons_that_are_alike_are_told(tmp_path):
    trees.folder(tmp_path, ["a.png", "b.png"])
    rows = [("a.png", "fear", "1"), ("b.png", "joy", "1.0")]
    path = trees.table(tmp_path / "t.csv", ("file", "label", "who"), rows)
    with pytest.warns(DatasetWarning, match=r"'1' and '1.0' are two groups"):
        load_image_table(path, group_column="who")


def test_warnings_point_at_the_caller_each_time(tmp_path):
    path = make(tmp_path, [*ROWS, ("gone.png", "fear", "", "")])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")  # once for each place
        load_image_table(path, on_error="skip")
        load_image_table(path, on_error="skip")
    assert [w.filename for w in caught] == [__file__] * 2


def test_senseless_arguments(tmp_path):
    path = make(tmp_path)
    for name in ("file_column", "label_column"):
        with pytest.raises(ValueError, match=f"{name}=None is not the name of a column"):
            load_image_table(path, **{name: None})
    table = pd.read_csv(path)
    with pytest.raises(ValueError, match="csv is a DataFrame, not the path of a table: save it"):
        load_image_table(table)
    for size in (np.array([8, 9]), np.array(8), np.int64(8)):
        assert load_image_table(path, image_size=size).images.shape[1] == 8


cell = st.text(
    st.characters(blacklist_categories=("Cs", "Cc"), blacklist_characters="/\\:"), max_size=6
)


@pytest.mark.filterwarnings("ignore::skfer.datasets.DatasetWarning")  # of missing labels
@settings(deadline=None, max_examples=30)
@given(
    labels=st.lists(cell, min_size=1, max_size=6),
    groups=st.lists(cell, min_size=6, max_size=6).filter(
        lambda groups: not any(map(is_missing, groups))
    ),
)
def test_any_labels_and_groups(tmp_path_factory, labels, groups):
    root = tmp_path_factory.mktemp("root")
    names = [f"{i}.png" for i in range(len(labels))]
    trees.folder(root, names)
    with open(root / "t.csv", "w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(
            [("file", "label", "g"), *zip(names, labels, groups, strict=False)]
        )
    faces = load_image_table(root / "t.csv", group_column="g")
    assert faces.filenames.tolist() == names
    assert faces.groups.tolist() == [group.strip() for group in groups[: len(names)]]
    same = faces.target[:, None] == faces.target
    plain = np.array([label.strip() for label in labels], dtype=object)
    assert np.all(same[plain[:, None] == plain])


@pytest.mark.parametrize("name", ["none/labels.csv", "x" * 300 + ".csv"])
def test_a_table_that_is_not_there_is_named_and_not_its_folder(tmp_path, name):
    with pytest.raises(FileNotFoundError, match=r"csv='.*csv' does not exist"):
        load_image_table(tmp_path / name)


PEOPLE = ["Doe, John", "Doe, Jane", "Roe"]


@pytest.mark.parametrize("space", ["", " "])
def test_a_separator_in_quotes_is_none(tmp_path, space):
    """With a space before the quotes, too, as people write tables by hand."""
    trees.folder(tmp_path, ["0.png", "1.png", "2.png"])
    rows = [f'{i}.png,{space}x,{space}"{name}"' for i, name in enumerate(PEOPLE)]
    text = "\n".join([f"file,{space}label,{space}person", *rows])
    (tmp_path / "t.csv").write_text(text)
    faces = load_image_table(tmp_path / "t.csv", group_column="person")
    assert faces.groups.tolist() == PEOPLE


def test_a_separator_without_quotes_is_told(tmp_path):
    """Else what follows it would be in the wrong column, or two persons would be one."""
    trees.folder(tmp_path, ["0.png", "1.png", "2.png"])
    rows = [f"{i}.png,x,{name}" for i, name in enumerate(PEOPLE)]
    (tmp_path / "t.csv").write_text("\n".join(["file,label,person", *rows]))
    with pytest.raises(DatasetError, match=r"line 2: more cells .*'John' .* double quotes"):
        load_image_table(tmp_path / "t.csv", group_column="person")
    with pytest.warns(DatasetWarning):
        faces = load_image_table(tmp_path / "t.csv", group_column="person", on_error="skip")
    assert faces.groups.tolist() == ["Roe"]
    (tmp_path / "t.csv").write_text("file,label\n0.png,x,,\n1.png,y, ,\n")  # as spreadsheets end
    assert len(load_image_table(tmp_path / "t.csv").images) == 2


@pytest.mark.parametrize(
    ("word", "part"),
    [
        ("Train", "train"),
        ("Training", "train"),
        ("val", "validation"),
        ("VALIDATION", "validation"),
        ("PublicTest", "validation"),
        ("PrivateTest", "test"),
        ("test", "test"),
        ("fold 3", "fold 3"),
    ],
)
def test_parts_have_their_usual_names(tmp_path, word, part):
    rows = [(*row[:3], word) for row in ROWS]
    faces = load_image_table(make(tmp_path, rows), split_column="part")
    assert faces.split.tolist() == [part] * 3


def test_accents_may_be_written_in_two_ways(tmp_path):
    """An archive made on macOS has them apart from their letters."""
    one, other = (unicodedata.normalize(form, "Zoë") for form in ("NFC", "NFD"))
    trees.folder(tmp_path, [f"{other}.png", "b.png"])
    rows = [(f"{one}.png", "fear", one), ("b.png", "anger", other)]
    path = trees.table(tmp_path / "labels.csv", ("file", "label", "person"), rows)
    faces = load_image_table(path, group_column="person")
    assert faces.groups.tolist() == [one, one]
    assert faces.filenames.tolist() == [f"{other}.png", "b.png"]


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"PK\x03\x04rest", "a workbook (such as .xlsx) or an archive"),
        (b"PAR1rest", "a parquet file"),
        (b"\x1f\x8brest", "compressed by gzip"),
        ("file,label\n".encode("utf-16"), "a text in UTF-16"),
    ],
)
def test_tables_that_are_no_text_are_told_as_what_they_are(tmp_path, content, kind):
    (tmp_path / "labels.csv").write_bytes(content)
    with pytest.raises(DatasetError) as caught:
        load_image_table(tmp_path / "labels.csv")
    assert f"{kind}. Save the table as CSV, in UTF-8." in str(caught.value)


@pytest.mark.parametrize("above", ["\n", ";;\n\n", "sep=;\n", "\nsep=;\n"])
def test_what_stands_above_the_header_is_passed_over(tmp_path, above):
    make(tmp_path)
    path = tmp_path / "labels.csv"
    wanted = load_image_table(path).filenames.tolist()
    path.write_text(above + path.read_text().replace(",", ";"))
    assert load_image_table(path).filenames.tolist() == wanted


EXTRA = ("valence", "happy", "note", "blank")


def with_extra(root, rows):
    lines = [(*row, *more) for row, more in zip(ROWS, rows, strict=True)]
    return make(root, lines, (*HEADER, *EXTRA))


def test_further_columns_are_numbers_or_words(tmp_path):
    table = with_extra(
        tmp_path,
        [("0.5", "3", "good", ""), ("-1e-1", "NA", "2", " "), ("", "12", "", "None")],
    )
    faces = load_image_table(table, extra_columns=iter(EXTRA), as_frame=True)
    np.testing.assert_array_equal(faces.valence, [0.5, -0.1, np.nan])
    np.testing.assert_array_equal(faces.happy, [3, np.nan, 12])
    assert faces.note.tolist() == ["good", "2", ""]
    assert faces.blank is None
    np.testing.assert_array_equal(faces.frame["valence"], faces.valence)
    assert faces.frame["note"].tolist() == ["good", "2", ""]
    faces = load_image_table(
        table, extra_columns=["valence"], subgroup_column="note", classes=["anger"]
    )
    assert (faces.valence.tolist(), faces.subgroup.tolist()) == ([-0.1], ["2"])


def test_further_columns_that_cannot_be(tmp_path):
    table = with_extra(tmp_path, [("1", "2", "3", "4")] * 3)
    with pytest.raises(DatasetError, match=r"no column 'age'; .* Give extra_columns\.$"):
        load_image_table(table, extra_columns=["valence", "age"])
    with pytest.raises(ArgumentError, match="extra_columns has 'target', which is something else"):
        load_image_table(table, extra_columns=["target"])
    with pytest.raises(ArgumentError, match="extra_columns has 3, which is no name"):
        load_image_table(table, extra_columns=[3])
    with pytest.raises(ArgumentError, match="extra_columns must be a list of names"):
        load_image_table(table, extra_columns="valence")


def test_names_that_a_bunch_has_are_taken(tmp_path):
    faces = load_image_table(make(tmp_path), subgroup_column="part", as_frame=True)
    for name in {*faces, *faces.frame.columns}:
        with pytest.raises(ArgumentError, match="something else in a Bunch"):
            load_image_table(tmp_path / "labels.csv", extra_columns=[name])


def test_subgroups_are_words_of_their_own_column(tmp_path):
    rows = [(*row, cell) for row, cell in zip(ROWS, (" young ", "NA", "3"), strict=True)]
    table = make(tmp_path, rows, (*HEADER, "age"))
    faces = load_image_table(table, subgroup_column="age", as_frame=True)
    assert faces.subgroup.tolist() == ["young", "", "3"]  # numbers name subgroups too
    assert faces.frame["subgroup"].tolist() == ["young", "", "3"]
    assert "age" not in faces
    assert load_image_table(table).get("subgroup") is None
    with pytest.raises(DatasetError, match=r"no column 'sex'; .* Give subgroup_column\.$"):
        load_image_table(table, subgroup_column="sex")
    with pytest.raises(ArgumentError, match=r"subgroup_column=3 is not the name of a column"):
        load_image_table(table, subgroup_column=3)
