"""Fits embedders on two processes that train together, and keeps their weights; for a test."""

import contextlib
import os
import signal
import sys
import time
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
from skorch.callbacks import Callback
from torch import nn

import skfer

CASES = {
    "images": (skfer.MultiThresholdEmbedder, {"max_epochs": 2, "freeze_backbone": 1}),
    "cross-entropy": (skfer.CrossEntropyEmbedder, {}),
    "multi-threshold": (skfer.MultiThresholdEmbedder, {}),
    "triplet-center": (skfer.TripletCenterEmbedder, {}),
    "Gaussian": (skfer.GaussianMetricEmbedder, {"mixup": 2.0, "max_epochs": 13}),
    "metric loss": (skfer.MetricLossEmbedder, {}),
}
PARAMETERS = {
    "backbone": "scratch",
    "embedding_dim": 8,
    "max_epochs": 10,
    "samples_per_class": 3,
    "lr": 1e-3,
    "random_state": 0,
}


def data(name):
    """Images that are augmented, or rows; some have no label."""
    rng = np.random.RandomState(0)
    y = np.arange(60) % 4
    if name == "images":
        X = rng.randint(0, 60, (60, 16, 16), dtype=np.uint8)
        X[np.arange(60), y * 4] += 150
        return X, y
    X = rng.normal(size=(60, 6)) + 2 * np.eye(6)[y]
    return X, np.where(rng.rand(60) < 0.3, -1, y) if name == "Gaussian" else y


class Exact(nn.Module):
    """A backbone in double precision."""

    def __init__(self, backbone):
        super().__init__()
        self.backbone = backbone

    def forward(self, x):
        return self.backbone(x.double())


class InDouble:
    """An embedder in double precision: AdamW makes much of the last bits of small gradients."""

    def make_network(self):
        network = super().make_network().double()
        network.backbone = Exact(network.backbone)
        return network

    def make_objective(self):
        return super().make_objective().double()


def fit(name, groups=None, **given):
    cls, own = CASES[name]
    exact = type(cls.__name__, (InDouble, cls), {"__init__": cls.__init__})
    return exact(**PARAMETERS | own | given).fit(*data(name), groups=groups)


def weights(model):
    parts = (model.net_.module_, model.net_.criterion_)
    return {
        f"{i}.{key}": value.numpy()
        for i, part in enumerate(parts)
        for key, value in part.state_dict().items()
    }


class Dies(Callback):
    """Kills its process in the fifth epoch."""

    def on_epoch_begin(self, net, **kwargs):
        if len(net.history) == 5:
            os.kill(os.getpid(), signal.SIGKILL)


def join(folder):
    """Become two processes that know each other; return which one this is."""
    torch.set_num_threads(1)
    rank = int(os.fork() == 0)
    store = dist.FileStore(f"{folder}/store", 2)
    dist.init_process_group("gloo", store=store, rank=rank, world_size=2)
    return rank


def lose_one(folder):
    """Fit on two processes of which one dies."""
    rank = join(folder)
    try:
        fit("cross-entropy", checkpoint=f"{folder}/fits", callbacks=[Dies()] if rank else None)
    except RuntimeError as error:
        (Path(folder) / "error").write_text(str(error))
    leave(folder, rank)
    os.wait()


def launched(folder):
    """Fit in processes that another program has started."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo")
    rank = dist.get_rank()
    model = fit("cross-entropy")
    np.savez(Path(folder) / f"launched-{rank}.npz", **weights(model))
    leave(folder, rank)


def leave(folder, rank):
    """End the group of processes, and keep which threads are left of it."""
    dist.destroy_process_group()
    deadline = time.monotonic() + 30
    while _gloo_threads() and time.monotonic() < deadline:
        time.sleep(0.01)  # one that has ended may be listed for a moment
    (Path(folder) / f"threads-{rank}").write_text("\n".join(_gloo_threads()))


def _gloo_threads():
    """Names of the threads that gloo has in this process, where the system tells them."""
    names = []
    for path in Path("/proc/self/task").glob("*/comm"):
        with contextlib.suppress(OSError):  # it has ended meanwhile
            names.append(path.read_text().strip())
    return [name for name in names if "gloo" in name]


def main(folder):
    """Fit all cases on two processes."""
    rank = join(folder)
    for name in CASES:
        model = fit(name, verbose=1 if name == "Gaussian" else 0, checkpoint=f"{folder}/fits")
        np.savez(Path(folder) / f"{name}-{rank}.npz", **weights(model))
    persons = np.arange(60) // 3
    for name, differing in {
        "seed": {"random_state": rank},
        "length": {"max_epochs": 3 + rank},
        "groups": {"early_stopping": True, "groups": persons[:: 1 - 2 * rank]},
    }.items():
        try:
            fit("cross-entropy", **differing)
        except skfer.ArgumentError as error:
            (Path(folder) / f"error-{name}-{rank}").write_text(str(error))
    leave(folder, rank)
    if rank == 0:
        assert os.waitstatus_to_exitcode(os.wait()[1]) == 0


if __name__ == "__main__":
    {"all": main, "lose one": lose_one, "launched": launched}[sys.argv[1]](sys.argv[2])
