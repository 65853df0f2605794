"""Saving and loading of a fitted model."""

import os
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from skfer.embedders._devices import check_device
from skfer.embedders.composed._within import embedders_in
from skfer.exceptions import ModelFileError, one_line
from skfer.persistence._card import card_text, facts_of
from skfer.persistence._codec import Decoder, Encoder, names_in
from skfer.persistence._file import (
    MAX_BYTES,
    Source,
    check_path,
    check_source,
    place_told,
    read_file,
    told_as,
    write_file,
)
from skfer.persistence._known import check_names, check_trusted
from skfer.validation import refusal, shown


def save(
    model: BaseEstimator,
    path: str | os.PathLike[str],
    *,
    card: Mapping[str, Any] | None = None,
) -> None:
    """Keep a fitted model in a file that can be loaded without running code from it.

    The file holds all arrays as safetensors and everything else as JSON. It is written whole or
    not at all: an older file of the name stays until the new one is complete.

    Of an embedder it keeps all parameters but ``callbacks``, ``checkpoint``, and ``scoring`` where
    that holds functions: set them again before what is loaded learns more.

    Parameters
    ----------
    model : estimator
        A fitted embedder, or a pipeline of one, or of a union of several, with scikit-learn's own
        steps (scalers, decompositions, nearest neighbors, support vector machines, linear and
        Gaussian classifiers, calibration ...).
    path : path-like
        The file to write, such as "smile.skfer".
    card : mapping of str to object, default=None
        What JSON can hold and :func:`model_card` shall tell beside what the model knows of itself:
        ``name``, ``license``, ``data`` (``name`` and ``terms`` of the data set), ``scores``,
        ``notes`` ... By default that of the model, as its ``card_``: a loaded one has it.

    Raises
    ------
    ArgumentError
        If `model` is no estimator, `path` no path, or `card` no mapping.
    TypeError
        If a part of the model cannot be saved: a function without a name, an estimator that keeps
        its state in compiled code or in objects of its own (trees and forests, stochastic gradient
        descent, perceptrons), a search (save its ``best_estimator_``); or a value of the card that
        is neither text nor numbers, lists or dicts. Its place and type are named.
    sklearn.exceptions.NotFittedError
        If the model is not fitted.
    OSError
        If the file cannot be written.

    Warns
    -----
    UserWarning
        If an embedder has callbacks without which it may train on otherwise: all but those whose
        class says ``only_watches = True``.

    See Also
    --------
    load : Load it again.
    model_card : What is known of a model.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from sklearn.neighbors import KNeighborsClassifier
    >>> from sklearn.pipeline import make_pipeline
    >>> import skfer
    >>> from skfer.datasets import make_expressions
    >>> faces = make_expressions(6, 1, image_size=16, random_state=0)
    >>> embedder = skfer.CrossEntropyEmbedder(max_epochs=2, random_state=0)
    >>> model = make_pipeline(embedder, KNeighborsClassifier())
    >>> path = Path(tempfile.mkdtemp()) / "smile.skfer"
    >>> skfer.save(model.fit(faces.images, faces.target), path)
    >>> loaded = skfer.load(path)
    >>> bool((loaded.predict(faces.images) == model.predict(faces.images)).all())
    True
    """
    check_fitted(model)
    check_path(path)
    given = _card_of(model) if card is None else card
    if not isinstance(given, Mapping):
        raise refusal("card", "must be a mapping, such as a dict, got {}.", shown(given))
    facts = facts_of(model)
    encoder = Encoder()
    encoded = encoder.encode(_without_card(model), type(model).__name__)
    of_card = Encoder(encoder.arrays, "give text, numbers, lists or dicts")
    document = {
        "versions": facts.pop("versions"),
        "card": of_card.encode(dict(given), "card"),
        "facts": facts,
        "model": encoded,
    }
    with place_told(path):
        write_file(Path(path), document, encoder.arrays)


def load(
    path: Source,
    *,
    trusted: Collection[str | type | Callable[..., Any]] = (),
    device: str | None = None,
    max_bytes: int = MAX_BYTES,
) -> Any:
    """Load a model that :func:`save` has written; no code of the file is run.

    Parameters
    ----------
    path : path-like or binary file object
        The file; or one that is open for reading bytes, such as ``io.BytesIO(content)`` of what an
        object store has returned, which is read to its end.
    trusted : collection of str, type or callable, default=()
        Classes and functions of your own that the model needs, such as that of a backbone, or
        their names, "package.module.Name". Loading makes instances of these classes, and of no
        others but those of skfer, scikit-learn and torch that a model is made of.
    device : str, default=None
        Where embedders of the model run from now on. None is where they were told to run.
    max_bytes : int, default=4 GiB
        Larger files are not read.

    Returns
    -------
    estimator
        It gives the same embedding, bit for bit, on the same kind of machine. Its embedders have no
        ``callbacks``, no ``checkpoint``, and of ``scoring`` names alone.

    Raises
    ------
    ArgumentError
        If `path` is neither a path nor a binary file object, `trusted` holds something else,
        `device` is none of torch, or `max_bytes` is no number of bytes.
    ModelFileError
        If the file is no model of skfer, damaged, too large, or needs a class that is not trusted.
    FileNotFoundError
        If there is no such file.
    OSError
        If it cannot be read.

    Warns
    -----
    InconsistentVersionWarning
        If it comes from another version of skfer or of scikit-learn.

    See Also
    --------
    save : Write such a file, with an example.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import skfer
    >>> from skfer.datasets import make_expressions
    >>> faces = make_expressions(3, 1, image_size=16, random_state=0)
    >>> model = skfer.CrossEntropyEmbedder(8, max_epochs=1, random_state=0)
    >>> path = Path(tempfile.mkdtemp()) / "smile.skfer"
    >>> skfer.save(model.fit(faces.images, faces.target), path)
    >>> skfer.load(path).transform(faces.images).shape
    (24, 8)
    """
    trusted = check_trusted(trusted)
    if device is not None:
        check_device(device)
    document, arrays = read_file(path, max_bytes)
    with _damage_told(path):
        check_names(names_in(document["model"]), trusted)
        model = Decoder(arrays, trusted).decode(document["model"])
        if not isinstance(model, BaseEstimator):
            raise ModelFileError(f"{told_as(path)} is damaged: it holds no estimator.")
        card = Decoder(arrays).decode(document["card"])
        if card:
            model.card_ = dict(card)
    if device is not None:
        for name, value in model.get_params(deep=True).items():
            if name.rpartition("__")[2] == "device" and isinstance(value, str):
                model.set_params(**{name: device})
        for embedder in embedders_in(model):  # its parameters are of what was cloned, at times
            embedder.device = device
    return model


def read_card(path: Source, max_bytes: int = MAX_BYTES) -> dict[str, Any]:
    """Return what a model file says of its making, without making the model.

    Parameters
    ----------
    path : path-like or binary file object
        The file, as :func:`load` takes it.
    max_bytes : int, default=4 GiB
        Larger files are not read.

    Returns
    -------
    dict
        ``versions`` of the packages, ``card`` as given to :func:`save`, and ``facts``, which the
        model knew of itself.

    Raises
    ------
    ArgumentError, ModelFileError, OSError
        As :func:`load`.

    See Also
    --------
    model_card : The same to be read.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import skfer
    >>> from skfer.datasets import make_expressions
    >>> from skfer.persistence import read_card
    >>> faces = make_expressions(3, 1, image_size=16, random_state=0)
    >>> model = skfer.CrossEntropyEmbedder(8, max_epochs=1, random_state=0)
    >>> path = Path(tempfile.mkdtemp()) / "smile.skfer"
    >>> skfer.save(model.fit(faces.images, faces.target), path)
    >>> isinstance(read_card(path), dict)
    True
    """
    document, arrays = read_file(path, max_bytes)
    with _damage_told(path):
        return {
            "versions": {str(name): str(version) for name, version in document["versions"].items()},
            "card": dict(Decoder(arrays).decode(document["card"])),
            "facts": dict(document["facts"]),
        }


def model_card(model: BaseEstimator | Source) -> str:
    """Return what is known of a model, as a card that model hubs read.

    It tells what the fit has left: the steps and their parameters, classes and how many samples
    of each there were, persons if ``fit`` was told of them, the history, versions; and what
    :func:`save` was given as ``card``: the data set and its terms, preprocessing, scores.

    Parameters
    ----------
    model : estimator, path-like or binary file object
        A fitted embedder or pipeline, or a file of :func:`save`, of which only the card is read.

    Returns
    -------
    str
        Markdown, with front matter in YAML. As README.md beside a model it is its page on a hub.

    Raises
    ------
    sklearn.exceptions.NotFittedError
        If the model is not fitted.
    ModelFileError
        If the file is no model of skfer, or damaged.

    See Also
    --------
    skfer.save : Keeps the card with the model.
    skfer.persistence.read_card : Reads it from a file.

    Examples
    --------
    >>> import skfer
    >>> from skfer.datasets import make_expressions
    >>> faces = make_expressions(6, 1, image_size=16, random_state=0)
    >>> model = skfer.CrossEntropyEmbedder(8, max_epochs=2, random_state=0)
    >>> model = model.fit(faces.images, faces.target)
    >>> model.card_ = {"name": "smiles", "data": {"name": "drawn faces", "terms": "CC BY 4.0"}}
    >>> card = skfer.model_card(model)
    >>> card.splitlines()[:2], "- Terms: CC BY 4.0" in card
    (['---', 'library_name: "skfer"'], True)
    """
    if hasattr(model, "fit"):
        check_fitted(model)
        return card_text(facts_of(model), _card_of(model))
    check_source(model, "model")
    known = read_card(model)
    with _damage_told(model):
        return card_text(known["facts"] | {"versions": known["versions"]}, known["card"])


def check_fitted(model: Any) -> None:
    """Raise if a model is no estimator, or not fitted."""
    if isinstance(model, type) or not hasattr(model, "fit"):
        raise refusal("model", "must be a fitted estimator, got {}.", shown(model))
    check_is_fitted(model)


def _without_card(model: Any) -> Any:
    """Return a model that shares all but its card, which stands elsewhere in the file."""
    bare = object.__new__(type(model))
    vars(bare).update({name: value for name, value in vars(model).items() if name != "card_"})
    return bare


def _card_of(model: Any) -> Mapping[str, Any]:
    """Return what is told of a model, unless it is of weights that it no longer has."""
    card: Mapping[str, Any] = getattr(model, "card_", {})
    if not isinstance(model, Pipeline) or "about_its_weights" not in card:
        return card
    trained: Any = model[-1]
    return {} if getattr(trained, "n_iter_", 0) else card


@contextmanager
def _damage_told(source: Source) -> Iterator[None]:
    """Turn whatever a damaged document raises into the error that says so."""
    try:
        yield
    except (ModelFileError, MemoryError):
        raise
    except Exception as error:
        text = one_line(f"{type(error).__name__}: {error}")
        raise ModelFileError(
            f"{told_as(source)} is damaged, or of another version of skfer ({text})."
        ) from error
