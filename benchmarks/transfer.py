"""What the start from drawn faces gives: ``python -m benchmarks.transfer --root wild-faces``.

Every embedder and cross-entropy from noise and from the start, each with its defaults; the start
under losses of pytorch-metric-learning; the start as it is, under logistic regression; the drawn
classifier itself, without any training; and, where the package fer is installed, an outside network
of the field likewise. On few faces and many, on skewed ones, and on drawn faces of persons the
start has not seen. With ``--lengths`` also how long a fit from the start has to be to reach what
noise reaches at its end. A line a fit in benchmarks/results/, as in ``benchmarks.accuracy``, so
that a run that was cut off goes on.
"""

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks._starts import LENGTHS, METHODS, SHORTER, noise_of
from benchmarks._suites import SKEWED, Suite
from benchmarks._timing import record, table
from benchmarks.accuracy import BUDGETS, FOLD_SEEDS, MEASURES, mean, paired, report, run

TITLE = "Start from drawn faces"
ABOUT = (
    "Embedders with their defaults, from noise and from the start. *Frozen* is logistic regression "
    "on the start's features as they are; *zero-shot* the drawn classifier, which has seen no face "
    "of the set. Cross-entropy's own prediction is its classifier's; the Gaussian embedder's its "
    "posterior, with uniform priors, as all learn from balanced batches and are judged by balanced "
    "accuracy."
)
SETS = {
    # Data set, budget, skewed.
    "wild-30": ("wild", "30", False),
    "wild-120": ("wild", "120", False),
    "wild-all": ("wild", "full", False),
    "wild-skewed": ("wild", "skewed", True),
    "drawn": ("synthetic", "30", False),
}
REFERENCE = "cross-entropy, noise"


def suite_of(skewed: bool) -> Suite:
    """All methods, on classes as they are or skewed."""
    return Suite(
        about=ABOUT,
        reference=REFERENCE,
        methods=METHODS | SHORTER,
        proportions=SKEWED if skewed else None,
    )


def fits_of(name: str, arguments: argparse.Namespace, methods: Any) -> list[dict[str, Any]]:
    """Fit what is not there yet."""
    dataset, budget, skewed = SETS[name]
    wanted = argparse.Namespace(
        suite="transfer", budget=budget, methods=list(methods), **vars(arguments)
    )
    return run(suite_of(skewed), dataset, wanted)


def against_baseline(fits: list[dict[str, Any]]) -> str:
    """Tell how far the methods are from cross-entropy from the same start, paired."""
    by_method = {method: [r for r in fits if r["method"] == method] for method in METHODS}
    header = ["minus cross-entropy from the same start", *MEASURES.values()]
    rows = []
    for method, found in by_method.items():
        start = method.rpartition(", ")[2]
        baseline = by_method.get(f"cross-entropy, {start}")
        if found and baseline and not method.startswith("cross-entropy"):
            differences = (mean(found, m) - mean(baseline, m) for m in MEASURES)
            rows.append([method, *map(paired, differences)])
    return table(header, rows)


def time_to_accuracy(fits: list[dict[str, Any]]) -> str:
    """Tell which length of a fit from the start reaches what noise reaches at its end, by 5-NN."""
    lengths = ", ".join(f"{length}" for length in LENGTHS)
    by_method = {method: [r for r in fits if r["method"] == method] for method in METHODS | SHORTER}
    rows = []
    for name in SHORTER:
        started, noise = by_method[name], by_method[noise_of(name)]
        if not started or not noise:
            continue
        reached, goal = (mean(r, "knn_balanced").mean() for r in (started, noise))
        share = mean(started, "fit_seconds").sum() / mean(noise, "fit_seconds").sum()
        cells = [f"{reached:.3f}", f"{goal:.3f}", "yes" if reached >= goal else "no"]
        rows.append([name, *cells, f"{share:.2f}"])
    header = ["method", "reaches", "noise at its end", "as good", "share of noise's seconds"]
    return f"Time to accuracy, fits of {lengths} passes:\n\n{table(header, rows)}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=Path, help="folder of wild-faces; without it only drawn")
    parser.add_argument("--sets", nargs="+", choices=sorted(SETS))
    parser.add_argument("--methods", nargs="+", choices=sorted(METHODS), default=sorted(METHODS))
    parser.add_argument("--lengths", action="store_true", help="also the time to accuracy")
    parser.add_argument("--seeds", type=int)
    parser.add_argument("--purpose", choices=sorted(FOLD_SEEDS), default="report")
    parser.add_argument("--n-jobs", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("results"))
    parser.add_argument("--write", action="store_true", help="write benchmarks/RESULTS.md")
    arguments = parser.parse_args()
    sets = arguments.sets or [name for name in SETS if arguments.root or name == "drawn"]
    if arguments.root is None and any(SETS[name][0] == "wild" for name in sets):
        parser.error("the wild faces need --root")
    methods = arguments.methods
    ours = ("sets", "methods", "lengths", "write")
    given = argparse.Namespace(**{k: v for k, v in vars(arguments).items() if k not in ours})
    for name in sets:
        fits = fits_of(name, given, methods)
        text = report(replace(suite_of(SETS[name][2]), methods=METHODS), name, fits)
        text += "\n\n" + against_baseline(fits)
        if arguments.lengths:
            text += "\n\n" + time_to_accuracy(fits + fits_of(name, given, SHORTER))
        print(text, "\n", flush=True)
        if arguments.write:
            about = f"{ABOUT} Budget: {BUDGETS[SETS[name][1]]}."
            record(f"{TITLE}: {name} (`python -m benchmarks.transfer`)", f"{about}\n\n{text}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
