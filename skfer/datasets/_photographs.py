"""Photographs as a data set: of each the largest face, cut out when it is loaded."""

from collections.abc import Callable
from dataclasses import replace
from os import PathLike
from typing import Any

from skfer.datasets._aligned import detecting_reader
from skfer.datasets._listing import Listing
from skfer.datasets._loading import Options, load
from skfer.datasets._tree import Tree
from skfer.exceptions import ArgumentError, shorten, warn_caller
from skfer.pictures import N_SHOWN, DatasetWarning
from skfer.preprocessing import FaceDetector, FunctionDetector, as_detector

Detector = FaceDetector | Callable | str | None


def load_detected(
    root: str | PathLike[str],
    lister: Callable[[Tree], Listing],
    options: Options,
    detector: Detector,
) -> Any:
    """Load a data set as `load` does, with the faces cut out of photographs if there is a detector.

    Warns of photographs with several faces.
    """
    if detector is None:
        return load(root, lister, options)
    found = as_detector(detector)
    if options.cache_dir is not None and isinstance(found, FunctionDetector):
        raise ArgumentError("{cache_dir} cannot tell two functions apart: give a FaceDetector.")
    several: list[str] = []
    key = found.fingerprint()  # its text leaves out the middle of long parameters

    def detecting_lister(tree: Tree) -> Listing:
        reader = detecting_reader(tree, found, several)
        return replace(lister(tree), read=reader, reader_key=f"faces found by {key}")

    faces = load(root, detecting_lister, options)
    if several:
        names = ", ".join(sorted(several)[:N_SHOWN])
        text = "pictures with several faces, of which the largest was taken ({}): {}."
        warn_caller(DatasetWarning(text, f"{len(several):,}", shorten(names)))
    return faces


def whole_pictures(align: bool | str) -> bool:
    """Return what `align` must be where a detector cuts out faces; refuse another given value."""
    if align not in (False, "auto"):
        raise ArgumentError("{detector} cuts faces out of whole pictures: give {align=False} too.")
    return False
