"""What a model is made of, in words that may be published."""

import inspect
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePath
from typing import Any

from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline

from skfer.embedders.base import BaseEmbedder
from skfer.embedders.composed._within import embedders_in, inside

Description = dict[str, Any]

_LONGEST = 200  # characters of a parameter
# They tell of the machine, or of who watched, and nothing of the model.
_OF_A_RUN = {"device", "memory", "n_jobs", "verbose"}
_OF_A_TRAINING = {"callbacks", "checkpoint", "scoring"}
_FILES = ("_file", "_weights")  # endings of parameters that name one
# In quotes, from the root or a home: it names users and machines.
_FOLDERS = re.compile(
    r"""(?<=['"])(?:file:)?(?:~[^\\/'"]*|[A-Za-z]:)?[\\/]+"""
    r"""(?:(?:[^\\/'"]+[\\/]+)+(?=['"])|(?:[^\\/'"]+[\\/]+)*(?=[^\\/'"]))"""
)


def describe(model: Any) -> list[Description]:
    """Return the steps of a model, as JSON holds them.

    Parameters
    ----------
    model : estimator
        Fitted.

    Returns
    -------
    list of dict
        ``name`` and ``parameters``, those that are not as by default, of each step of a pipeline;
        ``parts``, such descriptions, where embedders are inside; and ``times`` above 1 of equal
        ones in a row. What is of a machine is left out: folders, devices, checkpoints.
    """
    if isinstance(model, Pipeline):
        return [step for part in inside(model) for step in describe(part)]
    if isinstance(model, FrozenEstimator):
        return describe(model.estimator)
    if not hasattr(model, "get_params"):
        return []
    parts = inside(model) if any(embedders_in(model)) else []
    described: Description = {
        "name": type(model).__name__,
        "parameters": _changed(model, bool(parts)),
    }
    if parts:
        described["parts"] = _counted([_one(part) for part in parts])
    return [described]


def _one(part: Any) -> Description:
    """Return the description of a part; a pipeline among others is one that has steps."""
    steps = describe(part)
    return steps[0] if len(steps) == 1 else {"name": "Pipeline", "parameters": {}, "parts": steps}


def _counted(parts: list[Description]) -> list[Description]:
    counted: list[Description] = []
    for part in parts:
        if counted and counted[-1] | {"times": 1} == part | {"times": 1}:
            counted[-1]["times"] = counted[-1].get("times", 1) + 1
        else:
            counted.append(part)
    return counted


def _changed(step: Any, parts_told: bool) -> dict[str, str]:
    """Return the parameters that are not as by default, and that tell something of the model."""
    hidden = _OF_A_RUN | (_OF_A_TRAINING if isinstance(step, BaseEmbedder) else set())
    usual = _defaults(type(step))
    return {
        name: told
        for name, value in step.get_params(deep=False).items()
        if name not in hidden and not (parts_told and _holds_estimators(value))
        if (told := _told(value, name)) != _told(usual.get(name, inspect.Parameter.empty), name)
    }


def _defaults(kind: type) -> dict[str, Any]:
    try:
        parameters = inspect.signature(kind).parameters.values()
    except (TypeError, ValueError):  # its code has none
        return {}
    return {parameter.name: parameter.default for parameter in parameters}


def _holds_estimators(value: Any) -> bool:
    several = isinstance(value, list | tuple)
    return hasattr(value, "get_params") or (several and any(map(_holds_estimators, value)))


def _told(value: Any, name: str) -> str:
    if name.endswith(_FILES) and isinstance(value, str | os.PathLike) and str(value):
        value = PurePath(str(value).replace("\\", "/")).name
    text = " ".join(_FOLDERS.sub("", _text(value)).split())
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]} ..."


def _text(value: Any) -> str:
    """Return the text of a value, whose estimators are told as those in steps are."""
    if hasattr(value, "get_params") and not isinstance(value, type):
        return _call(type(value).__name__, _changed(value, parts_told=False))
    if type(value) is list:
        return f"[{', '.join(map(_text, value))}]"
    if type(value) is tuple:
        return f"({', '.join(map(_text, value))}{',' if len(value) == 1 else ''})"
    if type(value) is dict:
        return f"{{{', '.join(f'{_text(k)}: {_text(v)}' for k, v in value.items())}}}"
    return repr(value)


def _call(name: str, parameters: Mapping[str, str]) -> str:
    return f"{name}({', '.join(f'{key}={value}' for key, value in parameters.items())})"


def lines_of(steps: Sequence[Mapping[str, Any]], mark: str = "", indent: str = "") -> Iterator[str]:
    """Yield what `describe` returned as lines of a list, calls between marks."""
    for step in steps:
        parts = step.get("parts", ())
        usual = ", as by default" if not (step["parameters"] or parts) else ""
        call = f"{mark}{_call(step['name'], step['parameters'])}{mark}"
        yield f"{indent}- {_times(step)}{call}{usual}"
        yield from lines_of(parts, mark, f"{indent}  ")


def title_of(steps: Sequence[Mapping[str, Any]]) -> str:
    """Return the names in what `describe` returned, as a title."""
    return " + ".join(
        _times(step) + step["name"] + (f"({title_of(step['parts'])})" if step.get("parts") else "")
        for step in steps
    )


def _times(step: Mapping[str, Any]) -> str:
    return f"{step['times']} x " if step.get("times", 1) > 1 else ""
