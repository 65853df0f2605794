"""Time of the retrieval measures beside scikit-learn's search of the nearest neighbors."""

from collections.abc import Callable, Sequence

import numpy as np
from sklearn.neighbors import NearestNeighbors

from benchmarks._timing import exponent, interleave, table
from skfer.metrics import mean_average_precision_at_r, recall_at_k

TITLE = "Speed of retrieval (`python -m benchmarks.retrieval`)"
SIZES = (5_000, 10_000, 20_000)
N_DIMS = 128
RANKS = (1, 8)
# The most that recall@k may take, as a share of scikit-learn's time for the same k.
TARGET = 1.0


def embedding(n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw seven overlapping classes, with a group of twenty samples for each person."""
    rng = np.random.default_rng(0)
    y = rng.integers(7, size=n)
    means = rng.normal(size=(7, N_DIMS))
    return (
        (rng.normal(size=(n, N_DIMS)) + means[y]).astype(np.float32),
        y,
        rng.integers(n // 20, size=n),
    )


def contestants(n: int) -> dict[str, Callable[[], object]]:
    X, y, groups = embedding(n)

    def neighbors(k: int) -> object:
        search = NearestNeighbors(n_neighbors=k + 1, algorithm="brute").fit(X)
        return search.kneighbors(X, return_distance=False)

    functions: dict[str, Callable[[], object]] = {}
    for k in RANKS:
        functions[f"neighbors, k={k}"] = lambda k=k: neighbors(k)
        functions[f"recall@{k}"] = lambda k=k: recall_at_k(X, y, k=k)
        functions[f"recall@{k}, groups"] = lambda k=k: recall_at_k(X, y, k=k, groups=groups)
    functions["MAP@R"] = lambda: mean_average_precision_at_r(X, y)
    return functions


def run(sizes: Sequence[int] = SIZES, repeats: int = 3) -> tuple[str, list[str]]:
    """Time all contestants in turn; return the report and the targets that were missed."""
    seconds = {n: interleave(contestants(n), repeats) for n in sizes}
    rows, misses = [], []
    for name in seconds[sizes[0]]:
        rank = name.partition("@")[2].partition(",")[0]
        rival = f"neighbors, k={rank if rank.isdecimal() else RANKS[0]}"
        ratios = [seconds[n][name] / seconds[n][rival] for n in sizes]
        cells = [f"{seconds[n][name]:.2f} s, {r:.2f}" for n, r in zip(sizes, ratios, strict=True)]
        growth = exponent(sizes, [seconds[n][name] for n in sizes]) if len(sizes) > 1 else np.nan
        rows.append([name, *cells, f"{growth:.2f}"])
        if name.startswith("recall") and max(ratios) > TARGET:
            misses.append(f"{name}: {max(ratios):.2f} of scikit-learn's time, target {TARGET}")
    about = (
        f"Process time on one thread, and its ratio to scikit-learn's brute-force search of the k "
        f"nearest (MAP@R: of the nearest one), in turns; {N_DIMS} dimensions, float32; growth is "
        "the fitted power of the number of samples, 2 being a search of all pairs."
    )
    header = ["", *[f"{n:,} samples" for n in sizes], "growth"]
    return f"{about}\n\n{table(header, rows)}", misses
