"""What votes teach beyond their majority: `python -m benchmarks.votes`.

Drawn faces that show two expressions at once, in all proportions, and several simulated people who
each say which of the two they see. Every method is trained on the majority alone and on the votes;
persons are apart. Measured against the proportions that were drawn: the log-loss of the
probabilities, the Brier score and the calibration error; and how often the likelier expression is
predicted.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import xlogy
from sklearn.model_selection import GroupKFold

from benchmarks._settings import NOISE
from benchmarks._timing import one_thread, record, table
from benchmarks.accuracy import code_version, paired, read
from skfer import (
    CrossEntropyEmbedder,
    GaussianMetricEmbedder,
    MultiThresholdEmbedder,
    TripletCenterEmbedder,
)
from skfer.datasets import EXPRESSIONS
from skfer.datasets.drawn._camera import take_pictures
from skfer.datasets.drawn._draws import draw_faces_at_random
from skfer.datasets.drawn._make import _shares_of_units

METHODS = {
    "cross-entropy": CrossEntropyEmbedder,
    "multi-threshold": MultiThresholdEmbedder,
    "triplet-center": TripletCenterEmbedder,
    "Gaussian": GaussianMetricEmbedder,
}
MEASURES = ("log_loss", "brier", "calibration_error", "accuracy")


def ambiguous_faces(n_subjects: int, n_samples: int, n_voters: int, seed: int) -> dict[str, Any]:
    """Faces between two expressions of one person, and what people say of them."""
    rng = np.random.RandomState(seed)
    draws = draw_faces_at_random(n_subjects, n_samples, np.random.RandomState(seed))
    units = _shares_of_units(draws)
    first = draws["target"]
    second = (first + rng.randint(1, len(EXPRESSIONS), len(first))) % len(EXPRESSIONS)
    partners = np.array(
        [
            rng.choice(np.flatnonzero((draws["subject"] == s) & (first == k)))
            for s, k in zip(draws["subject"], second, strict=True)
        ]
    )
    share = rng.uniform(0.5, 1.0, len(first))
    images, _ = take_pictures(
        draws, share[:, None] * units + (1 - share[:, None]) * units[partners], 48, False, 1.0
    )
    shown = np.zeros((len(first), len(EXPRESSIONS)))
    shown[np.arange(len(first)), first] = share
    shown[np.arange(len(first)), second] = 1 - share
    votes = np.array([rng.multinomial(n_voters, p) for p in shown])
    return {"images": images, "votes": votes, "shown": shown, "groups": draws["subject"]}


def fit_once(job: dict[str, Any], faces: dict[str, Any]) -> dict[str, Any]:
    """Fit one method on one fold, with or without votes, and measure its probabilities."""
    X, votes, shown = faces["images"], faces["votes"], faces["shown"]
    train, test = list(GroupKFold(job["folds"]).split(X, groups=faces["groups"]))[job["fold"]]
    more = {"priors": "uniform"} if job["method"] == "Gaussian" else {}
    model = METHODS[job["method"]](random_state=job["seed"], **NOISE, **more)
    given = votes[train] if job["votes"] else None
    with one_thread():
        model.fit(X[train], votes[train].argmax(axis=1), votes=given)
        probabilities = model.predict_proba(X[test])
    return job | measures(probabilities, shown[test])


def measures(probabilities: np.ndarray, shown: np.ndarray) -> dict[str, float]:
    """Compare probabilities with the proportions in which expressions are shown."""
    clipped = probabilities.clip(1e-6)
    sure, said = probabilities.max(axis=1), probabilities.argmax(axis=1)
    right = shown[np.arange(len(shown)), said]  # the share of people who would say so
    bins = np.digitize(sure, np.linspace(0, 1, 11)[1:-1])
    gaps = [abs((sure - right)[bins == b].sum()) for b in np.unique(bins)]
    values = {
        "log_loss": -xlogy(shown, clipped).sum(axis=1).mean(),
        "brier": np.square(probabilities - shown).sum(axis=1).mean(),
        "calibration_error": sum(gaps) / len(sure),
        "accuracy": (said == shown.argmax(axis=1)).mean(),
    }
    return {name: round(float(value), 4) for name, value in values.items()}


def report(results: list[dict[str, Any]]) -> str:
    """Means without and with votes, and paired differences with their standard errors."""
    header = ["method", *[f"{m}: majority, votes, difference" for m in MEASURES]]
    rows = []
    for method in METHODS:
        row = [method]
        for measure in MEASURES:
            both = [
                np.array([r[measure] for r in results if (r["method"], r["votes"]) == (method, v)])
                for v in (False, True)
            ]
            means = ", ".join(f"{values.mean():.3f}" for values in both)
            row.append(f"{means}, {paired(both[1] - both[0])}")
        rows.append(row)
    return table(header, rows)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--subjects", type=int, default=50)
    parser.add_argument("--samples", type=int, default=3, help="faces of an expression and person")
    parser.add_argument("--voters", type=int, default=10)
    parser.add_argument("--folds", type=int, default=3)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("results"))
    parser.add_argument("--write", action="store_true", help="write benchmarks/RESULTS.md")
    arguments = parser.parse_args()
    common = {name: getattr(arguments, name) for name in ("subjects", "samples", "voters", "folds")}
    common["code"] = code_version()
    wanted = [
        {**common, "method": method, "votes": votes, "fold": fold, "seed": seed}
        for seed in range(arguments.seeds)
        for fold in range(arguments.folds)
        for method in METHODS
        for votes in (False, True)
    ]
    path = arguments.out / "votes.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    done = {key(job): job for job in read(path)}
    faces = ambiguous_faces(arguments.subjects, arguments.samples, arguments.voters, seed=0)
    with path.open("a") as lines:
        for job in wanted:
            if key(job) not in done:
                done[key(job)] = fit_once(job, faces)
                print(json.dumps(done[key(job)]), file=lines, flush=True)
                print(
                    f"{job['method']} {job['votes']} {done[key(job)]['log_loss']}", file=sys.stderr
                )
    text = report([done[key(job)] for job in wanted])
    print(text)
    if arguments.write:
        about = (
            f"{len(faces['images'])} drawn faces between two expressions, {arguments.voters} "
            f"voters, {arguments.folds} folds with persons apart, {arguments.seeds} seeds; paired "
            "differences ± standard error."
        )
        record("Votes (`python -m benchmarks.votes`)", f"{about}\n\n{text}")
    return 0


def key(job: dict[str, Any]) -> tuple[Any, ...]:
    """Return what tells one fit from another."""
    return tuple(sorted((name, value) for name, value in job.items() if name not in MEASURES))


if __name__ == "__main__":
    sys.exit(main())
