"""Speed of the Gaussian loss beside its definition as a loop over classes."""

import torch
from torch import Tensor

from benchmarks._timing import interleave, table
from skfer.losses import GaussianMetricLoss

TITLE = "Gaussian loss"
N_FEATURES = 64
SIGMA = 0.5
BATCHES = (64, 128, 256, 640)
LEAST_SPEEDUP = {7: 3.0, 28: 7.0}


def run(repeats: int = 15) -> tuple[str, list[str]]:
    """Measure all; return a report and the targets that were missed."""
    rows, missed = [], []
    for n_classes, least in LEAST_SPEEDUP.items():
        for n_samples in BATCHES:
            times = interleave(_steps(n_samples, n_classes), repeats)
            ratio = times["loop"] / times["ours"]
            milliseconds = [f"{1e3 * seconds:.3f}" for seconds in times.values()]
            rows.append([n_classes, n_samples, *milliseconds, f"{ratio:.1f}", f">= {least:g}"])
            if ratio < least:
                missed.append(
                    f"Gaussian, C={n_classes}, B={n_samples}: {ratio:.1f}x the loop, not {least:g}x"
                )
    header = ["classes", "batch", "skfer (ms)", "loop (ms)", "loop / skfer", "target"]
    intro = (
        f"Forward and backward, D={N_FEATURES}, one thread; the loop takes each class's "
        "mean and distances for itself, and its error by itself."
    )
    return f"{intro}\n\n{table(header, rows)}", missed


def loop_over_classes(embeddings: Tensor, labels: Tensor, sigma: float) -> Tensor:
    """Compute the loss as it is defined, class by class; `sigma` is absolute."""
    classes = labels.unique()
    distances = []
    for k in classes:
        mean = embeddings[labels == k].mean(0)
        distances.append((embeddings - mean).square().sum(1))
    posterior = torch.softmax(-torch.stack(distances, 1) / (2 * sigma**2), 1)
    total = embeddings.new_zeros(())
    for column, k in enumerate(classes):
        total = total + (posterior[:, column] - (labels == k).to(posterior)).square().sum()
    return total / len(embeddings)


def _steps(n_samples: int, n_classes: int) -> dict:
    generator = torch.Generator().manual_seed(n_samples)
    embeddings = torch.randn(n_samples, N_FEATURES, generator=generator, requires_grad=True)
    labels = torch.arange(n_samples) % n_classes
    ours = GaussianMetricLoss(SIGMA)
    absolute = SIGMA * N_FEATURES**0.5
    losses = {
        "ours": ours,
        "loop": lambda embeddings, labels: loop_over_classes(embeddings, labels, absolute),
    }

    def step(name: str) -> None:
        embeddings.grad = None
        losses[name](embeddings, labels).backward()

    return {name: lambda name=name: step(name) for name in losses}
