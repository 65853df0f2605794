"""`skfer predict`."""

from __future__ import annotations

import argparse
import csv
import io
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from skfer.cli._output import bars_wanted, check_writable, is_stdout, say, warn, write_text
from skfer.cli._pictures import decoded, find_pictures, load_model
from skfer.exceptions import ArgumentError

UNUSABLE = 1


def run(arguments: argparse.Namespace) -> int:
    """Print the expression of each picture; 1 if some could not be used."""
    for option in ("json", "csv"):
        check_writable(getattr(arguments, option), f"--{option}")
    model = load_model(arguments)
    names = find_pictures(arguments.pictures)
    if not hasattr(model, "predict"):
        raise ArgumentError("{model} does not predict: train one with another --classifier.")
    verbose = bars_wanted(arguments.quiet) and len(names) > 1
    rows = list(predictions(model, names, arguments.n_jobs, verbose))
    classes = [str(label) for label in model.classes_]
    write = {"json": _as_json, "csv": _as_csv}
    for option, as_text in write.items():
        path: Path | None = getattr(arguments, option)
        if path is not None:
            write_text(path, as_text(rows, classes), f"--{option}")
    if not any(is_stdout(path) for path in (arguments.json, arguments.csv)):
        say(_as_text(rows))
    bad = [row for row in rows if row["error"] is not None]
    for row in bad:
        warn(f"{row['file']}: {row['error']}")
    return UNUSABLE if bad else 0


def predictions(
    model: Any, names: Sequence[str], n_jobs: int, verbose: bool
) -> Iterator[dict[str, Any]]:
    """Yield a row for each picture, in order: file, label, probability, all of them, error."""
    for chunk in decoded(model, names, n_jobs, verbose):
        problems = zip(chunk.failed, chunk.problems, strict=True)
        found = {i: _row(None, error=problem.what) for i, problem in problems}
        if chunk.kept:
            found |= dict(zip(chunk.kept, _rows(model, chunk.images), strict=True))
        yield from ({"file": names[i], **found[i]} for i in sorted(found))


def _rows(model: Any, images: Any) -> Iterator[dict[str, Any]]:
    if not hasattr(model, "predict_proba"):  # an SVM has none
        yield from (_row(str(label)) for label in model.predict(images))
        return
    names = [str(label) for label in model.classes_]
    for proba in model.predict_proba(images):
        best = names[int(np.argmax(proba))]
        each = dict(zip(names, map(float, proba), strict=True))
        yield _row(best, each[best], each)


def _row(
    label: str | None,
    probability: float | None = None,
    each: dict[str, float] | None = None,
    error: str | None = None,
) -> dict[str, Any]:
    return {"label": label, "probability": probability, "probabilities": each, "error": error}


def _as_json(rows: list[dict[str, Any]], classes: Sequence[str]) -> str:
    return json.dumps(rows, indent=1, ensure_ascii=False) + "\n"


def _as_csv(rows: list[dict[str, Any]], classes: Sequence[str]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["file", "label", "probability", *classes, "error"])
    for row in rows:
        each = row["probabilities"] or dict.fromkeys(classes)
        numbers = ["" if p is None else f"{p:.6f}" for p in (row["probability"], *each.values())]
        writer.writerow([row["file"], row["label"] or "", *numbers, row["error"] or ""])
    return out.getvalue()


def _as_text(rows: Sequence[dict[str, Any]]) -> str:
    width = max(len(row["file"]) for row in rows)
    longest = max(len(row["label"] or "-") for row in rows)
    lines = []
    for row in rows:
        probability = "" if row["probability"] is None else f"  {row['probability']:.2f}"
        lines.append(
            f"{row['file']:<{width}}  {row['label'] or '-':<{longest}}{probability}".rstrip()
        )
    return "\n".join(lines)
