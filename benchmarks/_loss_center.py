"""Speed of the triplet-center loss beside loops over classes, and within a training step."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks._timing import interleave, table
from skfer.losses import TripletCenterLoss
from skfer.nets import EmbeddingNet, make_backbone, try_backbone

TITLE = "Triplet-center loss"
STRATEGIES = ("nearest", "fully-synthesized", "semi-synthesized", "prediction")
N_FEATURES = 64
SIZES = ((7, 64), (7, 256), (28, 64), (28, 256))
LEAST_SPEEDUP = 1.0
MOST_STEP_RATIO = 1.10
IMAGE = (1, 48, 48)


def run(repeats: int = 15) -> tuple[str, list[str]]:
    """Measure all; return a report and the targets that were missed."""
    parts = [_against_loops(repeats), _in_a_step(repeats * 3)]
    return "\n\n".join(text for text, _ in parts), [miss for _, missed in parts for miss in missed]


def _against_loops(repeats: int) -> tuple[str, list[str]]:
    rows, missed = [], []
    for negatives in STRATEGIES:
        for n_classes, n_samples in SIZES:
            times = interleave(_loss_steps(negatives, n_classes, n_samples), repeats)
            ratio = times["loop"] / times["ours"]
            to_entropy = times["ours"] / times["cross-entropy"]
            milliseconds = [f"{1e3 * seconds:.3f}" for seconds in times.values()]
            row = [negatives, n_classes, n_samples, *milliseconds, f"{to_entropy:.1f}"]
            rows.append([*row, f"{ratio:.1f}", f">= {LEAST_SPEEDUP:g}"])
            if ratio < LEAST_SPEEDUP:
                missed.append(f"{negatives}, C={n_classes}, B={n_samples}: {ratio:.1f}x the loop")
    header = ["negatives", "classes", "batch", "skfer (ms)", "loop (ms)", "cross-entropy (ms)"]
    header += ["skfer / cross-entropy", "loop / skfer", "target"]
    intro = (
        f"Forward and backward with attention, D={N_FEATURES}, one thread; the loop visits the "
        "classes one by one; cross-entropy has a linear classifier before it."
    )
    return f"{intro}\n\n{table(header, rows)}", missed


def _in_a_step(repeats: int) -> tuple[str, list[str]]:
    steps = {"cross-entropy": _training_step(None)}
    steps |= {negatives: _training_step(negatives) for negatives in STRATEGIES}
    times = interleave(steps, repeats)
    plain = times.pop("cross-entropy")
    rows, missed = [["cross-entropy", f"{1e3 * plain:.1f}", "", ""]], []
    for negatives, seconds in times.items():
        ratio = seconds / plain
        target = f"<= {MOST_STEP_RATIO:.2f}"
        rows.append([negatives, f"{1e3 * seconds:.1f}", f"{ratio:.3f}", target])
        if ratio > MOST_STEP_RATIO:
            missed.append(f"{negatives}: a step takes {ratio:.3f}x one of cross-entropy")
    text = table(["loss", "step (ms)", "to cross-entropy", "target"], rows)
    _, height, width = IMAGE
    intro = (
        f"A step (forward, backward, AdamW) of the auto backbone on 64 images of {height} x "
        f"{width} px, D=128, 7 classes: cross-entropy, and cross-entropy with the center loss and "
        "pixel-wise and element-wise attention."
    )
    return f"{intro}\n\n{text}", missed


def loop_over_classes(
    f: Tensor, labels: Tensor, centers: Tensor, logits: Tensor, a: Tensor, negatives: str
) -> Tensor:
    """Compute the loss (margin and synthesis fraction of a half) class by class."""
    is_own = [(labels == k)[:, None] for k in range(len(centers))]
    squares = [(f - c).square() for c in centers]
    own = _mix(is_own, squares)
    negative = _loop_negative(squares, is_own, logits, a, negatives)
    return ((a * (own - negative)).mean(1) + 0.5).clamp_min(0).mean()


def _loop_negative(
    squares: list[Tensor], is_own: list[Tensor], logits: Tensor, a: Tensor, negatives: str
) -> Tensor:
    """Return the squared differences to the negative points."""
    if negatives.endswith("synthesized"):
        best = torch.full_like(a, torch.inf)
        for square, own in zip(squares, is_own, strict=True):
            best = torch.minimum(best, square.masked_fill(own, torch.inf))
        if negatives == "fully-synthesized":
            return best
    ranks = []
    for k, (square, own) in enumerate(zip(squares, is_own, strict=True)):
        rank = logits[:, k] if negatives == "prediction" else -(a * square).sum(1)
        ranks.append(rank.masked_fill(own[:, 0], -torch.inf))
    chosen = torch.stack(ranks).argmax(0)
    whole = _mix([(chosen == k)[:, None] for k in range(len(squares))], squares)
    if negatives != "semi-synthesized":
        return whole
    first = a.argsort(dim=1, descending=True)[:, : a.shape[1] // 2]
    return torch.where(torch.zeros_like(a).scatter_(1, first, 1).bool(), best, whole)


def _mix(masks: list[Tensor], values: list[Tensor]) -> Tensor:
    total = torch.zeros_like(values[0])
    for mask, value in zip(masks, values, strict=True):
        total = total + mask * value
    return total


def _loss_steps(negatives: str, n_classes: int, n_samples: int) -> dict[str, Callable[[], None]]:
    generator = torch.Generator().manual_seed(n_samples)
    f = torch.randn(n_samples, N_FEATURES, generator=generator).requires_grad_()
    labels = torch.arange(n_samples) % n_classes
    logits = torch.randn(n_samples, n_classes, generator=generator)
    attention = torch.rand(n_samples, N_FEATURES, generator=generator).requires_grad_()
    loss = TripletCenterLoss(n_classes, N_FEATURES, negatives=negatives)
    loss.centers.data.normal_(generator=generator)
    classify = torch.nn.Linear(N_FEATURES, n_classes)

    def repeated(compute: Callable[[], Tensor]) -> Callable[[], None]:
        def step() -> None:
            f.grad = attention.grad = loss.centers.grad = None
            classify.zero_grad()
            compute().backward()

        return step

    return {
        "ours": repeated(lambda: loss(f, labels, logits, attention)),
        "loop": repeated(
            lambda: loop_over_classes(f, labels, loss.centers, logits, attention, negatives)
        ),
        "cross-entropy": repeated(lambda: F.cross_entropy(classify(f), labels)),
    }


def _training_step(negatives: str | None) -> Callable[[], None]:
    generator = torch.Generator().manual_seed(0)
    backbone = make_backbone("auto", IMAGE)
    attention = None if negatives is None else "both"
    net = EmbeddingNet(
        backbone,
        try_backbone(backbone, IMAGE).feature_shape,
        128,
        n_classes=7,
        attention=attention,
    )
    loss = torch.nn.Identity()
    if negatives is not None:  # as TripletCenterEmbedder has it
        loss = TripletCenterLoss(7, 128, negatives=negatives, synthesis_size=8)
    images = torch.randint(256, (64, *IMAGE[1:]), generator=generator, dtype=torch.uint8)
    labels = torch.arange(64) % 7
    optimizer = torch.optim.AdamW([*net.parameters(), *loss.parameters()])

    def step() -> None:
        optimizer.zero_grad()
        output = net(images)
        value = F.cross_entropy(output.logits, labels)
        if negatives is not None:
            value = value + loss(output.embedding, labels, output.logits, output.attention)
        value.backward()
        optimizer.step()

    return step
