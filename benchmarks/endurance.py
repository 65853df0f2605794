"""What does not grow: `python -m benchmarks.endurance [--calls N] [--write]`.

A server learns by thousands of calls of `partial_fit`: the process time of a call, early and late.
And the memory that a whole fit of the Gaussian embedder takes for each further sample, beside the
size of an image. Exits with 1 if calls get slower, or a sample takes more than its image.
"""

import argparse
import subprocess
import sys
import time
from statistics import median

import numpy as np

import skfer
from benchmarks._timing import one_thread, record, table

TITLE = "Endurance (`python -m benchmarks.endurance`)"
EMBEDDERS = ("MultiThresholdEmbedder", "TripletCenterEmbedder", "GaussianMetricEmbedder")
# How much slower a late call may be: process times of a few milliseconds are rough.
SLOWER = 1.25
SIDE = 48
FITS = {
    "all labeled": "{}",
    "half of them unlabeled, pseudo-labels": "dict(max_epochs=3, unlabeled_threshold=0.5)",
    "up to 3 sub-classes, full covariances": "dict(max_subclasses=3, covariance_type='full')",
}

# Of a process: how far its memory rises above that of its images in a fit.
MEMORY = """
import resource, sys
import numpy as np, torch
from skfer import GaussianMetricEmbedder
torch.set_num_threads(1)
def rss():
    lines = open("/proc/self/status").read().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS")).split()[1]) * 1024
n, side, n_unlabeled, changes = int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
# A quick backbone: what grows with the samples is not the network's.
backbone = torch.nn.Sequential(torch.nn.Conv2d(1, 8, 8, stride=8), torch.nn.ReLU())
params = {"max_epochs": 1, "backbone": backbone, "random_state": 0}
model = GaussianMetricEmbedder(**params | eval(changes))
X = np.random.default_rng(0).integers(0, 256, (n, side, side), dtype=np.uint8)
y = np.arange(n) % 8
model.fit(X[:500], y[:500])
y[:n_unlabeled] = -1
start = rss()
model.fit(X, y)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - start)
"""


def call_times(name: str, n_calls: int) -> tuple[float, float]:
    """Return the median milliseconds of a call of `partial_fit`, of the first and the last tenth.

    The first hundredth is left out: a program's first calls are slower.
    """
    rng = np.random.RandomState(0)
    X, y = rng.normal(size=(64, 5)), np.arange(64) % 4
    model = getattr(skfer, name)(embedding_dim=16, random_state=0)
    seconds = []
    with one_thread():
        for call in range(n_calls):
            rows = slice(8 * (call % 8), 8 * (call % 8 + 1))
            start = time.process_time()
            model.partial_fit(X[rows], y[rows])
            seconds.append(time.process_time() - start)
    part = n_calls // 10
    first, last = seconds[part // 10 : part], seconds[-part:]
    return 1e3 * median(first), 1e3 * median(last)


def bytes_a_sample(n: int, half_unlabeled: bool, changes: str) -> float:
    """Return by how much the peak memory of a fit grows with each sample, from n to 4 n."""
    peaks = []
    for size in (n, 4 * n):
        arguments = [size, SIDE, size // 2 if half_unlabeled else 0, changes]
        run = subprocess.run(
            [sys.executable, "-c", MEMORY, *map(str, arguments)],
            check=True,
            capture_output=True,
            text=True,
        )
        peaks.append(int(run.stdout))
    return (peaks[1] - peaks[0]) / (3 * n)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--calls", type=int, default=6_000, help="of partial_fit")
    parser.add_argument("--samples", type=int, default=10_000, help="and four times as many")
    parser.add_argument("--write", action="store_true", help="write benchmarks/RESULTS.md")
    arguments = parser.parse_args()
    rows, good = [], True
    for name in EMBEDDERS:
        first, last = call_times(name, arguments.calls)
        good &= last <= SLOWER * first
        rows.append([name, f"{first:.2f}", f"{last:.2f}", f"{last / first:.2f}"])
        print(*rows[-1], flush=True)
    calls = table(["partial_fit, ms a call", "first tenth", "last tenth", "ratio"], rows)
    rows = []
    for name, changes in FITS.items():
        taken = bytes_a_sample(arguments.samples, "unlabeled" in name, changes)
        good &= taken <= SIDE**2
        rows.append([name, f"{taken:.0f}", SIDE**2])
        print(*rows[-1], flush=True)
    memory = table(["Gaussian fit", "bytes a sample", "bytes of an image"], rows)
    text = (
        f"{arguments.calls:,} calls with eight rows each; a call may be {SLOWER} times as long in "
        f"the end.\n\n{calls}\n\nPeak memory of a whole fit above the images themselves: growth "
        f"from {arguments.samples:,} to {4 * arguments.samples:,} images, for each.\n\n{memory}"
    )
    print(text)
    if arguments.write:
        record(TITLE, text)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
