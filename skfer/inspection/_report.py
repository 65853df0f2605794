"""All that there is to see of a fitted model, on one page."""

import base64
import os
from collections.abc import Callable, Iterator
from functools import cached_property
from html import escape
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from sklearn.metrics import accuracy_score, confusion_matrix, recall_score

from skfer._replacing import replaced
from skfer._typing import NDArray
from skfer.embedders.composed._describing import describe, lines_of
from skfer.embedders.composed._within import embedders_in, makes_one_embedding
from skfer.exceptions import ArgumentError
from skfer.inspection._attention import AttentionDisplay, own_maps
from skfer.inspection._confusion import draw_confusion
from skfer.inspection._embedding import EmbeddingDisplay
from skfer.inspection._faces import faces_of
from skfer.inspection._fonts import font_settings, one_font_warning
from skfer.inspection._gradients import similarity_maps
from skfer.inspection._labels import Labels, read_labels
from skfer.inspection._models import (
    Parts,
    answers,
    embed,
    embedding_steps,
    image_shape_of,
    name_of,
    steps_of,
    take_apart,
)
from skfer.inspection._reliability import ReliabilityDisplay
from skfer.inspection._retrieval import RetrievalDisplay
from skfer.inspection._style import pyplot
from skfer.inspection._subclass import SubclassDisplay, learned_subclasses
from skfer.inspection._threshold import ThresholdDisplay
from skfer.inspection._training import TrainingDisplay
from skfer.inspection._words import as_fitted, unknown_to
from skfer.metrics import mean_average_precision_at_r, recall_at_k
from skfer.validation import UNLABELED

_DPI = 110
_ABOUT_SCORES = (
    "They tell about new persons only if the model was trained on none of these faces, nor on "
    "others of these persons."
)
_NOTHING_FOUND = (
    "No face has another of its class{}, so there is nothing to find by recall@1 and MAP@R."
)
_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem;
       color: #1a1a1a; background: #fff; overflow-wrap: anywhere; }
h1, h2 { line-height: 1.2; } h2 { margin-top: 2.2rem; }
figure { margin: 0; break-inside: avoid; } figure img { max-width: 100%; height: auto; }
figcaption { color: #444; }
pre { white-space: pre-wrap; background: #f4f4f4; padding: .8rem; border-radius: .3rem; }
table { border-collapse: collapse; } th, td { padding: .2rem .8rem .2rem 0; text-align: left; }
@page { margin: 1.5cm; }
@media print { body { margin: 0; padding: 0; max-width: none; } h2 { break-after: avoid; }
  figure img { max-height: 21cm; } /* a page of A4 or letter, with heading and caption */ }
"""


def report(model: Any, bunch: Any, path: str | os.PathLike[str]) -> Path:
    """Write all that there is to see of a fitted model on some faces, as one page of HTML.

    The page holds its pictures and needs no network. What is on it depends on the model: scores and
    confusion where it predicts, reliability where it predicts probabilities, thresholds, attention
    and sub-classes where it has them. Where several embedders are side by side, in a union, their
    embedding is shown as the one that it is; where each has its own, as in models that vote, what
    they predict is. The page says what is left out.

    Parameters
    ----------
    model : fitted embedder, or pipeline, union, search, calibrated or voting model of some
        What is shown.
    bunch : Bunch
        Faces of persons that it was not fitted on, as loaders return them: ``images``, ``target``,
        ``target_names`` and ``groups``, if persons are known.
    path : path-like
        The file to write, in place of one that is there.

    Returns
    -------
    pathlib.Path
        The file.

    Raises
    ------
    ArgumentError
        If the Bunch holds no faces or labels, none of a class that the model knows, or the folder
        does not exist.

    Warns
    -----
    UserWarning
        If the model does not know some of the classes. "happy" and "happiness" are one class, as
        are other words of one meaning in `skfer.datasets`.

    See Also
    --------
    EmbeddingDisplay : One of its pictures.
    show_faces : Another one.

    Examples
    --------
    >>> import os, tempfile
    >>> from skfer import CrossEntropyEmbedder
    >>> from skfer.datasets import make_expressions
    >>> from skfer.inspection import report
    >>> faces = make_expressions(6, 1, image_size=24, random_state=0)
    >>> model = CrossEntropyEmbedder(max_epochs=1, random_state=0)
    >>> model = model.fit(faces.images, faces.target)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     page = report(model, faces, os.path.join(folder, "report.html"))
    ...     page.read_text(encoding="utf-8")[:15]
    '<!DOCTYPE html>'
    """
    if not any(embedders_in(model)):
        take_apart(model, "report on it")  # which says what is missing
    if hasattr(model, "predict") and not hasattr(model, "classes_"):
        raise ArgumentError("{model} predicts numbers, not classes: report on what embeds in it.")
    place = Path(path)
    if not place.parent.is_dir():
        raise ArgumentError("{path=} is in a folder that does not exist: make it.", path=str(path))
    if place.is_dir():
        raise ArgumentError("{path=} is a folder: name a file in it.", path=str(path))
    if not hasattr(bunch, "images") or not hasattr(bunch, "target"):
        raise ArgumentError("{bunch} must have images and target, as the loaders' Bunches have.")
    names = bunch.get("target_names")
    labels = read_labels(bunch.target, names, n_samples=len(bunch.images))
    known = np.flatnonzero(labels.codes != UNLABELED)
    if len(np.unique(labels.codes[known])) < 2:
        raise ArgumentError("{bunch} must have faces of at least two labeled classes.")
    groups = bunch.get("groups")
    groups = None if groups is None else np.asarray(groups)[known]
    y = as_fitted(model, np.asarray(bunch.target)[known], names)
    # A memory map that is wanted whole stays one.
    images = bunch.images if len(known) == len(labels.codes) else bunch.images[known]
    kind = bunch.get("group_kind") or "subjects"
    faces = _Faces(images, y, groups, names, kind)
    seen = _Seen(model, faces)
    with one_font_warning(labels.names):
        sections = [_about(seen, labels), *_figures(seen)]
    with replaced(place) as temporary:
        temporary.write_text(_page(f"{name_of(model)}: report", sections), encoding="utf-8")
    return place


class _Faces(NamedTuple):
    """The labeled faces of a Bunch."""

    images: Any
    y: NDArray[Any]
    groups: Any
    names: Any
    kind: str = "subjects"  # what groups are


class _Seen:
    """What a model says of the faces, each asked once: the network is what takes time."""

    def __init__(self, model: Any, faces: _Faces) -> None:
        self.model = model
        self.faces = faces
        self.parts = _apart(model)

    @cached_property
    def answers(self) -> tuple[Any, Any]:
        """Predictions and probabilities, None where there are none."""
        return answers(self.model, self.faces.images)

    @cached_property
    def embedding(self) -> NDArray[Any]:
        """The embedding by the model."""
        return embed(self.model, self.faces.images)

    @cached_property
    def pictures(self) -> Any:
        """The faces as Displays show them."""
        images = self.faces.images
        return faces_of(images, None, len(self.faces.y), image_shape_of(self.model))

    @cached_property
    def prepared(self) -> Any:
        """The faces as they come to the embedder."""
        return self._embedder.prepared(self.faces.images)

    @cached_property
    def own_embedding(self) -> NDArray[Any]:
        """The embedding by the embedder, after which the model may have other steps."""
        embedder = self._embedder.embedder
        if makes_one_embedding(self.model) and embedding_steps(self.model)[-1] is embedder:
            return self.embedding
        return embedder.transform(self.prepared)

    @cached_property
    def own_probabilities(self) -> Any:
        """The probabilities by the embedder, which the model may calibrate."""
        embedder = self._embedder.embedder
        return self.answers[1] if self.model is embedder else embedder.predict_proba(self.prepared)

    @cached_property
    def subclass(self) -> NDArray[np.intp]:
        """The sub-class of each face, in its own class."""
        return self._embedder.embedder.predict_subclass(self.prepared, self.faces.y)

    @property
    def _embedder(self) -> Parts:
        assert self.parts is not None  # what is asked of it is shown of one embedder alone
        return self.parts


def _about(seen: _Seen, labels: Labels) -> str:
    """Tell what the model and the faces are, and the scores."""
    model, faces = seen.model, seen.faces
    counts = ", ".join(
        f"<bdi>{escape(name)}</bdi>: {n:,}"
        for name, n in zip(labels.names, _tally(labels), strict=True)
    )
    who = "" if faces.groups is None else f" of {_counted(faces)}"
    scores = dict(_scores(seen))
    rows = "".join(
        f"<tr><th>{name}</th><td>{'-' if value is None else f'{value:.3f}'}</td></tr>"
        for name, value in scores.items()
    )
    others = "" if faces.groups is None else " by another person"
    missing = f"<p>{_NOTHING_FOUND.format(others)}</p>" if None in scores.values() else ""
    unknown = ", ".join(escape(str(name)) for name in unknown_to(model, faces.y))
    if unknown:
        missing += f"<p>The model does not know {unknown}: it is wrong of each such face.</p>"
    made_of = escape("\n".join(lines_of(describe(model))))
    return (
        f"<p>{len(faces.y):,} faces{who} ({counts}).</p><pre>{made_of}</pre>{_left_out(seen)}"
        f"<h2>Scores</h2><table>{rows}</table>{missing}<p>{_ABOUT_SCORES}</p>"
    )


def _counted(faces: _Faces) -> str:
    """Return how many persons there are, or whatever else groups are."""
    n = len(np.unique(faces.groups))
    if faces.kind != "subjects":
        return f"{n:,} {faces.kind}"
    return "1 person" if n == 1 else f"{n:,} persons"


def _tally(labels: Labels) -> NDArray[np.intp]:
    """Return how many faces of each class there are."""
    return np.bincount(labels.codes[labels.codes != UNLABELED], minlength=len(labels.names))


def _left_out(seen: _Seen) -> str:
    """Tell what is not shown of a model whose embedder is not the only one."""
    if seen.parts is not None:
        return ""
    what = "Thresholds, where it looks, and sub-classes"
    if not makes_one_embedding(seen.model):
        what = f"Embedding, nearest faces, {what[0].lower()}{what[1:]}"
    return f"<p>{what} are of one embedder, and not shown: report on each by itself.</p>"


def _apart(model: Any) -> Parts | None:
    """Return the embedder of a model, if it is one after what prepares its input."""
    try:
        return take_apart(model, "report on it")
    except ArgumentError:
        return None


def _scores(seen: _Seen) -> Iterator[tuple[str, float | None]]:
    """Yield scores by name, None for those that are not defined on these faces."""
    faces, predicted = seen.faces, seen.answers[0]
    if predicted is not None:
        yield "accuracy", float(accuracy_score(faces.y, predicted))
        # As balanced_accuracy_score, which warns of predicted classes that no face has.
        recalls = recall_score(faces.y, predicted, labels=np.unique(faces.y), average=None)
        yield "balanced accuracy", float(np.mean(recalls))
    if not makes_one_embedding(seen.model):
        return
    if not _has_pairs(faces):
        yield from {"recall@1": None, "MAP@R": None}.items()
        return
    yield "recall@1", float(recall_at_k(seen.embedding, faces.y, groups=faces.groups))
    found = mean_average_precision_at_r(seen.embedding, faces.y, groups=faces.groups)
    yield "MAP@R", float(found)


def _has_pairs(faces: _Faces) -> bool:
    """Whether a face has another of its class to be found, by another person if they are known."""
    persons = np.arange(len(faces.y)) if faces.groups is None else faces.groups
    return any(len(np.unique(persons[faces.y == label])) > 1 for label in np.unique(faces.y))


def _figures(seen: _Seen) -> Iterator[str]:
    """Draw what the model has, section by section."""
    model, y, names = seen.model, seen.faces.y, seen.faces.names
    if hasattr(model, "predict"):
        yield _figure("Confusion", "Rows are true, columns predicted.", lambda: _confusion(seen))
    if all(one.history_ for one in embedders_in(model)):
        yield _figure("Training", "Epoch by epoch.", lambda: TrainingDisplay.from_estimator(model))
    if makes_one_embedding(model):
        yield _figure(
            "Embedding",
            "The faces in the plane; rings are around those that are predicted wrongly.",
            lambda: _plane(seen),
        )
        yield _figure(
            "Nearest faces",
            "A face of each class, and those nearest to it.",
            lambda: _nearest(seen),
        )
    if seen.parts is not None:
        yield from _of_an_embedder(seen, seen.parts)
    if hasattr(model, "predict_proba"):
        yield _figure(
            "Reliability",
            "How often the prediction is right when it is so sure.",
            lambda: ReliabilityDisplay.from_predictions(
                y, seen.answers[1], classes=model.classes_, names=names, name=name_of(model)
            ),
        )


def _plane(seen: _Seen) -> EmbeddingDisplay:
    # Beside others, in a union, sub-classes are not of this embedding.
    embedder = None if seen.parts is None else seen.parts.embedder
    splits = (
        embedder is not None
        and any(step is embedder for step in steps_of(seen.model))
        and _has_subclasses(embedder, seen.faces.y)
        and np.max(embedder.n_subclasses_) > 1
    )
    return EmbeddingDisplay.from_embedding(
        seen.embedding,
        seen.faces.y,
        names=seen.faces.names,
        y_pred=seen.answers[0],
        subclass=seen.subclass if splits else None,
        images=seen.pictures,
        n_pictures=16,
    )


def _nearest(seen: _Seen) -> RetrievalDisplay:
    _, y, groups, names, _ = seen.faces
    if groups is not None and len(np.unique(groups)) == 1:
        raise ArgumentError("{y} shows one person, and faces of others are what is looked for.")
    return RetrievalDisplay.from_embedding(
        seen.embedding, y, seen.pictures, groups=groups, names=names, random_state=0
    )


def _of_an_embedder(seen: _Seen, parts: Parts) -> Iterator[str]:
    """Draw what an embedder has beside its embedding."""
    X, y, groups, names, _ = seen.faces
    embedder = parts.embedder
    if hasattr(embedder, "slices_"):
        yield _figure(
            "Thresholds",
            "Distances in each slice, and how well it searches by itself.",
            lambda: ThresholdDisplay.from_embedding(
                seen.own_embedding, y, embedder.thresholds_, groups=groups, random_state=0
            ),
        )
    if _has_map(embedder, parts.prepared(X[:1])):
        yield _figure(
            "Where it looks",
            "The mean over the faces of each class.",
            lambda: _attention(seen, parts),
        )
    if _has_subclasses(embedder, y):
        yield _figure(
            "Classes and sub-classes",
            "The mean face of each, and the faces nearest to its center.",
            lambda: SubclassDisplay.from_embedding(
                seen.own_embedding,
                seen.subclass,
                seen.pictures,
                y,
                posterior=seen.own_probabilities,
                names=names,
                **learned_subclasses(embedder),
            ),
        )


def _has_subclasses(embedder: Any, y: NDArray[Any]) -> bool:
    """Whether an embedder has sub-classes for these faces: those of its own classes alone."""
    return hasattr(embedder, "predict_subclass") and bool(np.isin(y, embedder.classes_).all())


def _attention(seen: _Seen, parts: Parts) -> AttentionDisplay:
    y, names = seen.faces.y, seen.faces.names
    maps, told = own_maps(parts, seen.prepared, y, names, lambda: seen.own_embedding)
    faces = faces_of(seen.faces.images, None, len(maps), parts.embedder.input_shape_)
    return AttentionDisplay.from_maps(
        maps, faces, y, told=told, names=names, kind="classes", random_state=0
    )


def _has_map(embedder: Any, images: Any) -> bool:
    """Whether there are places to look at: some backbones give none."""
    try:
        similarity_maps(embedder, images, embedder.transform(images))
    except ArgumentError:
        return False
    return True


def _confusion(seen: _Seen) -> Any:
    faces, predicted = seen.faces, seen.answers[0]
    labels = np.unique(np.concatenate([faces.y, predicted]))
    counts = confusion_matrix(faces.y, predicted, labels=labels)
    names = read_labels(labels, faces.names).names
    return draw_confusion(counts, names, pyplot().figure())


def _figure(title: str, told: str, draw: Callable[[], Any]) -> str:
    """Return a section with one picture, inside the page, or with why there is none."""
    try:
        image = _picture(draw)
    except ArgumentError as error:  # these faces do not have what it shows
        why = error.render({"y": "The set"})
        return f"<section><h2>{title}</h2><p>No picture: {escape(why)}</p></section>"
    return (
        f"<section><h2>{title}</h2><figure>"
        f'<img alt="{title}: {escape(told)}" src="data:image/png;base64,{image}">'
        f"<figcaption>{escape(told)}</figcaption></figure></section>"
    )


def _picture(draw: Callable[[], Any]) -> str:
    """Return what a function draws as a PNG file, in characters; no figure stays open."""
    plt = pyplot()
    before = set(plt.get_fignums())
    data = BytesIO()
    try:
        with plt.style.context(["default", font_settings()]):
            draw().figure_.savefig(data, format="png", dpi=_DPI, bbox_inches="tight")
    finally:
        for number in set(plt.get_fignums()) - before:
            plt.close(number)
    return base64.b64encode(data.getvalue()).decode("ascii")


def _page(title: str, sections: list[str]) -> str:
    body = "\n".join(sections)
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head>"
        f"<body><main><h1>{escape(title)}</h1>\n{body}\n</main></body></html>\n"
    )
