"""What the embedders reach in bfloat16 and in float32, fit by fit."""

import argparse
import itertools
import json
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import joblib
import numpy as np

from benchmarks._suites import Suite
from benchmarks._timing import table
from benchmarks.accuracy import at_most, code_version, fit_once, load, mean, paired, read, spread
from skfer import (
    CrossEntropyEmbedder,
    GaussianMetricEmbedder,
    MultiThresholdEmbedder,
    TripletCenterEmbedder,
)

TITLE = "Accuracy in both precisions (`python -m benchmarks.precision --accuracy`)"
KINDS = {
    "cross-entropy": CrossEntropyEmbedder,
    "multi-threshold": MultiThresholdEmbedder,
    "triplet-center": TripletCenterEmbedder,
    "Gaussian": GaussianMetricEmbedder,
}
MEASURES = {"knn_balanced": "5-NN", "svm_balanced": "SVM", "own_balanced": "own"}
FOLDS, SEEDS = 3, 2
Data = tuple[np.ndarray, np.ndarray, np.ndarray]

_slowest = 0.0
"""Seconds of this process's longest fit so far."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--root", type=Path, help="folder of wild-faces")
    parser.add_argument(
        "--faces", type=Path, help="decoded faces in its place: .npz of X, y and g, the persons"
    )
    parser.add_argument("--datasets", nargs="+", choices=["wild", "synthetic"])
    parser.add_argument("--cap", type=int, default=120, help="most faces of a class")
    parser.add_argument("--max-epochs", type=int, help="in place of the default length")
    parser.add_argument("--n-jobs", type=int, default=2)
    parser.add_argument(
        "--seconds", type=float, default=np.inf, help="begin no fit that would take longer"
    )
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("results"))


def run(arguments: argparse.Namespace) -> str:
    """Do the fits that are not there yet, and report on all."""
    deadline = time.time() + arguments.seconds
    wild = arguments.root or arguments.faces
    datasets = arguments.datasets or (["wild"] if wild else []) + ["synthetic"]
    data = {name: _capped(_load(name, arguments), arguments.cap) for name in datasets}
    path = arguments.out / "precision.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    wanted = list(_jobs(datasets, arguments))
    done = {_key(job): job for job in read(path)}
    todo = [job for job in wanted if _key(job) not in done]
    parallel = joblib.Parallel(arguments.n_jobs, return_as="generator_unordered")
    fits = (joblib.delayed(_fit)(job, data[job["dataset"]], deadline) for job in todo)
    with path.open("a") as lines:
        for result in parallel(fits):
            if result is not None:
                done[_key(result)] = result
                print(json.dumps(result), file=lines, flush=True)
                print(f"{len(done)} {result['method']}", file=sys.stderr, flush=True)
    results = [done[_key(job)] for job in wanted if _key(job) in done]
    sizes = {name: len(data[name][0]) for name in datasets}
    return "\n\n".join(_report(name, sizes[name], results) for name in datasets)


def _load(name: str, arguments: argparse.Namespace) -> Data:
    if name == "wild" and arguments.faces is not None:
        with np.load(arguments.faces) as arrays:
            return arrays["X"], arrays["y"], arrays["g"]
    return load(name, _suite(name, arguments.device, None), {"cap": None}, arguments.root)


def _capped(data: Data, cap: int) -> Data:
    X, y, groups = data
    keep = at_most(np.arange(len(y)), y, cap, (0, 0))
    return X[keep], y[keep], groups[keep]


def _suite(dataset: str, device: str, max_epochs: int | None) -> Suite:
    """All embedders in both precisions, otherwise as they are by default.

    On drawn faces from noise: the start would be judged by what it has learned.
    """
    settings: dict[str, Any] = {"device": device}
    if max_epochs is not None:
        settings["max_epochs"] = max_epochs
    if dataset == "synthetic":
        settings["backbone"] = "scratch"
    methods = {
        f"{name}, {precision}": partial(_make, kind, precision=precision, **settings)
        for name, kind in KINDS.items()
        for precision in ("float32", "bfloat16")
    }
    return Suite(about="", reference="", methods=methods)


def _make(kind: Any, seed: int, **settings: Any) -> Any:
    return kind(random_state=seed, **settings)


def _jobs(datasets: list[str], arguments: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """All fits of a data set after the other, fold by fold: a run that is cut off has pairs."""
    code = code_version()
    orders = itertools.product(datasets, range(SEEDS), range(FOLDS))
    for dataset, seed, fold in orders:
        for method in _suite(dataset, arguments.device, None).methods:
            yield {
                "dataset": dataset,
                "purpose": "report",
                "method": method,
                "device": arguments.device,
                "cap": arguments.cap,
                "max_epochs": arguments.max_epochs,
                "code": code,
                "fold": fold,
                "folds": FOLDS,
                "seed": seed,
            }


def _key(job: dict[str, Any]) -> tuple[Any, ...]:
    names = ("dataset", "method", "device", "cap", "max_epochs", "code", "fold", "seed")
    return tuple(job.get(name) for name in names)


def _fit(job: dict[str, Any], data: Data, deadline: float) -> dict[str, Any] | None:
    """Fit and measure, if there is time for a fit as long as the longest before."""
    global _slowest
    start = time.time()
    if start + _slowest > deadline:
        return None
    suite = _suite(job["dataset"], job["device"], job["max_epochs"])
    result = fit_once(job, suite, data)
    _slowest = max(_slowest, time.time() - start)
    return result


def _report(dataset: str, n_faces: int, results: list[dict[str, Any]]) -> str:
    """Balanced accuracy in float32, and the paired differences of bfloat16."""
    rows, n_fits = [], []
    for name in KINDS:
        fits = {
            precision: {
                (r["seed"], r["fold"]): r
                for r in results
                if (r["dataset"], r["method"]) == (dataset, f"{name}, {precision}")
            }
            for precision in ("float32", "bfloat16")
        }
        both = sorted(fits["float32"].keys() & fits["bfloat16"].keys())
        if len(both) < 2:
            continue
        n_fits.append(len(both))
        one, other = ([fits[p][at] for at in both] for p in ("float32", "bfloat16"))
        rows.append([name, len(both)])
        for measure in MEASURES:
            before, after = mean(one, measure), mean(other, measure)
            rows[-1] += [spread(before), paired(after - before)]
        rows[-1].append(f"{mean(other, 'fit_seconds').sum() / mean(one, 'fit_seconds').sum():.2f}")
    header = ["", "fits of each"]
    for name in MEASURES.values():
        header += [f"{name}, float32", f"{name}, bfloat16 minus"]
    header.append("process time of a fit, ratio")
    about = (
        f"{dataset}: {n_faces} faces, {FOLDS} person-disjoint folds x {SEEDS} seeds; balanced "
        "accuracy, mean ± standard deviation, and paired differences, mean ± standard error."
    )
    return f"{about}\n\n{table(header, rows)}"
