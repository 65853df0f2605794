"""The part of a loader's docstring that is the same for all."""

from collections.abc import Callable
from typing import TypeVar

F = TypeVar("F", bound=Callable)

SHARED_TEXTS = {
    "{size}": """\
image_size : int or (height, width), default=48
        Every picture is brought to exactly this many pixels (an aspect ratio other than that of
        the picture stretches it). None keeps the size, which must then be the same for all.
    color : bool, default=False
        RGB instead of gray.
    classes : iterable of str, default=None
        Load these classes only. They keep their codes.""",
    "{parts}": """\
subset : str or iterable of str, default=None
        Load these official parts only, of "train", "validation" and "test". What is wrong in
        another part does no harm.""",
    "{subjects}": """\
subset : str or iterable of str, default=None
        Load these subjects only; the set has no official parts.""",
    "{detector}": """\
detector : FaceDetector, callable or "default", default=None
        Cut the largest face out of each picture (see :class:`skfer.preprocessing.FaceAligner`).
        One without a face cannot be used; a warning names those with several. "default" needs the
        extra ``detect``.""",
    "{rest}": """\
cache_dir : str or path-like, default=None
        Keep the decoded pictures in this folder and open them memory-mapped, at once, the next
        time. A changed file or parameter makes a new cache; old ones may be deleted.
    n_jobs : int, default=None
        Threads that decode, as in joblib: None is 1, -1 all cores.
    on_error : {"raise", "skip"}, default="raise"
        Whether what cannot be used (files, labels) is an error, or is left out with a warning and
        listed in `skipped`. The first few and the total are told in either case.
    return_X_y : bool, default=False
        Return `(data, target)` instead of a Bunch.
    as_frame : bool, default=False
        Add `frame`, a pandas DataFrame with a row for each picture, without its pixels.
    verbose : bool or int, default=False
        Show a progress bar on stderr.""",
    "{bunch}": """\
images : ndarray of shape (n_images, height, width) or (n_images, height, width, 3)
            uint8; memory-mapped and read-only with `cache_dir`.
        data : ndarray of shape (n_images, n_pixels)
            A flat view of `images`.
        target : ndarray of shape (n_images,)
            The codes that mean the same in every data set: anger 0, contempt 1, disgust 2,
            fear 3, happiness 4, neutral 5, sadness 6, surprise 7; -1 where there is no label.
        target_names : ndarray of str of shape (8,)
            `target_names[code]` is the word for a code.
        class_names : ndarray of str
            The words for the classes that are there, in the order of their codes: those of
            `np.unique(target)` without -1.
        groups, sequence, split : ndarray of shape (n_images,) or None
            Subject, image sequence and official part, where the set has them.
        group_kind : str or None
            What `groups` are: "subjects", "films" or "different images".
        filenames : ndarray of str of shape (n_images,)
            Relative to `root`, with forward slashes.
        root : str
            The folder.
        skipped : list of (where, what)
            What was left out, and why.
        frame : DataFrame or None
            With `as_frame=True`.
        DESCR : str
            Size, origin, citation and license terms.""",
    "{raises}": """\
DatasetError
        The tree has no known layout, or labels or files cannot be used.
    FileNotFoundError, NotADirectoryError
        `root` is no folder.
    ValueError
        An argument makes no sense.""",
}


def documented(function: F) -> F:
    """Fill in the shared parts of a docstring."""
    text = function.__doc__ or ""
    for mark, shared in SHARED_TEXTS.items():
        text = text.replace(mark, shared)
    function.__doc__ = text
    return function
