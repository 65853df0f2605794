"""Model cards: what is known of a model, as Markdown that model hubs read."""

import json
import math
import os
from collections.abc import Iterable, Mapping
from typing import Any

import joblib
import numpy as np
import sklearn
import skorch
import torch
from sklearn.pipeline import Pipeline

from skfer._version import __version__

Facts = dict[str, Any]

_MODULES = (joblib, np, sklearn, skorch, torch)
_TAGS = ("skfer", "facial-expression-recognition", "deep-metric-learning", "scikit-learn")
_LONGEST = 200  # characters of a parameter
_GIVEN = ("name", "license", "data", "preprocessing", "scores", "notes")
_LIMITS = """\
An expression is how a face looks, not what a person feels. The model knows the classes above and
faces like those it was trained on, and gives one of the classes for any picture. Scores on the
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
        ``input`` and ``history``.
    """
    steps = [step for _, step in model.steps] if isinstance(model, Pipeline) else [model]
    facts: Facts = {
        "versions": {"skfer": __version__} | {m.__name__: m.__version__ for m in _MODULES},
        "steps": [_step(step) for step in steps if hasattr(step, "get_params")],
        "classes": [str(label) for label in getattr(model, "classes_", ())],
    }
    for step in steps:
        shape, counts = getattr(step, "input_shape_", None), getattr(step, "class_count_", None)
        if shape is not None:
            facts["input"] = [int(side) for side in shape]
        if hasattr(step, "history_"):
            facts["history"] = _history(step.history_)
        if counts is not None and hasattr(step, "history_"):
            words = [str(label) for label in step.classes_]
            facts["counts"] = dict(zip(words, map(int, counts), strict=True))
            facts["groups"] = getattr(step, "n_groups_", None)
    return facts


def _step(step: Any) -> Facts:
    """Return the name of a step, and the parameters that are not as by default."""
    try:
        usual = type(step)().get_params(deep=False)
    except Exception:  # it has no defaults for all, or is of the user
        usual = {}
    changed = {
        name: _word(value)
        for name, value in step.get_params(deep=False).items()
        if name not in usual or _word(value) != _word(usual[name])
    }
    return {"name": type(step).__name__, "parameters": changed}


def _word(value: Any) -> str:
    text = " ".join(repr(value).split())
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]} ..."


def _history(history: list[Mapping[str, Any]]) -> Facts:
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
    parts = [
        _front_matter(facts, given, data, scores),
        f"# {given.get('name') or _kind(facts)}",
        _what(facts, data),
        _section("Model", _steps(facts)),
        _section("Input", _input(facts, _mapping(given, "preprocessing", "made"))),
        _section("Training data", _data(data)),
        _section("Training", _training(facts.get("history"))),
        _section("Scores", _bullets(scores) or ["None were given."]),
        *(_section(_title(name), _any(given[name])) for name in given if name not in _GIVEN),
        _section("Notes", _any(given.get("notes"))),
        _section("Limits", [_LIMITS]),
        _section("Versions", [", ".join(f"{k} {v}" for k, v in facts["versions"].items())]),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _mapping(given: Mapping[str, Any], name: str, word: str) -> Facts:
    """Return a part of a card that says several things; of a single one it is `word`."""
    value = given.get(name)
    if isinstance(value, Mapping):
        return dict(value)
    return {} if value is None else {word: value}


def _kind(facts: Mapping[str, Any]) -> str:
    return " + ".join(step["name"] for step in facts.get("steps", ())) or "A model of skfer"


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
        name = str(given.get("name") or "skfer")
        fields["metrics"] = list(scores)
        fields["model-index"] = [_result(name, str(data.get("name") or "unknown"), scores)]
    lines = [f"{name}: {json.dumps(value, ensure_ascii=False)}" for name, value in fields.items()]
    return "\n".join(["---", *lines, "---"])


def _result(name: str, dataset: str, scores: Mapping[str, Any]) -> Facts:
    metrics = [{"type": measure, "value": value} for measure, value in scores.items()]
    task = {"type": "image-classification", "name": "Facial expression recognition"}
    result = {"task": task, "dataset": {"type": dataset, "name": dataset}, "metrics": metrics}
    return {"name": name, "results": [result]}


def _what(facts: Mapping[str, Any], data: Mapping[str, Any]) -> str:
    classes = facts.get("classes") or list(data.get("classes") or {})
    told = f" It tells {', '.join(classes)}." if classes else ""
    return f"A model of facial expressions, made with skfer {facts['versions']['skfer']}.{told}"


def _section(title: str, lines: Iterable[str]) -> str:
    text = "\n".join(lines)
    return f"## {title}\n\n{text}" if text else ""


def _title(name: str) -> str:
    return "Learning rate" if name == "lr" else str(name).replace("_", " ").capitalize()


def _steps(facts: Mapping[str, Any]) -> list[str]:
    lines = []
    for step in facts.get("steps", ()):
        changed = ", ".join(f"{name}={value}" for name, value in step["parameters"].items())
        lines.append(f"- `{step['name']}({changed})`" + ("" if changed else ", as by default"))
    return lines


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
        lines += [f"| {name} | {count:,} |" for name, count in counts.items()]
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
