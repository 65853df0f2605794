"""load_bu3dfe."""

import pytest
from helpers import trees
from hypothesis import given, settings
from hypothesis import strategies as st

from skfer.datasets import DatasetError, DatasetWarning, load_bu3dfe

NAMES = [
    "F0001/F0001_AN01WH_F2D.bmp",
    "F0001/F0001_NE00WH_F2D.bmp",
    "F0001/F0001_SU04WH_F2D.bmp",
    "M0044/M0044_HA03AE_F2D.BMP",
]


@pytest.mark.parametrize("outer", ["", "BU_3DFE/", "data/BU_3DFE/"])
def test_names_tell_everything(tmp_path, outer):
    made = trees.named(tmp_path, [outer + name for name in NAMES])
    for name in ("F0001_AN01WH_F3D.bmp", "F0001_AN01WH_RAW.wrl", "readme.txt"):
        (tmp_path / outer / "F0001" / name).write_text("")
    faces = load_bu3dfe(tmp_path)
    trees.check_pixels(faces, made)
    assert faces.images.shape == (4, 48, 48)
    assert faces.target.tolist() == [0, 5, 7, 4]
    assert faces.groups.tolist() == ["F0001"] * 3 + ["M0044"]
    assert faces.intensity.tolist() == [1, 0, 4, 3]
    assert faces.race.tolist() == ["WH", "WH", "WH", "AE"]


def test_intensities(tmp_path):
    trees.named(tmp_path, NAMES)
    assert load_bu3dfe(tmp_path, intensities=(3, 4)).intensity.tolist() == [0, 4, 3]
    assert load_bu3dfe(tmp_path, subset="M0044").target.tolist() == [4]
    with pytest.raises(ValueError, match="intensities must be"):
        load_bu3dfe(tmp_path, intensities=[5])


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("F0001/F0057_AN01WH_F2D.bmp", "F0057 is not among"),
        ("M0044/M0045_AN01WH_F2D.bmp", "M0045 is not among"),
        ("F0001/F0000_AN01WH_F2D.bmp", "F0000 is not among"),
        ("F0001/F0002_AN01WH_F2D.bmp", "in the folder of F0001 but of F0002"),
        ("F0001/more/F0002_AN01WH_F2D.bmp", "in the folder of F0001 but of F0002"),
        ("copy/F0001/F0001_AN01WH_F2D.bmp", "again, as in"),
        ("F0001/F0001_XX01WH_F2D.bmp", "not named like"),
        ("F0001/F0001_F2D.bmp", "not named like"),
        ("F0001/F0001_AN05WH_F2D.bmp", "intensity 05 does not belong to AN"),
        ("F0001/F0001_AN00WH_F2D.bmp", "intensity 00 does not belong to AN"),
        ("F0001/F0001_NE01WH_F2D.bmp", "intensity 01 does not belong to NE"),
        ("F0001/F0001_AN01WH_F2D.png", "again, as in F0001/F0001_AN01WH_F2D.bmp"),
    ],
)
def test_faulty_names(tmp_path, name, message):
    trees.named(tmp_path, [*NAMES, name])
    with pytest.raises(DatasetError, match=rf"1 of 5 files.*\n.*{message}"):
        load_bu3dfe(tmp_path)
    with pytest.warns(DatasetWarning):
        assert len(load_bu3dfe(tmp_path, on_error="skip").images) == 4


def test_no_bu3dfe(tmp_path):
    trees.named(tmp_path, ["faces/a.bmp"])
    with pytest.raises(DatasetError, match="no BU-3DFE in a known layout"):
        load_bu3dfe(tmp_path)


@pytest.mark.parametrize("men", ["M/", "data/men/", "F0001/"])
def test_subjects_at_any_depth(tmp_path, men):
    names = [men + name if name.startswith("M") else name for name in NAMES]
    if men == "F0001/":
        names[3] = "F0001/Happy/F0001_HA03AE_F2D.BMP"
    made = trees.named(tmp_path, names)
    faces = load_bu3dfe(tmp_path)
    trees.check_pixels(faces, made)
    assert sorted(faces.filenames) == sorted(names)


@pytest.mark.parametrize("outer", ["", "faces/"])
def test_pictures_without_folders_of_subjects(tmp_path, outer):
    made = trees.named(tmp_path, [outer + name.partition("/")[2] for name in NAMES])
    (tmp_path / outer / "F0001_AN01WH_F3D.bmp").write_text("")
    faces = load_bu3dfe(tmp_path)
    trees.check_pixels(faces, made)
    assert faces.target.tolist() == [0, 5, 7, 4]
    assert faces.groups.tolist() == ["F0001"] * 3 + ["M0044"]


@pytest.mark.parametrize("intensities", [3, "34", [5], [0], ["3"], 0])
def test_intensities_that_are_none(tmp_path, intensities):
    with pytest.raises(ValueError, match="intensities must be"):
        load_bu3dfe(tmp_path, intensities=intensities)


@settings(deadline=None, max_examples=10)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["F0001", "F0056", "M0001", "M0044"]),
            st.sampled_from(["AN", "DI", "FE", "HA", "NE", "SA", "SU"]),
            st.integers(1, 4),
            st.sampled_from(["WH", "AE", "BL", "LA"]),
        ),
        min_size=1,
        max_size=6,
        unique=True,
    )
)
def test_any_names(tmp_path_factory, rows):
    root = tmp_path_factory.mktemp("bu")
    parts = [(s, c, 0 if c == "NE" else level, race) for s, c, level, race in rows]
    names = sorted({f"{s}/{s}_{c}{level:02d}{race}_F2D.bmp" for s, c, level, race in parts})
    made = trees.named(root, names)
    faces = load_bu3dfe(root, image_size=8)
    trees.check_pixels(faces, made)
    assert faces.filenames.tolist() == names
    for name, subject, code, level, race in zip(
        names, faces.groups, faces.target, faces.intensity, faces.race, strict=True
    ):
        start = faces.target_names[code][:2].upper()
        assert name == f"{subject}/{subject}_{start}{level:02d}{race}_F2D.bmp"
