"""Model cards: what is known of a model, as Markdown that model hubs read."""

import json
import math
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import joblib
import numpy as np
import sklearn
import skorch
import torch
from sklearn.pipeline import Pipeline

from skfer._version import __version__
from skfer.embedders.composed._describing import describe, lines_of, title_of
from skfer.embedders.composed._within import embedders_in, named
from skfer.validation._arrays import word_of

Facts = dict[str, Any]

_MODULES = (joblib, np, sklearn, skorch, torch)
_TAGS = ("skfer", "facial-expression-recognition", "deep-metric-learning", "scikit-learn")
# What means something in Markdown; an underscore within a word does not.
_MARKUP = re.compile(r"[\\`*\[\]<>|~&]|(?<!\w)_|_(?!\w)")
_GIVEN = ("name", "license", "data", "preprocessing", "scores", "notes")
_LIMITS = """\
An expression is how a face looks, not what a person feels. The model knows{known}
faces like those it was trained on, and gives {answer} for any picture. Scores on the
persons it was trained on say nothing about others: `skfer evaluate` keeps them apart."""


def facts_of(model: Any) -> Facts:
    """Return what a fitted model knows of itself, as JSON holds it.

    Parameters
    ----------
    model : estimator
        Fitted.

    Returns
    -------
    dict
        ``versions``, ``steps``, and what is known of ``classes``, ``counts``, ``groups``,
        ``input`` and ``history``; ``histories`` by name where there are several embedders.
    """
    embedders = [one for one in embedders_in(model) if hasattr(one, "history_")]
    facts: Facts = {
        "versions": {"skfer": __version__} | {m.__name__: m.__version__ for m in _MODULES},
        "steps": describe(model),
        "classes": [word_of(label) for label in getattr(model, "classes_", ())],
    }
    if not embedders:
        return facts
    facts["input"] = [int(side) for side in embedders[0].input_shape_]
    histories = {name: _history(one.history_) for name, one in named(embedders).items()}
    if len(histories) > 1:
        facts["histories"] = histories
    else:
        (facts["history"],) = histories.values()
    # Models that vote, or stack, give codes to what they hold.
    last = model[-1] if isinstance(model, Pipeline) else model
    coded = facts["classes"] if hasattr(last, "estimators_") else []
    counts, *others = (_counts(one, coded) for one in embedders)
    if all(other == counts for other in others):  # not so where each is of a fold
        facts["counts"], facts["groups"] = counts, getattr(embedders[0], "n_groups_", None)
    return facts


def _counts(embedder: Any, coded: list[str]) -> dict[str, int]:
    """Return how many samples of each class there were; nothing if nobody knows.

    Where its classes are codes, they are of the words in `coded`.
    """
    words = [word_of(label) for label in embedder.classes_]
    if words == [str(code) for code in range(len(coded))]:
        words = coded
    counts = dict(zip(words, map(int, embedder.class_count_), strict=True))
    return counts if any(counts.values()) else {}


def _history(history: Sequence[Mapping[str, Any]]) -> Facts:
    if not history:
        return {"epochs": 0}
    ends = (history[0], history[-1])
    # A score that is not defined is NaN, of which there is nothing to tell.
    numbers = [
        name
        for name in history[-1]
        if name != "dur" and all(_is_finite(epoch.get(name)) for epoch in ends)
    ]
    return {
        "epochs": len(history),
        "seconds": round(sum(float(epoch.get("dur", 0)) for epoch in history), 1),
        "first_and_last": {name: [round(float(e[name]), 4) for e in ends] for name in numbers},
    }


def _is_finite(value: Any) -> bool:
    return isinstance(value, float) and math.isfinite(value)


def card_text(facts: Mapping[str, Any], given: Mapping[str, Any]) -> str:
    """Return a model card.

    Parameters
    ----------
    facts : mapping
        From :func:`facts_of`.
    given : mapping
        What :func:`save` got as its ``card``.

    Returns
    -------
    str
        Markdown, with front matter in YAML.
    """
    data = {"classes": facts.get("counts"), "groups": facts.get("groups")}
    data |= {name: value for name, value in _mapping(given, "data", "name").items() if value}
    scores = _mapping(given, "scores", "score")
    classes = _classes(facts, data)
    others = [name for name in given if name not in _GIVEN]  # which may tell of scores too
    parts = [
        _front_matter(facts, given, data, scores),
        f"# {given.get('name') or _kind(facts)}",
        _what(facts, classes),
        _section("Model", lines_of(facts.get("steps", ()), "`")),
        _section("Input", _input(facts, _mapping(given, "preprocessing", "made"))),
        _section("Training data", _data(data)),
        _section("Training", _trainings(facts)),
        _section("Scores", _bullets(scores) or ([] if others else ["None were given."])),
        *(_section(_title(name), _any(given[name])) for name in others),
        _section("Notes", _any(given.get("notes"))),
        _section("Limits", [_limits(classes)]),
        _section("Versions", [", ".join(f"{k} {v}" for k, v in facts["versions"].items())]),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _mapping(given: Mapping[str, Any], name: str, word: str) -> Facts:
    """Return a part of a card that says several things; of a single one it is `word`."""
    value = given.get(name)
    if isinstance(value, Mapping):
        return dict(value)
    return {} if value is None else {word: value}


def _classes(facts: Mapping[str, Any], data: Mapping[str, Any]) -> list[str]:
    """Return what a model tells apart: nothing of a regressor, whatever its embedder learned."""
    return list(facts.get("classes", data.get("classes")) or ())


def _kind(facts: Mapping[str, Any]) -> str:
    return title_of(facts.get("steps", ())) or "A model of skfer"


def _front_matter(
    facts: Mapping[str, Any],
    given: Mapping[str, Any],
    data: Mapping[str, Any],
    scores: Mapping[str, Any],
) -> str:
    """Return what hubs read. JSON is YAML, so that no word needs to be looked at twice."""
    fields: Facts = {"library_name": "skfer", "tags": _TAGS}
    if facts.get("classes"):
        fields["pipeline_tag"] = "image-classification"
    if given.get("license"):
        fields["license"] = str(given["license"])
    if data.get("name"):
        fields["datasets"] = [str(data["name"])]
    if scores:
        fields["metrics"] = list(scores)
    if scores and facts.get("classes", True):  # hubs have no task for other models of faces
        name = str(given.get("name") or "skfer")
        fields["model-index"] = [_result(name, str(data.get("name") or "unknown"), scores)]
    lines = [
        f"{name}: {json.dumps(value, ensure_ascii=False, default=_as_plain)}"
        for name, value in fields.items()
    ]
    return "\n".join(["---", *lines, "---"])


def _as_plain(value: Any) -> Any:
    """Return numbers of numpy as Python's, and else a text."""
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else str(value)


def _result(name: str, dataset: str, scores: Mapping[str, Any]) -> Facts:
    metrics = [{"type": measure, "value": value} for measure, value in scores.items()]
    task = {"type": "image-classification", "name": "Facial expression recognition"}
    result = {"task": task, "dataset": {"type": dataset, "name": dataset}, "metrics": metrics}
    return {"name": name, "results": [result]}


def _what(facts: Mapping[str, Any], classes: Sequence[str]) -> str:
    told = f" It tells {', '.join(map(_literal, classes))}." if classes else ""
    return f"A model of facial expressions, made with skfer {facts['versions']['skfer']}.{told}"


def _literal(name: Any) -> str:
    """Return the name of a class as Markdown that shows it as it is, in one line."""
    return _MARKUP.sub(r"\\\g<0>", " ".join(str(name).split()))


def _limits(classes: Sequence[str]) -> str:
    if not classes:
        return _LIMITS.format(known="", answer="an answer")
    return _LIMITS.format(known=" the classes above and", answer="one of the classes")


def _section(title: str, lines: Iterable[str]) -> str:
    text = "\n".join(lines)
    return f"## {title}\n\n{text}" if text else ""


def _title(name: str) -> str:
    return "Learning rate" if name == "lr" else _capital(str(name).replace("_", " "))


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]  # names in capitals stay so


def _input(facts: Mapping[str, Any], given: Mapping[str, Any]) -> list[str]:
    shape = facts.get("input") or []
    lines = [f"- Rows of {shape[0]} numbers"] if len(shape) == 1 else []
    if len(shape) > 1:
        color = "Color" if len(shape) > 2 and shape[2] == 3 else "Gray"
        lines = [f"- {color} pictures of {shape[0]} x {shape[1]} pixels"]
    return lines + _bullets({k: v for k, v in given.items() if k not in ("image_size", "color")})


def _data(data: Mapping[str, Any]) -> list[str]:
    counts = data.get("classes") or {}
    others = {k: v for k, v in data.items() if k not in ("classes", "groups", "groups_are")}
    lines = _bullets(others)
    if data.get("groups"):
        lines.append(f"- {_title(data.get('groups_are') or 'groups')}: {data['groups']:,}")
    if counts:
        lines += ["", "| class | faces |", "| --- | --- |"]
        lines += [f"| {_literal(name)} | {count:,} |" for name, count in counts.items()]
    return lines


def _trainings(facts: Mapping[str, Any]) -> list[str]:
    several = facts.get("histories") or {}
    lines = _training(facts.get("history"))
    for name, history in several.items():
        told = _training(history)
        lines += [f"- {name}", *(f"  {line}" for line in told)] if told else []
    return lines


def _training(history: Mapping[str, Any] | None) -> list[str]:
    if not history or not history["epochs"]:
        return []
    lines = [f"- Epochs: {history['epochs']}, in {history['seconds']:,} s"]
    pairs = history["first_and_last"].items()
    return lines + [f"- {_title(name)}: {first} -> {last}" for name, (first, last) in pairs]


def _any(value: Any) -> list[str]:
    if value is None:
        return []
    return _bullets(value) if isinstance(value, Mapping) else [str(value)]


def _bullets(values: Mapping[str, Any]) -> list[str]:
    return [f"- {_title(k)}: {_plain(v)}" for k, v in values.items() if v is not None]


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return ", ".join(f"{k} {_plain(v)}" for k, v in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(_plain, value))
    return f"{value:,}" if isinstance(value, int) else " ".join(os.fspath(str(value)).split())
