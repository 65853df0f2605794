"""Speed and memory of the multi-threshold loss beside the same losses from a peer library."""

from collections.abc import Callable

import torch
from pytorch_metric_learning.distances import LpDistance
from pytorch_metric_learning.losses import TripletMarginLoss
from pytorch_metric_learning.miners import BatchHardMiner
from pytorch_metric_learning.reducers import MeanReducer
from torch import Tensor

from benchmarks._timing import interleave, table
from skfer.losses import MultiThresholdTripletLoss, slice_thresholds

TITLE = "Multi-threshold loss"
N_FEATURES = 512
N_CLASSES = 7
BATCHES = (64, 128, 256, 512)
LEAST_SPEEDUP = {4: 3.5, 8: 4.5, 16: 6.0, 32: 8.0}
MOST_SAVED_MIB = 6.0
MOST_BATCH_ALL_RATIO = 2.0


def run(repeats: int = 21) -> tuple[str, list[str]]:
    """Measure all; return a report and the targets that were missed."""
    parts = [_against_peer(repeats), _saved(), _batch_all(repeats)]
    return "\n\n".join(text for text, _ in parts), [miss for _, missed in parts for miss in missed]


def _against_peer(repeats: int) -> tuple[str, list[str]]:
    rows, missed = [], []
    for n_slices, least in LEAST_SPEEDUP.items():
        for n_samples in BATCHES:
            batch = _batch(torch.arange(n_samples) % N_CLASSES)
            ours, peer = _ours(n_slices), _peer(n_slices)
            steps = {"ours": _step(ours, *batch), "peer": _step(peer, *batch)}
            times = interleave(steps, repeats)
            ratio = times["peer"] / times["ours"]
            rows.append([n_slices, n_samples, *_ms(times), f"{ratio:.2f}", f">= {least}"])
            if ratio < least:
                missed.append(f"N={n_slices}, B={n_samples}: {ratio:.2f}x the peer, not {least}x")
    header = ["slices", "batch", "skfer (ms)", "peer (ms)", "peer / skfer", "target"]
    intro = (
        f"Forward and backward, batch-hard, dual against the peer's plain form, D={N_FEATURES}, "
        f"{N_CLASSES} classes, one thread; the peer is pytorch-metric-learning's "
        "TripletMarginLoss with BatchHardMiner, called once for each slice."
    )
    return f"{intro}\n\n{table(header, rows)}", missed


def _saved() -> tuple[str, list[str]]:
    rows, missed = [], []
    batch = _batch(torch.arange(512) % N_CLASSES)
    for mining in ("batch-hard", "batch-all"):
        mib = saved_for_backward(_ours(32, mining), *batch) / 2**20
        rows.append([mining, f"{mib:.2f}", f"<= {MOST_SAVED_MIB}"])
        if mib > MOST_SAVED_MIB:
            missed.append(f"{mining}: saves {mib:.2f} MiB, not {MOST_SAVED_MIB} at most")
    text = table(["mining", "saved (MiB)", "target"], rows)
    return f"Saved for backward at B=512, N=32, D={N_FEATURES}.\n\n{text}", missed


def _batch_all(repeats: int) -> tuple[str, list[str]]:
    rows, missed = [], []
    batch = _batch(torch.arange(128) % 8)
    for n_slices in LEAST_SPEEDUP:
        steps = {
            mining: _step(_ours(n_slices, mining), *batch) for mining in ("batch-all", "batch-hard")
        }
        times = interleave(steps, repeats)
        ratio = times["batch-all"] / times["batch-hard"]
        rows.append([n_slices, *_ms(times), f"{ratio:.2f}", f"<= {MOST_BATCH_ALL_RATIO}"])
        if ratio > MOST_BATCH_ALL_RATIO:
            missed.append(f"N={n_slices}: batch-all takes {ratio:.2f}x the time of batch-hard")
    text = table(["slices", "batch-all (ms)", "batch-hard (ms)", "ratio", "target"], rows)
    return f"All triplets beside the hardest, P=8 classes x K=16 samples.\n\n{text}", missed


def saved_for_backward(loss: Callable[..., Tensor], embeddings: Tensor, labels: Tensor) -> int:
    """Return the bytes that autograd keeps between forward and backward, each storage once."""
    storages: dict[int, int] = {}

    def pack(saved: Tensor) -> Tensor:
        storages[saved.untyped_storage().data_ptr()] = saved.untyped_storage().nbytes()
        return saved

    # The input is the network's, whether the loss keeps it or not.
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda saved: saved):
        value = loss(embeddings, labels)
    storages.pop(embeddings.untyped_storage().data_ptr(), None)
    del value
    return sum(storages.values())


def _batch(labels: Tensor) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(len(labels))
    embeddings = torch.randn(len(labels), N_FEATURES, generator=generator, requires_grad=True)
    return embeddings, labels[torch.randperm(len(labels), generator=generator)]


def _ours(n_slices: int, mining: str = "batch-hard") -> Callable[..., Tensor]:
    return MultiThresholdTripletLoss(slice_thresholds(0.2, 1.2, n_slices), mining=mining)


def _peer(n_slices: int) -> Callable[..., Tensor]:
    distance = LpDistance(normalize_embeddings=True, p=2, power=2)
    miner = BatchHardMiner(distance=distance)
    losses = [
        TripletMarginLoss(margin=margin, distance=distance, reducer=MeanReducer())
        for margin in slice_thresholds(0.2, 1.2, n_slices)
    ]

    def mean(embeddings: Tensor, labels: Tensor) -> Tensor:
        slices = embeddings.chunk(n_slices, dim=1)
        values = [
            loss(part, labels, miner(part, labels))
            for loss, part in zip(losses, slices, strict=True)
        ]
        return torch.stack(values).mean()

    return mean


def _step(loss: Callable[..., Tensor], embeddings: Tensor, labels: Tensor) -> Callable[[], object]:
    def step() -> None:
        embeddings.grad = None
        loss(embeddings, labels).backward()

    return step


def _ms(times: dict[str, float]) -> list[str]:
    return [f"{1e3 * seconds:.2f}" for seconds in times.values()]
