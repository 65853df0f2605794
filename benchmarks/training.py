"""What training and embedding cost beside a bare PyTorch loop: `python -m benchmarks.training`.

With `--device cuda` beside loops in bfloat16 that `torch.compile` has made fast, in wall time; see
`benchmarks/_gpu.py`. On a CPU every ratio comes from runs that take turns, on one torch thread, in
process time. The bare loop has the same network, loss, optimizer and batch size, and its data as
tensors in memory.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import nn

from benchmarks._settings import NOISE
from benchmarks._timing import interleave, one_thread, ratio, record, table, take_turns
from skfer import (
    CrossEntropyEmbedder,
    GaussianMetricEmbedder,
    MultiThresholdEmbedder,
    TripletCenterEmbedder,
)
from skfer.embedders import BaseEmbedder
from skfer.nets import FaceAugment
from skfer.training import autocast

IMAGES = np.random.RandomState(0).randint(0, 256, (640, 48, 48)).astype(np.uint8)
LABELS = np.arange(len(IMAGES)) % 8


class NullNet(nn.Module):
    """Next to no work: what is left is the cost of the machinery."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Take four pixels."""
        return x[:, :, :4, 0].flatten(1)


def epoch_ratio(embedder: BaseEmbedder, repeats: int, epochs: int = 4) -> float:
    """Seconds of an epoch through skfer, over those of a bare loop with the same net.

    What a fit does once counts too: the fewer `epochs`, the more.
    """
    embedder.set_params(max_epochs=1, random_state=0).fit(IMAGES, LABELS)
    warm = embedder.set_params(warm_start=True, max_epochs=epochs)
    bare = bare_training(embedder, epochs)
    return paired_ratio(lambda: warm.fit(IMAGES, LABELS), bare, repeats)


def paired_ratio(ours: Callable[[], object], bare: Callable[[], object], repeats: int) -> float:
    """Median ratio of process times, each of two runs that follow each other, in turning order."""
    return ratio(take_turns({"bare": bare, "ours": ours}, repeats), "ours", "bare")


def bare_training(
    embedder: BaseEmbedder, epochs: int, precision: str = "float32"
) -> Callable[[], None]:
    """Return a plain training loop over the same net, loss and number of batches.

    The data are where the net is.
    """
    net, loss = embedder.net_.module_, embedder.net_.criterion_
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-3, fused=True)
    device = next(net.parameters()).device
    images, labels = torch.from_numpy(IMAGES).to(device), torch.from_numpy(LABELS).to(device)
    size = 64

    def run() -> None:
        net.train()
        for _ in range(epochs):
            # Classes in turn, as the sampler has them: the loss sees the same numbers of pairs.
            order = torch.randperm(len(images) // 8)[:, None] * 8 + torch.arange(8)
            for which in order.flatten().to(device).split(size):
                optimizer.zero_grad()
                with autocast(device, precision):
                    output = net(images[which])
                loss(output, labels[which]).backward()
                optimizer.step()

    return run


def transform_ratio(embedder: CrossEntropyEmbedder, repeats: int) -> float:
    """Seconds of transform over those of the bare network on the same batches."""
    embedder.set_params(max_epochs=1, random_state=0).fit(IMAGES, LABELS)
    net, images = embedder.net_.module_, torch.from_numpy(IMAGES)

    def bare() -> None:
        net.eval()
        with torch.inference_mode():
            for batch in images.split(64):
                net(batch)

    return paired_ratio(lambda: embedder.transform(IMAGES), bare, 2 * repeats)


def one_face_share(repeats: int) -> float:
    """Seconds to embed one face over those to embed 64, in a process that has embedded before."""
    embedder = CrossEntropyEmbedder(max_epochs=1, random_state=0).fit(IMAGES[:64], LABELS[:64])
    one, many = IMAGES[:1], IMAGES[:64]
    return paired_ratio(
        lambda: embedder.transform(one), lambda: embedder.transform(many), 8 * repeats
    )


def small_fit_ratio(repeats: int) -> float:
    """Seconds to fit 30 x 5 rows for 10 epochs, over a bare loop with the same net and loss.

    The loop trains as skfer does: as many samples of each class in a batch, the one-cycle schedule.
    """
    rng = np.random.RandomState(0)
    X, y = rng.normal(size=(30, 5)), np.arange(30) % 3
    embedder = MultiThresholdEmbedder(random_state=0, **NOISE | {"max_epochs": 10})
    model = MultiThresholdEmbedder(random_state=0, **NOISE | {"max_epochs": 10}).fit(X, y)
    n_per_class = model.samples_per_class

    def bare() -> None:
        rows = torch.from_numpy(((X - X.mean(0)) / X.std(0)).astype(np.float32))
        labels = torch.from_numpy(y)
        members = [torch.nonzero(labels == c)[:, 0] for c in range(3)]
        net, loss = model.make_network(), model.make_objective()
        net.train()
        optimizer = torch.optim.AdamW(net.parameters(), lr=1e-3, fused=True)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 6e-3, total_steps=10)
        for _ in range(10):
            which = torch.cat([m[torch.randperm(len(m))[:n_per_class]] for m in members])
            optimizer.zero_grad()
            value = loss(net(rows[which]), labels[which])
            value.backward()
            optimizer.step()
            schedule.step()
            value.item()

    times = interleave({"skfer": lambda: embedder.fit(X, y), "bare": bare}, repeats)
    return times["skfer"] / times["bare"]


class TimedAugment(FaceAugment):
    """Augmentation that adds up its own time."""

    seconds = 0.0

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Augment, and look at the clock."""
        start = time.process_time()
        moved = super().forward(images)
        TimedAugment.seconds += time.process_time() - start
        return moved


def augmentation_share(repeats: int) -> float:
    """Seconds of augmentation inside a training, over those of all forward and backward passes."""
    embedder = MultiThresholdEmbedder(
        augment=TimedAugment(), random_state=0, **NOISE | {"max_epochs": 4}
    )
    shares = []
    with one_thread():
        embedder.fit(IMAGES, LABELS)
        for _ in range(repeats):
            TimedAugment.seconds = 0.0
            start = time.process_time()
            embedder.fit(IMAGES, LABELS)
            rest = time.process_time() - start - TimedAugment.seconds
            shares.append(TimedAugment.seconds / rest)
    return float(np.median(shares))


def import_ratio(repeats: int) -> float:
    """Process time of `import skfer` over that of `import skorch`, each in a new process."""
    seconds: dict[str, list[float]] = {"skfer": [], "skorch": []}
    for _ in range(repeats):
        for name, values in seconds.items():
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            subprocess.run([sys.executable, "-c", f"import {name}"], check=True)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            values.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return float(np.median(seconds["skfer"]) / np.median(seconds["skorch"]))


MEMORY = """
import sys
import numpy as np, torch
torch.set_num_threads(1)
from skfer import MultiThresholdEmbedder
def rss(kind):
    lines = open("/proc/self/status").read().splitlines()
    return int(next(l for l in lines if l.startswith(kind)).split()[1]) / 1024
small = np.random.RandomState(0).randint(0, 256, (64, 64, 64)).astype(np.uint8)
model = MultiThresholdEmbedder(max_epochs=1, backbone="scratch")
model.fit(small, np.arange(64) % 8).transform(small)
X = np.load(sys.argv[1], mmap_mode="r")
y = np.arange(len(X)) % 8
start, anonymous = rss("VmRSS"), rss("RssAnon")
Z = MultiThresholdEmbedder(max_epochs=1, backbone="scratch", random_state=0).fit(X, y).transform(X)
print(rss("VmHWM") - start, rss("RssAnon") - anonymous, Z.nbytes / 2**20)
"""


def memory(n_images: int) -> tuple[float, float, float]:
    """MiB above the start of a fit and transform of a memmap: peak, own pages, of it output."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "faces.npy"
        shape = (n_images, 64, 64)
        faces = np.lib.format.open_memmap(path, "w+", dtype=np.uint8, shape=shape)
        for i in range(0, n_images, 1000):
            faces[i : i + 1000] = np.random.RandomState(i).randint(0, 256, (1000, 64, 64))
        faces.flush()
        run = subprocess.run(
            [sys.executable, "-c", MEMORY, str(path)], check=True, capture_output=True, text=True
        )
    peak, own, output = map(float, run.stdout.split())
    return peak, own, output


def on_gpu(parts: list[str] | None, *, write: bool) -> int:
    from benchmarks import _gpu

    tables = []
    for text in _gpu.report(parts or list(_gpu.PARTS)):
        tables.append(text)
        print(text, "\n", flush=True)
    if write:
        record("On a GPU (`python -m benchmarks.training --device cuda`)", "\n\n".join(tables))
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--write", action="store_true", help="write benchmarks/RESULTS.md")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--parts", nargs="+", help="tables to make with --device cuda, of all")
    arguments = parser.parse_args()
    if arguments.device == "cuda":
        return on_gpu(arguments.parts, write=arguments.write)
    n = arguments.repeats
    null = {"backbone": NullNet(), "augment": None}
    measured = [
        ("epoch, auto backbone", epoch_ratio(MultiThresholdEmbedder(**NOISE), n), 1.03),
        (
            "epoch, triplet-center, attention",
            epoch_ratio(TripletCenterEmbedder(**NOISE), n),
            1.05,
        ),
        # It embeds the training set once after training, for its Gaussians.
        (
            "epoch of 16, Gaussian",
            epoch_ratio(GaussianMetricEmbedder(**NOISE), n // 2, 16),
            1.05,
        ),
        ("epoch, null net", epoch_ratio(MultiThresholdEmbedder(**NOISE | null), n), 1.5),
        ("transform, auto backbone", transform_ratio(CrossEntropyEmbedder(**NOISE), n), 1.05),
        ("transform, null net", transform_ratio(CrossEntropyEmbedder(**NOISE | null), n), 3.0),
        ("one face, share of 64 faces", one_face_share(n), 0.3),
        ("fit of 30 x 5 rows, 10 epochs", small_fit_ratio(n), 1.3),
        ("augmentation, share of a step", augmentation_share(n), 0.02),
        ("import skfer / import skorch", import_ratio(n), 1.05),
    ]
    rows = [
        [name, f"{v:.3f}", f"{most}", "yes" if v <= most else "NO"] for name, v, most in measured
    ]
    for n_images in (20_000, 40_000):
        peak, own, output = memory(n_images)
        good = peak <= 400
        measured.append(("memory", peak, 400))
        name = f"MiB above start, {n_images:,} x 64 x 64 memmap"
        detail = f"{peak:.0f} (own pages {own:.0f}, of it output {output:.0f})"
        rows.append([name, detail, "400", "yes" if good else "NO"])
    text = table(["what", "measured", "at most", "met"], rows)
    print(text)
    if arguments.write:
        record("Training and embedding (`python -m benchmarks.training`)", text)
    return 0 if all(v <= most for _, v, most in measured) else 1


if __name__ == "__main__":
    sys.exit(main())
