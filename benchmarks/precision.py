"""What bfloat16 gives and costs beside float32: `python -m benchmarks.precision`.

Time of an epoch and of `transform` in both arithmetics, as ratios to a bare loop in float32, and
how far their embeddings differ; on one torch thread in process time, or on a GPU in wall time. With
`--accuracy`, what the embedders reach in both instead: the same folds, seeds and settings.
"""

import argparse
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from scipy.spatial.distance import cdist, pdist
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import _precision_accuracy
from benchmarks._settings import NOISE
from benchmarks._timing import one_thread, ratio, record, table, take_turns
from benchmarks.training import IMAGES, LABELS, bare_training
from skfer import CrossEntropyEmbedder, MultiThresholdEmbedder
from skfer.datasets import make_expressions
from skfer.embedders import BaseEmbedder
from skfer.training import autocast, multiplies_bfloat16

TITLE = "Precision (`python -m benchmarks.precision`)"
PRECISIONS = ("float32", "bfloat16")
EMBEDDERS = {"multi-threshold": MultiThresholdEmbedder, "cross-entropy": CrossEntropyEmbedder}
COMPANY = (1, 7, 64, 200)
"""Numbers of faces that are embedded together."""


def peak(precision: str, device: str) -> float:
    """Return the operations per second of a matrix product, the best of several."""
    n = 1536 if device == "cpu" else 8192
    a = torch.randn(n, n, device=device, dtype=getattr(torch, precision))
    seconds = take_turns({"product": lambda: a @ a}, 7, device)["product"]
    return 2 * n**3 / min(seconds)


def operations(net: torch.nn.Module, images: torch.Tensor) -> float:
    """Return the operations of a forward pass for one image."""
    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad():
        net.eval()(images)
    return counter.get_total_flops() / len(images)


def fitted(kind: type[BaseEmbedder], precision: str, device: str, **more: Any) -> BaseEmbedder:
    settings = NOISE | {"max_epochs": 1, "precision": precision, "device": device} | more
    return kind(random_state=0, **settings).fit(IMAGES, LABELS)


def trainings(
    kind: type[BaseEmbedder], n_epochs: int, device: str, repeats: int
) -> dict[str, list[float]]:
    """Time some epochs in turns; what a fit does once counts too."""
    models = {p: fitted(kind, p, device) for p in PRECISIONS}
    runs: dict[str, Callable[[], object]] = {}
    for precision, model in models.items():
        runs[f"bare {precision}"] = bare_training(model, n_epochs, precision)
    for precision, model in models.items():
        warm = model.set_params(warm_start=True, max_epochs=n_epochs)
        runs[precision] = lambda warm=warm: warm.fit(IMAGES, LABELS)
    return take_turns(runs, repeats, device)


def transforms(
    kind: type[BaseEmbedder], images: np.ndarray, device: str, repeats: int
) -> dict[str, list[float]]:
    """Time `transform` in turns, beside the network alone, whose images are on the device."""
    model = fitted(kind, "float32", device)
    net, there = model.net_.module_, torch.from_numpy(images).to(device)
    size = 64 if device == "cpu" else 512

    def bare(precision: str) -> None:
        net.eval()
        with torch.inference_mode(), autocast(device, precision):
            for batch in there.split(size):
                net(batch)

    runs: dict[str, Callable[[], object]] = {}
    for precision in PRECISIONS:
        runs[f"bare {precision}"] = lambda precision=precision: bare(precision)
        ours = fitted(kind, precision, device)
        runs[precision] = lambda ours=ours: ours.transform(images)
    return take_turns(runs, repeats, device)


def speed(arguments: argparse.Namespace) -> str:
    """Lay out times as ratios to the bare loop in float32, and the images per second."""
    device, repeats, n_epochs = arguments.device, arguments.repeats, arguments.epochs
    images = IMAGES if device == "cpu" else np.tile(IMAGES, (32, 1, 1))
    peaks = {p: peak(p, device) for p in PRECISIONS}
    rows = []
    for name in arguments.embedders:
        kind = EMBEDDERS[name]
        trained = trainings(kind, n_epochs, device, repeats)
        embedded = transforms(kind, images, device, repeats)
        net = fitted(kind, "float32", device).net_.module_
        per_image = operations(net, torch.from_numpy(IMAGES[:64]).to(device))
        for run in ("bare float32", "bare bfloat16", *PRECISIONS):
            rate = len(images) / float(np.median(embedded[run]))
            share = rate * per_image / peaks[run.rpartition(" ")[2]]
            rows.append(
                [
                    f"{name}, {run}",
                    f"{ratio(trained, run, 'bare float32'):.2f}",
                    f"{n_epochs * len(IMAGES) / float(np.median(trained[run])):,.0f}",
                    f"{ratio(embedded, run, 'bare float32'):.2f}",
                    f"{rate:,.0f}",
                    f"{share:.0%}",
                ]
            )
            print(*rows[-1], sep=" | ", file=sys.stderr, flush=True)
    header = ["", "epoch", "images/s", "transform", "images/s", "of the peak"]
    native = "" if multiplies_bfloat16(device) else "not "
    about = (
        f"{device}, which does {native}gain by bfloat16; a matrix product does "
        + ", ".join(f"{peaks[p] / 1e9:,.0f} billion operations a second in {p}" for p in PRECISIONS)
        + ". Time over that of the bare loop in float32, in turns."
    )
    return f"{about}\n\n{table(header, rows)}"


def differences(arguments: argparse.Namespace) -> str:
    """Say how far the embeddings of one model in both arithmetics are apart."""
    faces = make_expressions(30, 1, random_state=0)
    train = faces.groups < np.unique(faces.groups)[15]
    rows = []
    for name in arguments.embedders:
        settings = NOISE | {"max_epochs": arguments.fit_epochs, "device": arguments.device}
        model = EMBEDDERS[name](random_state=0, precision="float32", **settings)
        Z, alone = {}, []
        with one_thread():
            model.fit(faces.images[train], faces.target[train])
            for precision in PRECISIONS:
                model.set_params(precision=precision)
                Z[precision] = model.transform(faces.images[~train])
                alone.append("yes" if independent(model, faces.images) else "NO")
        off = np.linalg.norm(Z["float32"] - Z["bfloat16"], axis=1) / pdist(Z["float32"]).mean()
        nearest = [np.argsort(cdist(z, z), axis=1)[:, 1] for z in Z.values()]
        same = np.mean(nearest[0] == nearest[1])
        rows.append([name, f"{off.mean():.4f}", f"{off.max():.4f}", f"{same:.1%}", *alone])
    header = ["one model, both arithmetics", "mean difference", "largest", "same nearest face"]
    header += [f"a face alone is the same, {p}" for p in PRECISIONS]
    return (
        "Distance of a face's two embeddings over the mean distance between faces; and whether a "
        f"face's embedding among {', '.join(map(str, COMPANY))} faces is the same, bit for bit.\n\n"
        + table(header, rows)
    )


def independent(model: BaseEmbedder, faces: np.ndarray) -> bool:
    """Whether a face has the same embedding, bit for bit, in whatever company and place."""
    whole = model.transform(faces)
    return all(
        np.array_equal(model.transform(faces[start : start + size]), whole[start : start + size])
        for size in COMPANY
        for start in (0, 1, 5, 30)
        if start + size <= len(faces)
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--epochs", type=int, default=4, help="of a training that is timed")
    parser.add_argument("--embedders", nargs="+", choices=sorted(EMBEDDERS), default=[*EMBEDDERS])
    parser.add_argument("--fit-epochs", type=int, default=20, help="of the model that is compared")
    parser.add_argument("--accuracy", action="store_true", help="accuracy in place of speed")
    _precision_accuracy.add_arguments(parser)
    parser.add_argument("--write", action="store_true", help="write benchmarks/RESULTS.md")
    arguments = parser.parse_args()
    if arguments.accuracy:
        title, texts = _precision_accuracy.TITLE, [_precision_accuracy.run(arguments)]
        print(texts[0])
    else:
        title, texts = f"{TITLE}, {arguments.device}", []
        for part in (speed, differences):
            texts.append(part(arguments))
            print(texts[-1], "\n", flush=True)
    if arguments.write:
        record(title, "\n\n".join(texts))
    return 0


if __name__ == "__main__":
    sys.exit(main())
