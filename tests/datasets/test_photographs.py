"""Photographs in class folders: the largest face of each is cut out."""

import numpy as np
import pytest
from helpers import trees
from PIL import Image

from skfer.datasets import (
    DatasetError,
    DatasetWarning,
    load_bu3dfe,
    load_image_folder,
    load_mmi,
    load_raf_db,
    load_sfew,
)
from skfer.preprocessing import FaceAligner, FaceDetector, Faces


class Detector(FaceDetector):
    """As many faces as the brightness of the picture says."""

    def find(self, image):
        boxes = [(5, 10, 25, 30), (30, 10, 60, 40)][: image[0, 0, 0]]
        return Faces(boxes, np.ones(len(boxes)))


@pytest.fixture
def root(tmp_path):
    for name, value in (("fear/one.png", 1), ("sad/two.png", 2)):
        trees.picture(tmp_path / "faces" / name, (50, 80), value=value)
    return tmp_path / "faces"


@pytest.mark.parametrize("cached", [False, True])
def test_faces_are_cut_out_as_the_aligner_does(root, tmp_path, cached):
    how = {"cache_dir": tmp_path / "cache"} if cached else {}
    told = r"pictures with several faces.* \(1\): sad/two\.png"
    with pytest.warns(DatasetWarning, match=told) as w:
        faces = load_image_folder(root, detector=Detector(), **how)
    assert w[0].filename == __file__
    paths = [root / name for name in faces.filenames]
    expected = FaceAligner(detector=Detector(), color=False).transform(paths)
    np.testing.assert_array_equal(faces.images, expected)
    if cached:
        again = load_image_folder(root, detector=Detector(), **how)
        np.testing.assert_array_equal(again.images, expected)


def test_a_photograph_without_a_face_cannot_be_used(root):
    trees.picture(root / "sad/none.png", (50, 80), value=0)
    with pytest.raises(DatasetError, match=r"sad/none\.png: the detector found no face in it"):
        load_image_folder(root, detector=Detector())
    with pytest.warns(DatasetWarning):
        faces = load_image_folder(root, detector=Detector(), on_error="skip")
    assert faces.filenames.tolist() == ["fear/one.png", "sad/two.png"]
    assert [where for where, _ in faces.skipped] == ["sad/none.png"]


def test_senseless_arguments(root, tmp_path):
    with pytest.raises(ValueError, match="detector='best' is no detector"):
        load_image_folder(root, detector="best")
    with pytest.raises(ValueError, match="image_size=None: faces cut out of photographs"):
        load_image_folder(root, detector=Detector(), image_size=None)
    with pytest.raises(ValueError, match="cache_dir cannot tell two functions apart"):
        load_image_folder(root, detector=lambda image: None, cache_dir=tmp_path)


def _photograph(path):
    """Write a dark picture with a bright part where Detector finds its one face."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = np.full((50, 80), 1, dtype=np.uint8)
    image[16:24, 8:16] = 200
    Image.fromarray(image).save(path, quality=100)


def _mmi(root):
    for i in range(3):
        _photograph(root / "7" / f"S001-100_{i}.png")
    (root / "7/S001-100.xml").write_text('<Data><Metatag Name="Emotion" Value="4"/></Data>')


def _sfew(root):
    for folder in ("Train", "Val", "Train_Aligned_Faces", "Val_Aligned_Faces"):
        name = "Happy/Airheads" if "Train" in folder else "Sad/Blink"
        _photograph(root / folder / f"{name}_000519240_00000005.png")


def _bu3dfe(root):
    _photograph(root / "F0001_HA01WH_F2D.png")


def _raf_db(root):
    trees.raf_db(root, [("train_00001.jpg", 4)])
    _photograph(root / "Image/original/train_00001.jpg")


@pytest.mark.parametrize(
    ("make", "loader", "how"),
    [
        (_mmi, load_mmi, {"frames": "all"}),
        (_sfew, load_sfew, {"align": "auto"}),
        (_bu3dfe, load_bu3dfe, {}),
        (_raf_db, load_raf_db, {"align": False}),
    ],
)
def test_published_sets_of_whole_pictures(tmp_path, make, loader, how):
    make(tmp_path)
    faces = loader(tmp_path, detector=Detector(), **how)
    paths = [tmp_path / name for name in faces.filenames]
    expected = FaceAligner(detector=Detector(), color=False).transform(paths)
    np.testing.assert_array_equal(faces.images, expected)
    assert all("Aligned" not in name for name in faces.filenames)
    assert not np.array_equal(loader(tmp_path, **how).images, expected)


@pytest.mark.parametrize(
    ("make", "loader", "how"),
    [(_sfew, load_sfew, {"align": True}), (_raf_db, load_raf_db, {})],
)
def test_faces_are_not_looked_for_in_aligned_ones(tmp_path, make, loader, how):
    make(tmp_path)
    with pytest.raises(ValueError, match="detector cuts faces out of whole pictures: give align="):
        loader(tmp_path, detector=Detector(), **how)


class Known(FaceDetector):
    """The face is where it was told for a brightness."""

    def __init__(self, boxes=None):
        self.boxes = boxes

    def find(self, image):
        return Faces(self.boxes[image[0, 0, 0]][None], [1.0])


def test_a_cache_is_of_all_of_a_detector(tmp_path):
    """Also of what the text of one leaves out: the middle of a long array."""
    gradient = np.arange(80 * 50, dtype=np.uint16).reshape(50, 80) % 251
    for i, name in enumerate(("fear/a.png", "sad/b.png")):
        path = tmp_path / "faces" / name
        path.parent.mkdir(parents=True)
        Image.fromarray(np.r_[[[128] * 80], gradient[1:] + i].astype(np.uint8)).save(path)
    before = np.tile((5.0, 10, 25, 30), (256, 1))
    after = before.copy()
    after[128] += 20
    assert repr(Known(before)) == repr(Known(after))
    loaded = {}
    for how in ({"cache_dir": tmp_path / "cache"}, {}):
        for name, boxes in (("before", before), ("after", after)):
            faces = load_image_folder(tmp_path / "faces", detector=Known(boxes), **how)
            loaded.setdefault(name, []).append(np.array(faces.images))
    for cached, plain in loaded.values():
        np.testing.assert_array_equal(cached, plain)
    assert not np.array_equal(*(images[0] for images in loaded.values()))


def test_what_no_face_can_be_is_told_with_its_file(root):
    class Oblong(FaceDetector):
        def find(self, image):
            return Faces([(0, 0, 60, 5)], [1.0])

    with pytest.raises(DatasetError, match=r"fear/one\.png: its face cannot be cut out: box is"):
        load_image_folder(root, detector=Oblong())
