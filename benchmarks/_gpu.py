"""What training and embedding cost on a GPU, beside loops that use all that torch offers there."""

import copy
import gc
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from skorch.callbacks import Callback
from torch import Tensor, nn

import skfer.metrics._gpu as search
from benchmarks._retrieval_speed import embedding
from benchmarks._timing import clock, ratio, table, take_turns
from skfer import (
    CrossEntropyEmbedder,
    GaussianMetricEmbedder,
    MultiThresholdEmbedder,
    TripletCenterEmbedder,
)
from skfer.embedders import BaseEmbedder
from skfer.losses import MultiThresholdTripletLoss
from skfer.metrics import recall_at_k
from skfer.nets import EmbeddingNet

N_CLASSES = 8
BATCHES = (64, 512, 4096)
STEPS = {64: 64}
"""Batches of an epoch, by their size; of others there are 8."""
EPOCHS = {64: 8}
"""Of a fit, likewise; of others 25. What a fit does once counts too."""
KINDS = {"cross-entropy": CrossEntropyEmbedder, "multi-threshold": MultiThresholdEmbedder}
OTHERS = {"triplet-center": TripletCenterEmbedder, "Gaussian": GaussianMetricEmbedder}
"""Timed beside a bare loop alone: compiling takes longer than all the rest."""


class ResNet18(nn.Module):
    """The classic network of 18 layers for colour images of 224 pixels, without its classifier."""

    recordable = True

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = [
            nn.Conv2d(3, 64, 7, 2, 3, bias=False),
            nn.BatchNorm2d(64),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, 2, 1),
        ]
        for inputs, outputs in ((64, 64), (64, 128), (128, 256), (256, 512)):
            layers += [Residual(inputs, outputs), Residual(outputs, outputs)]
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, 3, 224, 224) to (n, 512, 7, 7)."""
        return self.layers(x)


class Residual(nn.Module):
    """Two convolutions and a shortcut; where the number of channels grows, the first has stride 2.

    Parameters
    ----------
    inputs, outputs : int
        Channels.
    """

    recordable = True

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        stride = 1 if inputs == outputs else 2
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(outputs)
        self.shortcut: nn.Module = nn.Identity()
        if stride == 2:
            self.shortcut = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, 2, bias=False), nn.BatchNorm2d(outputs)
            )

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, inputs, h, w) to (n, outputs, h / stride, w / stride)."""
        y = F.relu(self.norm1(self.conv1(x)))
        return F.relu(self.norm2(self.conv2(y)) + self.shortcut(x))


def draw(n: int, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Return noise as images, and classes in turn."""
    images = np.random.default_rng(0).integers(256, size=(n, *shape), dtype=np.uint8)
    return images, np.arange(n) % N_CLASSES


def make(kind: type[BaseEmbedder], batch: int, device: str, **more: Any) -> BaseEmbedder:
    """Return an embedder whose batches have that many images."""
    settings = {"mirror": False, "average_weights": False} | more
    settings |= {"max_epochs": 1, "samples_per_class": batch // N_CLASSES}
    return kind(random_state=0, device=device, precision="bfloat16", **settings)


def bare_loop(
    forward: Callable[[Tensor], Any], net: EmbeddingNet, loss: nn.Module, data: Any, batch: int
) -> Callable[[], None]:
    """Return an epoch over data on the device, in bfloat16; `forward` runs `net`, or a part."""
    images, labels = data
    loss = copy.deepcopy(loss)
    optimizer = torch.optim.AdamW([*net.parameters(), *loss.parameters()], lr=1e-3, fused=True)

    def run() -> None:
        net.train()
        for which in torch.randperm(len(images), device=images.device).split(batch):
            optimizer.zero_grad()
            with torch.autocast(images.device.type, torch.bfloat16):
                output = forward(images[which])
            loss(output, labels[which]).backward()
            optimizer.step()

    return run


def compiled(net: EmbeddingNet) -> EmbeddingNet:
    """Return a copy whose backbone is compiled; all else is a few small kernels."""
    net = copy.deepcopy(net)
    net.backbone = torch.compile(net.backbone, dynamic=False)
    return net


def training(
    batch: int,
    device: str,
    repeats: int,
    shape: tuple[int, ...] = (48, 48),
    *,
    kinds: Mapping[str, type[BaseEmbedder]] = KINDS,
    compiles: bool = True,
    **more: Any,
) -> list[list[str]]:
    """Time an epoch of each embedder beside bare loops, without and with `torch.compile`."""
    X, y = draw(STEPS.get(batch, 8) * batch, shape)
    epochs = EPOCHS.get(batch, 25)
    data = torch.from_numpy(X).to(device), torch.from_numpy(y).to(device)
    rows, fast = [], None
    for name, kind in kinds.items():
        model = make(kind, batch, device, **more).fit(X, y)
        net, loss = model.net_.module_, model.net_.criterion_
        warm = model.set_params(warm_start=True, max_epochs=epochs)
        runs = {
            "ours": lambda warm=warm: warm.fit(X, y),
        }
        bare = copy.deepcopy(net)
        runs["bare"] = again(bare_loop(bare, bare, loss, data, batch), epochs)
        if compiles:
            fast = compiled(net) if fast is None else fast  # both have the same network
            runs["compiled"] = again(bare_loop(fast, fast, loss, data, batch), epochs)
        seconds = take_turns(runs, repeats, device)
        rate = epochs * len(X) / float(np.median(seconds["ours"]))
        rows.append(
            [
                f"{name}, batches of {batch:,} x {'x'.join(map(str, shape))}",
                f"{rate:,.0f}",
                f"{1 / ratio(seconds, 'ours', 'bare'):.2f}",
                f"{1 / ratio(seconds, 'ours', 'compiled'):.2f}" if compiles else "-",
                f"{ratio(seconds, 'bare', 'compiled'):.2f}" if compiles else "-",
            ]
        )
    torch._dynamo.reset()
    return rows


TRAINING = ["fits", "images/s", "speed / bare", "speed / compiled", "compiled / bare"]


def again(run: Callable[[], None], n: int) -> Callable[[], None]:
    """Return n runs in one."""

    def runs() -> None:
        for _ in range(n):
            run()

    return runs


class Watch(Callback):
    """Notes when the epochs of a fit end, and what the GPU does in one of them."""

    only_watches = True

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch
        self.ends: list[float] = []
        self.profile = torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA])

    def on_epoch_begin(self, net: Any, **kwargs: Any) -> None:
        if len(self.ends) == self.epoch:
            self.profile.start()

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        self.ends.append(time.perf_counter())
        if len(self.ends) == self.epoch + 1:
            self.profile.stop()


def under_way(
    batch: int, shape: tuple[int, ...] = (48, 48), *, kinds: Mapping[str, Any] = KINDS, **more: Any
) -> list[list[str]]:
    """Measure the epochs of a training that has run for a while, and how busy the GPU is."""
    X, y = draw(STEPS.get(batch, 8) * batch, shape)
    rows = []
    for name, kind in kinds.items():
        watch = Watch(5)
        model = make(kind, batch, "cuda", callbacks=[watch], **more)
        model.set_params(max_epochs=24 if batch == 64 else 50).fit(X, y)
        epochs = np.diff(watch.ends)[8:]  # after the watched one
        usual = float(np.median(epochs))
        what = f"{name}, batches of {batch:,} x {'x'.join(map(str, shape))}"
        rows.append([what, f"{len(X) / usual:,.0f}", f"{at_work(watch.profile) / usual:.0%}"])
    return rows


UNDER_WAY = ["once under way", "images/s", "GPU busy"]


def busy_share(run: Callable[[], object], seconds: list[float], device: str) -> str:
    """Return the share of a run's seconds in which the GPU works: all kernels and copies."""
    if torch.device(device).type == "cpu":
        return "-"
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA]) as profile:
        run()
        torch.cuda.synchronize(device)
    return f"{at_work(profile) / float(np.median(seconds)):.0%}"


def at_work(profile: Any) -> float:
    """Return the seconds in which a GPU was at work, with a kernel or a copy."""
    cuda = torch.autograd.DeviceType.CUDA
    spans = sorted(
        (event.time_range.start, event.time_range.end)
        for event in profile.events()
        if event.device_type == cuda and not getattr(event, "is_user_annotation", False)
    )
    return union(spans) / 1e6


def union(spans: list[tuple[float, float]]) -> float:
    """Return the length of what spans, sorted by their start, cover together."""
    total, end = 0.0, -np.inf
    for first, last in spans:
        total += max(0.0, last - max(first, end))
        end = max(end, last)
    return total


def embedding_speed(
    device: str, repeats: int, shape: tuple[int, ...] = (48, 48), n: int = 2**15, **more: Any
) -> list[list[str]]:
    """Time `transform` beside the network alone, whose images are on the device."""
    X, y = draw(n, shape)
    model = make(CrossEntropyEmbedder, 64, device, **more).fit(X[:128], y[:128])
    net, there = model.net_.module_, torch.from_numpy(X).to(device)
    fast = compiled(net)

    def bare(forward: nn.Module) -> Callable[[], None]:
        def run() -> None:
            forward.eval()
            with torch.inference_mode(), torch.autocast(there.device.type, torch.bfloat16):
                for batch in there.split(512):
                    forward(batch)

        return run

    runs = {"ours": lambda: model.transform(X), "bare": bare(net), "compiled": bare(fast)}
    seconds = take_turns(runs, repeats, device)
    busy = busy_share(runs["ours"], seconds["ours"], device)
    torch._dynamo.reset()
    return [
        [
            f"{n:,} x {'x'.join(map(str, shape))}",
            f"{n / float(np.median(seconds['ours'])):,.0f}",
            f"{1 / ratio(seconds, 'ours', 'bare'):.2f}",
            f"{1 / ratio(seconds, 'ours', 'compiled'):.2f}",
            f"{ratio(seconds, 'bare', 'compiled'):.2f}",
            busy,
        ]
    ]


EMBEDDING = ["transform", *TRAINING[1:], "GPU busy"]


def graphs(batch: int, repeats: int) -> list[list[str]]:
    """Time a step of a bare loop as it is, and replayed as a CUDA graph."""
    X, y = draw(batch, (48, 48))
    model = make(CrossEntropyEmbedder, batch, "cuda", augment=None).fit(X, y)
    net = copy.deepcopy(model.net_.module_).train()
    images, labels = torch.from_numpy(X).cuda(), torch.from_numpy(y).cuda()
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-3, fused=True, capturable=True)

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cuda", torch.bfloat16, cache_enabled=False):
            logits = net(images).logits
        F.cross_entropy(logits, labels).backward()
        optimizer.step()

    replay = captured(step)
    runs = {"eager": again(step, 20), "graph": again(replay, 20)}
    seconds = take_turns(runs, repeats, "cuda")
    medians = {name: float(np.median(values)) / 20 * 1e3 for name, values in seconds.items()}
    times = [f"{medians[name]:.2f} ms" for name in runs]
    return [[f"{batch:,}", *times, f"{medians['eager'] / medians['graph']:.1f}"]]


GRAPHS = ["step of a bare loop, batch", "kernel by kernel", "as one graph", "times as fast"]


def captured(step: Callable[[], None]) -> Callable[[], None]:
    """Return a replay of a step that has been recorded as a CUDA graph."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            step()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step()
    return graph.replay


def triplet_memory(batch: int, device: str) -> list[list[str]]:
    """Measure what the loss over all triplets of a batch takes beside its inputs."""
    labels = (torch.arange(batch) % N_CLASSES).to(device)
    points = torch.randn(batch, 128, device=device, requires_grad=True)
    loss = MultiThresholdTripletLoss([0.1, 0.2, 0.5, 1.0]).to(device)

    def run() -> None:
        points.grad = None
        loss(points, labels).backward()

    run()
    gc.collect()
    on_gpu = torch.device(device).type == "cuda"
    if on_gpu:
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
    start = clock(device)
    run()
    seconds = clock(device) - start
    memory = (torch.cuda.max_memory_allocated() - before) / 2**20 if on_gpu else float("nan")
    per_class = batch // N_CLASSES
    n_triplets = batch * (per_class - 1) * (batch - per_class)
    return [[f"{batch:,}", f"{n_triplets / 1e6:,.0f}", f"{memory:,.0f}", f"{seconds * 1e3:.1f} ms"]]


TRIPLETS = ["all triplets of a batch of", "million triplets", "MiB", "forward and backward"]


def retrieval(n: int, n_queries: int) -> list[list[str]]:
    """Time recall@1 on the GPU and on the CPU, for so many of n as queries on the CPU."""
    X, y, _ = embedding(n)
    with limits(0):
        recall_at_k(X[:2000], y[:2000])  # starts the GPU
        start = time.perf_counter()
        found = recall_at_k(X, y, k=[1, 8])
        on_gpu = time.perf_counter() - start
    with limits(2**63):
        start = time.perf_counter()
        if n_queries == n:
            same = bool((recall_at_k(X, y, k=[1, 8]) == found).all())
        else:
            few = X[:n_queries], y[:n_queries]
            recall_at_k(*few, k=[1, 8], reference_embeddings=X, reference_labels=y)
        on_cpu = (time.perf_counter() - start) * n / n_queries
    equal = "not compared" if n_queries < n else "yes" if same else "NO"
    return [[f"{n:,} x 128", f"{on_gpu:.2f} s", f"{on_cpu:.2f} s", f"{on_cpu / on_gpu:.1f}", equal]]


N_THREADS = torch.get_num_threads()
RETRIEVAL = ["recall at 1 and 8", "GPU", f"CPU, {N_THREADS} threads", "times as fast", "equal"]


@contextmanager
def limits(work: int) -> Iterator[None]:
    """Send searches to the GPU from that much work on."""
    before = search._WORTH_THE_WAY, search._WORTH_A_LOOK
    search._WORTH_THE_WAY = search._WORTH_A_LOOK = work
    try:
        yield
    finally:
        search._WORTH_THE_WAY, search._WORTH_A_LOOK = before


COLOR = {"backbone": ResNet18(), "color": True, "augment": None}
PARTS: dict[str, tuple[list[str], list[Callable[[], list[list[str]]]]]] = {
    "training": (
        TRAINING,
        [
            *(lambda batch=batch: training(batch, "cuda", 3) for batch in BATCHES),
            lambda: training(64, "cuda", 3, kinds=OTHERS, compiles=False),
            lambda: training(128, "cuda", 3, (224, 224, 3), **COLOR),
        ],
    ),
    "under-way": (
        UNDER_WAY,
        [
            lambda: under_way(64, kinds=KINDS | OTHERS),
            *(lambda batch=batch: under_way(batch) for batch in BATCHES[1:]),
            lambda: under_way(128, (224, 224, 3), **COLOR),
        ],
    ),
    "transform": (
        EMBEDDING,
        [
            lambda: embedding_speed("cuda", 5),
            lambda: embedding_speed("cuda", 3, (224, 224, 3), 4096, **COLOR),
        ],
    ),
    "triplets": (
        TRIPLETS,
        [lambda batch=batch: triplet_memory(batch, "cuda") for batch in (1024, 4096)],
    ),
    "retrieval": (
        RETRIEVAL,
        [
            lambda: retrieval(5_000, 5_000),
            lambda: retrieval(20_000, 20_000),
            lambda: retrieval(100_000, 5_000),
        ],
    ),
    # Last, since a graph that cannot be recorded may leave the device in disorder.
    "graphs": (GRAPHS, [lambda batch=batch: graphs(batch, 5) for batch in BATCHES]),
}
"""Heading of each table, and what makes its rows."""


def report(parts: list[str]) -> Iterator[str]:
    """Yield one table after the other."""
    for name in parts:
        header, makers = PARTS[name]
        yield table(header, [row for make_rows in makers for row in make_rows()])
