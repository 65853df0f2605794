"""What the embedders reach beside their baselines: `python -m benchmarks.accuracy`.

Person-disjoint folds; every method has the same network, batches, augmentation and number of
epochs; only the loss differs. One JSON line a fit, in benchmarks/results/: what is there is not
computed again while the code that trains stays the same, so that a run that was cut off goes on.
Settings were chosen on other folds (``FOLD_SEEDS["choose"]``) than those reported.
"""

import argparse
import hashlib
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import joblib
import numpy as np
from sklearn.metrics import accuracy_score, balanced_accuracy_score, recall_score
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import SVC

import skfer
from benchmarks._suites import SUITES, Suite
from benchmarks._timing import one_thread, record, table
from skfer.datasets import load_image_table, make_expressions
from skfer.metrics import clustering_nmi, mean_average_precision_at_r, recall_at_k

FOLD_SEEDS = {"choose": 7, "report": 11}
BUDGETS = {
    # Most images of a class, before the folds or in the training part of each, or most of all
    # classes in that part; folds, seeds.
    "quick": {"cap": 600, "folds": 3, "seeds": 2},
    # To see that a suite works; drawn faces alone are fewer too.
    "tiny": {"cap": 60, "folds": 2, "seeds": 1, "n_subjects": 10},
    "full": {"cap": None, "folds": 3, "seeds": 3},
    # Four fifths of 120 and of 30; all faces of the persons held out are tested, since a few dozen
    # would tell little.
    "120": {"cap": None, "train": 96, "folds": 5, "seeds": 3},
    "30": {"cap": None, "train": 24, "folds": 5, "seeds": 3},
    # As skewed as the whole. Of 2,000 faces a fold would leave seven sad ones to test on.
    "skewed": {"cap": None, "train_in_all": 2000, "folds": 5, "seeds": 3},
}
RANKS = (1, 2, 4, 8)
MEASURES = {
    "knn_balanced": "5-NN, balanced",
    "svm_balanced": "SVM, balanced",
    "own_balanced": "own, balanced",
    "recall_at_1": "recall@1",
    "map_at_r": "MAP@R",
}
FREQUENT = ("anger", "happiness", "neutral", "sadness", "surprise")


def load(name: str, suite: Suite, budget: dict[str, Any], root: Path | None) -> Any:
    """Images, labels and persons of a data set, as the suite wants its classes to be weighted."""
    if name == "synthetic":
        n_subjects = budget.get("n_subjects", suite.n_subjects)
        faces = make_expressions(n_subjects, proportions=suite.proportions, random_state=0)
        return faces.images, faces.target, faces.groups
    faces = load_image_table(
        root / "labels.csv",
        root / "images",
        label_column="expression",
        group_column="person",
        classes=FREQUENT,
        image_size=48,
    )
    keep = np.random.RandomState(100).permutation(len(faces.target))
    if suite.proportions is not None and budget["cap"] is not None:
        keep = keep[: 5 * budget["cap"]]  # in proportion, as skewed as the whole
    elif budget["cap"] is not None:
        y = faces.target[keep]
        keep = np.concatenate([keep[y == c][: budget["cap"]] for c in np.unique(y)])
    keep = np.sort(keep)
    return faces.images[keep], faces.target[keep], np.asarray(faces.groups)[keep]


def fit_once(job: dict[str, Any], suite: Suite, data: Any) -> dict[str, Any]:
    """Fit one method on one fold with one seed, and measure it by two classifiers."""
    X, y, groups = data
    splitter = StratifiedGroupKFold(
        job["folds"], shuffle=True, random_state=FOLD_SEEDS[job["purpose"]]
    )
    train, test = list(splitter.split(X, y, groups))[job["fold"]]
    seed = job["seed"], job["fold"]
    train = at_most(train, y, job.get("train"), seed)
    train = at_most_in_all(train, job.get("train_in_all"), seed)
    embedder = suite.methods[job["method"]](job["seed"])
    if job.get("label_noise"):
        embedder.set_params(label_noise=True)
    y_train = with_wrong_labels(y[train], job.get("wrong", 0), job["fold"])
    if job["method"] in suite.told:
        right = y_train == y[train]
        train, y_train = train[right], y_train[right]
    with one_thread():
        start = time.process_time()
        embedder.fit(X[train], y_train)
        seconds = time.process_time() - start
        Z_train, Z_test = embedder.transform(X[train]), embedder.transform(X[test])
    result = {**job, "fit_seconds": round(seconds, 2)}
    last = getattr(embedder, "history_", [{}])[-1]  # PCA has none
    if "active_fraction" in last:
        result["active_fraction"] = round(last["active_fraction"], 4)
    followers = {"knn": KNeighborsClassifier(5), "svm": SVC(class_weight="balanced")}
    predictions = {
        name: model.fit(Z_train, y_train).predict(Z_test) for name, model in followers.items()
    }
    if hasattr(embedder, "predict"):
        predictions["own"] = embedder.predict(X[test])
    for name, predicted in predictions.items():
        result[f"{name}_balanced"] = round(balanced_accuracy_score(y[test], predicted), 4)
        result[f"{name}_accuracy"] = round(accuracy_score(y[test], predicted), 4)
        result[f"{name}_recall"] = np.round(
            recall_score(y[test], predicted, average=None), 4
        ).tolist()
    return result | retrieval(Z_test, y[test], groups[test])


def at_most(
    chosen: np.ndarray, y: np.ndarray, n_samples: int | None, seed: tuple[int, int]
) -> np.ndarray:
    """Return indices of at most so many samples of a class, drawn with the same seed for all."""
    if n_samples is None:
        return chosen
    shuffled = np.random.default_rng(seed).permutation(chosen)
    parts = [shuffled[y[shuffled] == c][:n_samples] for c in np.unique(y)]
    return np.sort(np.concatenate(parts))


def at_most_in_all(chosen: np.ndarray, n_samples: int | None, seed: tuple[int, int]) -> np.ndarray:
    """Return indices of at most so many samples, whatever their classes."""
    return np.sort(np.random.default_rng(seed).permutation(chosen)[:n_samples])


def with_wrong_labels(y: np.ndarray, share: float, seed: int) -> np.ndarray:
    """Return labels of which a share are those of another class, drawn with the same seed for all.

    The classifiers that follow an embedder learn from them too; tests are on right labels.
    """
    rng = np.random.RandomState(seed)
    wrong = rng.permutation(len(y))[: round(share * len(y))]
    classes, codes = np.unique(y, return_inverse=True)
    codes[wrong] += rng.randint(1, len(classes), len(wrong))
    return classes[codes % len(classes)]


def retrieval(Z: np.ndarray, y: np.ndarray, groups: np.ndarray) -> dict[str, Any]:
    """Recall@k among other persons' faces, and how well k-means agrees with the labels."""
    recalls = recall_at_k(Z, y, k=RANKS, groups=groups)
    return {
        "recall_at": np.round(recalls, 4).tolist(),
        "recall_at_1": round(float(recalls[0]), 4),
        "map_at_r": round(mean_average_precision_at_r(Z, y, groups=groups), 4),
        "nmi": round(clustering_nmi(Z, y, random_state=0), 4),
    }


def jobs_of(suite: Suite, dataset: str, arguments: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """All fits of a table, seed by seed, so that a cut-off run is balanced."""
    budget = BUDGETS[arguments.budget]
    code = code_version()
    methods = [m for m in suite.methods if m in (arguments.methods or suite.methods)]
    if suite.has_variants and arguments.purpose == "report":
        methods = chosen(methods, dataset, arguments)
    for seed in range(arguments.seeds or budget["seeds"]):
        for fold in range(budget["folds"]):
            for method in methods:
                yield {
                    "suite": arguments.suite,
                    "dataset": dataset,
                    "budget": arguments.budget,
                    "purpose": arguments.purpose,
                    "method": method,
                    "wrong": getattr(arguments, "wrong", 0),
                    "label_noise": getattr(arguments, "label_noise", False),
                    "train": budget.get("train"),
                    "train_in_all": budget.get("train_in_all"),
                    "code": code,
                    "fold": fold,
                    "folds": budget["folds"],
                    "seed": seed,
                }


def chosen(methods: list[str], dataset: str, arguments: argparse.Namespace) -> list[str]:
    """Of the variants of a method ("name, variant") keep the one that was better when choosing.

    All stay that were not run on the choosing folds.
    """
    scores: dict[str, list[float]] = {}
    for fit in read(results_path(arguments)):
        if (fit["dataset"], fit["purpose"]) == (dataset, "choose"):
            scores.setdefault(fit["method"], []).append(fit["knn_balanced"])
    best: dict[str, str] = {}
    for method in sorted(scores, key=lambda m: np.mean(scores[m])):
        best[method.partition(",")[0]] = method
    return [m for m in methods if m not in scores or best[m.partition(",")[0]] == m]


def results_path(arguments: argparse.Namespace) -> Path:
    """Where the lines of a suite are."""
    return arguments.out / f"accuracy-{arguments.suite}.jsonl"


def code_version() -> str:
    """Hash of all that draws faces, fits and measures: fits of other code are not mixed in."""
    package = Path(skfer.__file__).parent
    rooms = ("embedders", "losses", "nets", "training")
    rooms += ("datasets", "metrics", "pictures", "validation")
    files = [path for room in rooms for path in sorted((package / room).rglob("*.py"))]
    files += sorted((package / "nets" / "weights").glob("*.safetensors"))
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:12]


def read(path: Path) -> list[dict[str, Any]]:
    """Fits of earlier runs."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text().splitlines() if line.strip()]


def run(suite: Suite, dataset: str, arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """Do the fits that are not there yet, and return all of the table."""
    path = results_path(arguments)
    path.parent.mkdir(parents=True, exist_ok=True)
    wanted = list(jobs_of(suite, dataset, arguments))
    done = {key(job): job for job in read(path)}
    todo = [job for job in wanted if key(job) not in done]
    if todo:
        data = load(dataset, suite, BUDGETS[arguments.budget], arguments.root)
        parallel = joblib.Parallel(arguments.n_jobs, return_as="generator_unordered")
        with path.open("a") as lines:
            for result in parallel(joblib.delayed(fit_once)(job, suite, data) for job in todo):
                done[key(result)] = result
                print(json.dumps(result), file=lines, flush=True)
                print(f"{len(done)} {result['method']} {result['knn_balanced']}", file=sys.stderr)
    return [done[key(job)] for job in wanted]


def key(job: dict[str, Any]) -> tuple[Any, ...]:
    """Return what tells one fit from another."""
    names = ["dataset", "budget", "purpose", "method", "code", "fold", "folds", "seed"]
    names += ["train", "train_in_all"]
    return (*map(job.get, names), job.get("wrong", 0), job.get("label_noise", False))


def mean(results: list[dict[str, Any]], measure: str) -> np.ndarray:
    """Return a measure of each fit, ordered by fold and seed, NaN where it has none."""
    ordered = sorted(results, key=lambda r: (r["seed"], r["fold"]))
    return np.array([r.get(measure, np.nan) for r in ordered], dtype=float)


def search(by_method: dict[str, list[dict[str, Any]]], measure: str) -> np.ndarray:
    """Return what a search among methods gives in each fit, by one measure.

    In every fold the method is taken that was best on the other folds, whose persons are in this
    fold's training set: the best of all on the fold itself would be chosen by its test set.
    """
    scores = np.array([mean(fits, measure) for fits in by_method.values()])
    folds = np.array(sorted((r["seed"], r["fold"]) for r in next(iter(by_method.values()))))[:, 1]
    chosen = [scores[:, folds != fold].mean(axis=1).argmax() for fold in folds]
    return scores[chosen, np.arange(len(folds))]


def report(suite: Suite, dataset: str, results: list[dict[str, Any]]) -> str:
    """Mean and standard deviation over folds and seeds; differences paired with the reference."""
    by_method = {m: [r for r in results if r["method"] == m] for m in suite.methods}
    by_method = {m: r for m, r in by_method.items() if r}
    measures = [m for m in MEASURES if any(m in r for r in results)]
    names = [MEASURES[m] for m in measures]
    header = ["method", *names, "5-NN, accuracy"]
    header += [f"{name}, minus {suite.reference}" for name in names] + ["fit"]
    every = {
        method: {m: mean(fits, m) for m in [*measures, "knn_accuracy", "fit_seconds"]}
        for method, fits in by_method.items()
    }
    searched = {m: r for m, r in by_method.items() if m in suite.searched}
    if searched:
        found = {m: search(searched, m) for m in [*measures, "knn_accuracy"]}
        cost = np.sum([every[m]["fit_seconds"] for m in searched], axis=0)
        every["search among them"] = {**found, "fit_seconds": cost}
    reference = every.get(suite.reference)
    rows = []
    for method, scores in every.items():
        cells = [spread(scores[m]) for m in [*measures, "knn_accuracy"]]
        for m in measures:
            same = reference is None or method == suite.reference
            cells.append("" if same else paired(scores[m] - reference[m]))
        rows.append([method, *cells, f"{scores['fit_seconds'].mean():.0f} s"])
    n = len(next(iter(by_method.values())))
    wrong = results[0].get("wrong", 0)
    head = f"{dataset}, {wrong:.0%} of the labels wrong, " if wrong else f"{dataset}, "
    head += "all with `label_noise`, " if results[0].get("label_noise") else ""
    head += f"{n} fits a method (folds x seeds); mean ± standard deviation, and of "
    head += "differences, paired, mean ± standard error\n\n"
    parts = [head + table(header, rows), details(by_method)]
    if len({method.startswith(suite.papers) for method in by_method}) == 2:
        parts.append(standing(every, measures, suite.papers))
    return "\n\n".join(parts)


def standing(
    every: dict[str, dict[str, np.ndarray]], measures: list[str], papers: tuple[str, ...]
) -> str:
    """Tell, for each measure, the best of the papers' methods beside the best of the others."""
    header = ["measure", "best of the papers", "", "best of the others", "", "difference, paired"]
    rows = []
    for measure in measures:
        scores = {m: s[measure] for m, s in every.items() if not np.isnan(s[measure]).any()}
        ranked = sorted(scores, key=lambda method: -scores[method].mean())
        ours = next(method for method in ranked if method.startswith(papers))
        other = next(method for method in ranked if not method.startswith(papers))
        means = [f"{scores[method].mean():.3f}" for method in (ours, other)]
        difference = paired(scores[ours] - scores[other])
        rows.append([MEASURES[measure], ours, means[0], other, means[1], difference])
    return table(header, rows)


def details(by_method: dict[str, list[dict[str, Any]]]) -> str:
    """Recall of each class, recall@k over persons and agreement of clusters with classes."""
    header = ["method", "recall of each class, in order of name: 5-NN", "own"]
    header += [*[f"recall@{k}" for k in RANKS], "NMI", "active in the last epoch"]
    rows = []
    for method, fits in by_method.items():
        recalls = np.mean([r["recall_at"] for r in fits], axis=0)
        nmi = np.mean([r["nmi"] for r in fits])
        rows.append([method])
        for by in ("knn_recall", "own_recall"):
            columns = zip(*[r.get(by, ()) for r in fits], strict=True)
            classes = [np.mean(column) for column in columns]
            rows[-1].append(" ".join(f"{c:.2f}" for c in classes))
        active = [r["active_fraction"] for r in fits if "active_fraction" in r]
        rows[-1] += [f"{v:.3f}" for v in [*recalls, nmi]]
        rows[-1].append(f"{np.mean(active):.3f}" if active else "")
    return table(header, rows)


def spread(values: np.ndarray) -> str:
    """Mean and standard deviation."""
    if np.isnan(values).all():
        return ""
    return f"{values.mean():.3f} ± {values.std(ddof=1):.3f}"


def paired(differences: np.ndarray) -> str:
    """Mean difference and its standard error; nothing for a method without the measure.

    The error is that of the fits as if they were independent, as the page of results says.
    """
    if np.isnan(differences).any():
        return ""
    return f"{differences.mean():+.3f} ± {differences.std(ddof=1) / len(differences) ** 0.5:.3f}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--suite", choices=sorted(SUITES), default="multi-threshold")
    parser.add_argument("--budget", choices=sorted(BUDGETS), default="quick")
    parser.add_argument("--root", type=Path, help="folder of wild-faces; without it only synthetic")
    parser.add_argument("--datasets", nargs="+", choices=["synthetic", "wild"])
    parser.add_argument("--methods", nargs="+")
    parser.add_argument("--seeds", type=int)
    parser.add_argument("--wrong", type=float, default=0, help="share of wrong labels in training")
    parser.add_argument("--label-noise", action="store_true", help="all methods withstand them")
    parser.add_argument("--purpose", choices=sorted(FOLD_SEEDS), default="report")
    parser.add_argument("--n-jobs", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("results"))
    parser.add_argument("--write", action="store_true", help="write benchmarks/RESULTS.md")
    arguments = parser.parse_args()
    suite = SUITES[arguments.suite]
    datasets = arguments.datasets or (["wild"] if arguments.root else []) + ["synthetic"]
    if "wild" in datasets and arguments.root is None:
        parser.error("the wild faces need --root")
    texts = []
    for dataset in datasets:
        texts.append(report(suite, dataset, run(suite, dataset, arguments)))
        print(texts[-1], "\n", flush=True)
    if arguments.write:
        title = ", ".join(
            ["Accuracy", arguments.suite, arguments.budget, *(arguments.datasets or [])]
            + ([f"{arguments.wrong:.0%} wrong labels"] if arguments.wrong else [])
            + (["label_noise"] if arguments.label_noise else [])
            + (["choosing folds"] if arguments.purpose == "choose" else [])
        )
        record(f"{title} (`python -m benchmarks.accuracy`)", "\n\n".join([suite.about, *texts]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
