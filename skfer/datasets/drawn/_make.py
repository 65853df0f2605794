"""Drawn faces whose expressions, action units and people are known."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from sklearn.utils import Bunch, check_random_state

from skfer.datasets._bunch import make_bunch
from skfer.datasets._vocabulary import EXPRESSIONS
from skfer.datasets.drawn._camera import take_pictures
from skfer.datasets.drawn._descr import DESCR
from skfer.datasets.drawn._draws import SUBCLASS_NAMES, Draws, draw_faces_at_random, rows_kept
from skfer.datasets.drawn._model import (
    ACTION_UNITS,
    MIRRORED,
    action_unit_table,
    attributes,
    identity_from_bells,
)
from skfer.datasets.drawn._render import PART_NAMES
from skfer.exceptions import ArgumentError
from skfer.validation import as_list, check_flag, check_int, check_random_seed, check_real, shown

# How much one person's action units differ from time to time, as a share of their intensity.
_UNIT_JITTER = 0.15
_MOST = 1_000_000


def make_expressions(
    n_subjects: int = 50,
    n_samples_per_expression: int = 3,
    *,
    image_size: int = 48,
    color: bool = False,
    classes: Sequence[str] | None = None,
    proportions: Mapping[str, float] | None = None,
    intensity_range: tuple[float, float] = (0.65, 1.0),
    nuisance: float = 1.0,
    random_state: int | np.random.RandomState | None = None,
    return_parts: bool = False,
    return_X_y: bool = False,
    as_frame: bool = False,
) -> Any:
    """Draw faces that show expressions: a data set to learn on with nothing to download.

    Each face has a person's traits, the action units of its expression, and a pose, light, blur,
    grain and sometimes an occluding disc of its own. Persons differ more than expressions do, so
    that a classifier has to generalize to persons it has not seen.

    The same seed gives the same bytes on every machine. A larger set holds the smaller one of
    the same seed, and another ``classes``, ``proportions``, ``image_size``, ``color`` or
    ``nuisance`` shows the same persons.

    Parameters
    ----------
    n_subjects : int, default=50
        Number of persons.
    n_samples_per_expression : int, default=3
        Number of faces that each person shows of each expression. Sub-classes take turns.
    image_size : int, default=48
        Height and width of the pictures in pixels, from 16 to 1024.
    color : bool, default=False
        Draw in color, (n, H, W, 3) red-green-blue, instead of gray, (n, H, W).
    classes : sequence of str, default=None
        Which of anger, contempt, disgust, fear, happiness, neutral, sadness and surprise to draw;
        all by default. Codes do not depend on it.
    proportions : mapping of str to float, default=None
        Share in (0, 1] of the faces of an expression to keep; those not named are kept whole.
        ``{"contempt": 0.1, "disgust": 0.2}`` makes a set as skewed as faces in the wild are. At
        least one face of each expression stays.
    intensity_range : tuple of float, default=(0.65, 1.0)
        Lowest and highest intensity, in [0, 1], of expressions.
    nuisance : float, default=1.0
        Strength of pose, light, blur, grain and occlusion; 0 for clean pictures.
    random_state : int, RandomState instance or None, default=None
        Seed of all draws. None draws a new set each time, from the operating system's entropy;
        numpy's global generator is neither read nor moved.
    return_parts : bool, default=False
        Also return which part of the face every pixel shows.
    return_X_y : bool, default=False
        Return ``(data, target)`` instead of a Bunch.
    as_frame : bool, default=False
        Add ``frame``, a pandas DataFrame with a row for each face, without its pixels.

    Returns
    -------
    faces : :class:`~sklearn.utils.Bunch`
        With n faces, ordered by person, then expression:

        images : uint8 ndarray of shape (n, image_size, image_size) or (..., 3)
            The pictures.
        data : uint8 ndarray of shape (n, n_pixels)
            View of the pictures as rows.
        target : int64 ndarray of shape (n,)
            Codes of expressions: indices into ``target_names``.
        target_names : ndarray of shape (8,)
            The vocabulary that all data sets of this package share.
        class_names : ndarray of str
            The names of the classes that were drawn, in the order of ``np.unique(target)``.
        groups : int64 ndarray of shape (n,)
            Number of the person.
        group_kind : str
            "subjects".
        subclass : int64 ndarray of shape (n,)
            Kind of the expression (a smile that is closed, a smile that is open ...): indices into
            ``subclass_names``.
        subclass_names : ndarray of shape (16,)
            Names as "happiness/closed".
        action_units : float64 ndarray of shape (n, 20)
            Intensity of every action unit, from 0 to 1.
        action_unit_names : ndarray of shape (20,)
            Names as "AU1", "AU12L"; L and R are the subject's own left and right.
        intensity : float64 ndarray of shape (n,)
            Intensity of the expression, 0 for a face at rest.
        glasses : bool ndarray of shape (n,)
            Whether the person wears glasses.
        beard : float64 ndarray of shape (n,)
            How dense the person's beard is, from 0 (none) to 1.
        skin : float64 ndarray of shape (n,)
            Tone of the person's skin as a gray value, from 0 (black) to 1.
        parts : uint8 ndarray of shape (n, image_size, image_size)
            Index into ``part_names`` for every pixel; only with ``return_parts=True``.
        part_names : ndarray of shape (8,)
            Background, hair, skin, brows, eyes, nose, mouth, occluder; only with
            ``return_parts=True``. Brows, eyes, nose and mouth are regions: they reach a little
            beyond what is painted.
        frame : DataFrame or None
            With ``as_frame=True``: groups, target, expression, subclass, intensity, glasses,
            beard, skin and a column for each action unit.
        DESCR : str
            What the set is and how hard it was measured to be.

    (data, target) : tuple if ``return_X_y=True``

    Raises
    ------
    ArgumentError
        If a parameter is of the wrong kind or out of its range.

    See Also
    --------
    draw_portraits : Faces as a camera sees them, for networks to learn from.
    skfer.evaluation.subgroup_report : Whom a model fails, such as persons with a beard.
    load_image_folder : Faces of your own.

    Notes
    -----
    What units each expression moves follows the prototypes of EMFACS [2]_; the sub-classes, the
    shares of the units and how far each moves the drawing are our reading.

    References
    ----------
    .. [1] P. Ekman, W. V. Friesen, J. C. Hager. "Facial Action Coding System". Research Nexus,
       2002.
    .. [2] W. V. Friesen, P. Ekman. "EMFACS-7: Emotional Facial Action Coding System". University
       of California, 1983.

    Examples
    --------
    >>> from skfer.datasets import make_expressions
    >>> faces = make_expressions(n_subjects=2, n_samples_per_expression=1, random_state=0)
    >>> faces.images.shape, faces.images.dtype
    ((16, 48, 48), dtype('uint8'))
    >>> faces.target_names[faces.target[:4]].tolist()
    ['anger', 'contempt', 'disgust', 'fear']
    >>> faces.groups.tolist() == [0] * 8 + [1] * 8
    True
    """
    check_int(n_subjects, "n_subjects", at_least=1, at_most=_MOST)
    check_int(n_samples_per_expression, "n_samples_per_expression", at_least=1, at_most=_MOST)
    check_int(image_size, "image_size", at_least=16, at_most=1024)
    check_flag(color, "color", hint="True is RGB, False is gray.")
    names = _checked_classes(classes)
    shares = _checked_proportions(proportions, names)
    low, high = _checked_range(intensity_range)
    check_real(nuisance, "nuisance", at_least=0, at_most=5, hint="0 is clean pictures.")
    check_flag(return_parts, "return_parts")
    check_flag(return_X_y, "return_X_y")
    check_flag(as_frame, "as_frame")
    seed = check_random_seed(random_state)
    # scikit-learn takes numpy's global generator for None, which is to be left alone.
    rng = np.random.RandomState() if seed is None else check_random_state(seed)
    if return_parts and return_X_y:
        raise ArgumentError("{return_parts=True} needs the Bunch: leave out {return_X_y=True}.")
    draws = draw_faces_at_random(n_subjects, n_samples_per_expression, rng)
    kept = rows_kept(draws, names, shares)
    draws = {name: values[kept] for name, values in draws.items()}
    share = _shares_of_units(draws)
    intensity = low + (high - low) * draws["intensity"]
    jitter = 1 + _UNIT_JITTER * draws["unit_jitter"]
    units = np.clip(share * intensity[:, None] * jitter, 0.0, 1.0)
    images, parts = take_pictures(draws, units, image_size, color, nuisance)
    if return_X_y:
        return images.reshape(len(images), -1), draws["target"]
    faces = _bunch(draws, images, np.where(share.any(axis=1), intensity, 0.0), units, as_frame)
    if return_parts:
        faces.update(parts=parts, part_names=np.array(PART_NAMES))
    return faces


def _shares_of_units(draws: Draws) -> np.ndarray:
    """Return the action units of each face at intensity 1."""
    share = action_unit_table()[draws["subclass"]]
    return np.where(draws["mirrored"][:, None] < 0.5, share[:, MIRRORED], share)


def _bunch(
    draws: Draws, images: np.ndarray, intensity: np.ndarray, units: np.ndarray, as_frame: bool
) -> Bunch:
    columns = {
        "groups": draws["subject"],
        "subclass": draws["subclass"],
        "intensity": intensity,
        "action_units": units,
        **attributes(identity_from_bells(draws["identity"])),
    }
    faces = make_bunch(
        images,
        draws["target"],
        target_names=EXPRESSIONS,
        descr=DESCR,
        columns=columns,
        as_frame=as_frame,
        group_kind="subjects",
        subclass_names=np.array(SUBCLASS_NAMES),
        action_unit_names=np.array(ACTION_UNITS),
    )
    if as_frame:
        faces.frame[list(ACTION_UNITS)] = units
    return faces


def _checked_classes(classes: Any) -> tuple[str, ...]:
    if classes is None:
        return EXPRESSIONS
    names = tuple(as_list(classes, "classes", "names"))
    _check_known("classes", names, EXPRESSIONS)
    if not names or len(set(names)) < len(names):
        raise ArgumentError("{classes} must name at least one, each once, got {}.", list(names))
    return names


def _checked_proportions(proportions: Any, names: tuple[str, ...]) -> dict[str, float]:
    if proportions is None:
        return {}
    if not isinstance(proportions, Mapping):
        raise ArgumentError(
            "{proportions} must map names of expressions to shares, got {}.", shown(proportions)
        )
    _check_known("proportions", tuple(proportions), names)
    return {
        name: check_real(share, f"proportions.{name}", above=0, at_most=1)
        for name, share in proportions.items()
    }


def _check_known(argument: str, given: tuple[Any, ...], known: tuple[str, ...]) -> None:
    unknown = [name for name in given if not isinstance(name, str) or name not in known]
    if unknown:
        raise ArgumentError(
            f"{{{argument}}} names {{}}, not among those drawn: {{}}.", shown(unknown), list(known)
        )


def _checked_range(intensity_range: Any) -> tuple[float, float]:
    try:
        low, high = (float(value) for value in intensity_range)
    except (TypeError, ValueError):
        raise ArgumentError(
            "{intensity_range} must be a pair of numbers, got {}.", shown(intensity_range)
        ) from None
    if not 0 <= low <= high <= 1:
        raise ArgumentError(
            "{intensity_range} must be (low, high) with 0 <= low <= high <= 1, got {}.", (low, high)
        )
    return low, high
