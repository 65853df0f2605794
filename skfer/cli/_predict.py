"""`skfer predict`."""

import argparse
import csv
import io
import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from sklearn.base import is_regressor
from tqdm import tqdm

from skfer.cli._draw import draw_faces, drawing_places
from skfer.cli._output import (
    all_tried,
    bars_wanted,
    check_apart,
    check_folder,
    check_outside,
    check_writable,
    counted,
    in_a_line,
    is_regular,
    is_stdout,
    say,
    warn,
    write_text,
)
from skfer.cli._pictures import (
    NO_FACE,
    FaceReader,
    Found,
    find_pictures,
    load_model,
    model_and_pictures,
    reader_of,
)
from skfer.cli.exit_codes import UNUSABLE
from skfer.evaluation._tables import padded, width_of
from skfer.exceptions import ArgumentError
from skfer.persistence._parts import without_aligners
from skfer.pictures import PictureError
from skfer.validation._arrays import word_of

_CHUNK = 256  # pictures in memory: some full batches of the network
_TOLD_EACH = 5  # pictures with the same fault; of more their number is told
_EDGES = ("x0", "y0", "x1", "y1")
# Columns of the table before and after those of the classes.
_BEFORE = ("file", "face", *_EDGES, "score", "label", "probability")
_AFTER = ("error",)
_IF_DRAWN = ("drawn",)


def run(arguments: argparse.Namespace) -> int:
    """Print the expression of each face; 1 if there are pictures without one."""
    for option in ("json", "csv"):
        check_writable(getattr(arguments, option), f"--{option}", inputs=arguments.places)
    check_apart(arguments.json, arguments.csv, ("--json", "--csv"))
    check_outside(arguments.draw, "--draw", arguments.places)
    check_folder(arguments.draw, "--draw")
    path, places = model_and_pictures(arguments)
    model = load_model(path, arguments.trusted, arguments.device)
    names = find_pictures(places)
    if not hasattr(model, "predict"):
        raise ArgumentError("{model} does not predict: train one with another --classifier.")
    reader = reader_of(model, arguments.detector)
    verbose = bars_wanted(arguments.quiet) and len(names) > 1
    classes = [word_of(label) for label in getattr(model, "classes_", ())]
    rows: list[dict[str, Any]] = []
    try:
        for row in predictions(model, reader, names, arguments.n_jobs, verbose):
            rows.append(row)
    except BaseException:  # Ctrl-C and a full memory leave what was done until then
        _keep(rows, classes, len(names), arguments)
        raise
    drawings = {} if arguments.draw is None else drawing_places(rows, arguments.draw)
    if arguments.draw is not None:
        rows = [row | {"drawn": _text_of(drawings.get(row["file"]))} for row in rows]
    outputs = _outputs(arguments)
    on_stdout = any(map(is_stdout, outputs.values()))
    all_tried(
        *_files(rows, classes, outputs),
        lambda: None if on_stdout else say(_as_text(rows, sys.stdout)),
        lambda: _draw(rows, drawings, arguments.draw, sys.stderr if on_stdout else sys.stdout),
        lambda: _tell_errors(rows),
    )
    told = {row["file"] for row in rows if row["error"] is None}
    return 0 if told.issuperset(names) else UNUSABLE


def _text_of(path: Path | None) -> str | None:
    return None if path is None else str(path)


def _draw(
    rows: Sequence[dict[str, Any]], places: Mapping[str, Path], folder: Path | None, stream: TextIO
) -> None:
    if folder is not None:
        draw_faces([{**row, "label": _worded(row)} for row in rows], places)
        say(f"{counted(len(places), 'picture')}: {folder}", stream)


def _tell_errors(rows: Sequence[dict[str, Any]]) -> None:
    """Warn of what could not be used; what ails many pictures, such as no detector, once."""
    files: dict[str, list[str]] = {}
    for row in rows:
        if row["error"] is not None:
            files.setdefault(row["error"], []).append(in_a_line(row["file"]))
    for error, names in files.items():
        if len(names) > _TOLD_EACH:
            names = [f"{names[0]} and {len(names) - 1:,} more"]
        for name in names:
            warn(f"{name}: {error}")


def _outputs(arguments: argparse.Namespace) -> dict[str, Path]:
    """Return the wanted files, by option."""
    wanted = {option: getattr(arguments, option) for option in ("json", "csv")}
    return {option: path for option, path in wanted.items() if path is not None}


def _files(
    rows: list[dict[str, Any]], classes: Sequence[str], outputs: Mapping[str, Path]
) -> Iterator[Callable[[], None]]:
    """Yield what writes each of the wanted files."""
    styles: dict[str, Callable[..., str]] = {"json": _as_json, "csv": _as_csv}
    for option, path in outputs.items():
        yield partial(write_text, path, styles[option](rows, classes), f"--{option}")


def _keep(
    rows: list[dict[str, Any]], classes: Sequence[str], n_pictures: int, arguments: Any
) -> None:
    """Tell what there is before a call is given up; no file that was there gives way to a part."""
    if not rows:
        return
    outputs = _outputs(arguments)
    whole = {option: path for option, path in outputs.items() if path.exists() and is_regular(path)}
    parts = {option: path.with_stem(f"{path.stem}.part") for option, path in whole.items()}
    on_stdout = any(map(is_stdout, outputs.values()))
    all_tried(
        *_files(rows, classes, outputs | parts),
        lambda: None if on_stdout else say(_as_text(rows, sys.stdout)),
    )
    done = "written" if outputs else "told"
    n_done = len({row["file"] for row in rows})
    kept = "".join(f"; {path} is as it was, and {parts[o]} has these" for o, path in whole.items())
    warn(f"{done} are {n_done:,} of {counted(n_pictures, 'picture')}{kept}.")


def predictions(
    model: Any, reader: FaceReader, names: Sequence[str], n_jobs: int, verbose: bool
) -> Iterator[dict[str, Any]]:
    """Yield a row for each face, pictures in their order, faces from left to right.

    A picture without a face, or one that cannot be read, has a row that says so, and so has what
    the detector found that cannot be a face.
    """
    predict = without_aligners(model)
    with tqdm(total=len(names), unit="picture", disable=not verbose) as bar:
        for start in range(0, len(names), _CHUNK):
            part = names[start : start + _CHUNK]
            found = _read_all(reader, part, n_jobs)
            each = [face.crop for faces in found if isinstance(faces, list) for face in faces]
            crops = [crop for crop in each if crop is not None]
            answers = _answers(predict, np.stack(crops)) if crops else iter(())
            for name, faces in zip(part, found, strict=True):
                yield from _rows_of(name, faces, answers)
            bar.update(len(part))


def _read_all(
    reader: FaceReader, names: Sequence[str], n_jobs: int
) -> list[list[Found] | PictureError]:
    """Return the faces of each picture, or why there are none."""

    def read(name: str) -> list[Found] | PictureError:
        try:
            return reader.faces(name)
        except PictureError as error:
            return error

    if n_jobs == 1 or len(names) == 1:
        return [read(name) for name in names]
    with ThreadPoolExecutor(n_jobs) as pool:
        return list(pool.map(read, names))


def _answers(model: Any, images: Any) -> Iterator[dict[str, Any]]:
    """Yield what the model says of each face."""
    if not hasattr(model, "predict_proba"):  # an SVM has none
        # A number that is measured stays one; one that names a class is a word.
        as_label = _as_number if is_regressor(model) else word_of
        for label in model.predict(images):
            yield {"label": as_label(label), "probability": None, "probabilities": None}
        return
    names = [word_of(label) for label in model.classes_]
    for proba in model.predict_proba(images):
        best = names[int(np.argmax(proba))]
        each = dict(zip(names, map(float, proba), strict=True))
        yield {"label": best, "probability": each[best], "probabilities": each}


def _as_number(value: Any) -> float | list[float]:
    """Return what a regressor says of a face: a list of several targets."""
    # Of float32 the decimals that it has, not those of the nearest float64.
    numbers = [float(str(number)) for number in np.ravel(value)]
    return numbers if np.ndim(value) else numbers[0]


def _worded(row: dict[str, Any], form: str = ".4g") -> str:
    """Return the label of a row as a text: "" if it has none."""
    label = row["label"]
    if label is None or isinstance(label, str):
        return label or ""
    return " ".join(f"{number:{form}}" for number in np.ravel(label))


def _rows_of(
    name: str, faces: list[Found] | PictureError, answers: Iterator[dict[str, Any]]
) -> Iterator[dict[str, Any]]:
    nothing = dict.fromkeys(("label", "probability", "probabilities"))
    if isinstance(faces, PictureError) or not faces:
        why = str(faces) if isinstance(faces, PictureError) else NO_FACE
        yield {"file": name, "face": -1, "box": None, "score": None, **nothing, "error": why}
        return
    for i, face in enumerate(faces):
        box = None if face.box is None else [round(float(edge), 1) for edge in face.box]
        found = {"file": name, "face": i, "box": box, "score": face.score}
        if face.crop is None:
            yield {**found, **nothing, "error": face.fault}
        else:
            yield {**found, **next(answers), "error": None}


def _as_json(rows: list[dict[str, Any]], classes: Sequence[str]) -> str:
    text = json.dumps(rows, indent=1, ensure_ascii=False)
    # Bytes of a file's name that are no UTF-8 are surrogates, which JSON can hold as escapes alone.
    return re.sub("[\ud800-\udfff]", lambda found: f"\\u{ord(found[0]):04x}", text) + "\n"


def _class_columns(classes: Sequence[str], own: set[str]) -> list[str]:
    """Return the name of the column of each class: its own, if no other column has it."""
    return [_renamed(name, own | {*classes}) if name in own else name for name in classes]


def _renamed(name: str, taken: set[str]) -> str:
    while name in taken:
        name = f"probability of {name}"
    return name


def _as_csv(rows: list[dict[str, Any]], classes: Sequence[str]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    after = [*_AFTER, *(name for name in _IF_DRAWN if rows and name in rows[0])]
    writer.writerow([*_BEFORE, *_class_columns(classes, {*_BEFORE, *after}), *after])
    for row in rows:
        box = ["" if row["box"] is None else f"{edge:g}" for edge in row["box"] or _EDGES]
        each = row["probabilities"] or dict.fromkeys(classes)
        numbers = ["" if p is None else f"{p:.6f}" for p in (row["probability"], *each.values())]
        score = "" if row["score"] is None else f"{row['score']:.4f}"
        face = [row["file"], row["face"], *box, score, _worded(row, "")]
        writer.writerow([*face, *numbers, *(row[name] or "" for name in after)])
    return out.getvalue()


def _as_text(rows: Sequence[dict[str, Any]], stream: TextIO | None = None) -> str:
    """Return a line for each face, in columns that are straight on the stream."""
    columns = [
        [in_a_line(row["file"], stream) for row in rows],
        [_place(row["box"]) for row in rows],
        [in_a_line(_worded(row), stream) or "-" for row in rows],
        ["" if row["probability"] is None else f"{row['probability']:.2f}" for row in rows],
    ]
    widths = [max(map(width_of, column)) for column in columns]
    lines = [
        "  ".join(padded(cell, width) for cell, width in zip(line, widths, strict=True) if width)
        for line in zip(*columns, strict=True)
    ]
    return "\n".join(line.rstrip() for line in lines)


def _place(box: Sequence[float] | None) -> str:
    """Return where a face is, (left, upper)-(right, lower), in pixels."""
    if box is None:
        return ""
    left, upper, right, lower = (round(edge) for edge in box)
    return f"({left}, {upper})-({right}, {lower})"
