"""The ready classifier: the start, taught real faces beside drawn ones, and calibrated."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from scipy.optimize import minimize_scalar
from sklearn.metrics import accuracy_score, balanced_accuracy_score
from sklearn.model_selection import StratifiedGroupKFold
from torch import Tensor, nn

from skfer._bar import tqdm
from skfer._typing import NDArray
from skfer.datasets import EXPRESSIONS
from skfer.metrics import expected_calibration_error
from skfer.nets import FaceAugment, expression_network, save_start, standardize_images
from skfer.nets.expressions import read_network
from skfer.pretraining._recipe import Recipe, drawn_faces
from skfer.training import SCHEDULES, plain_modes, seeded

_FOLDS = 3
_STEPS, _HALF_BATCH = 900, 64
_LR, _WEIGHT_DECAY, _SMOOTHING = 2e-3, 0.02, 0.05
_EVENNESS = 0.6
"""Real faces of a class are drawn in proportion to its number to the power of 1 minus this."""


class Answers(NamedTuple):
    """Pooled features (n, n_features) and logits (n, n_expressions)."""

    pooled: NDArray[np.float32]
    logits: NDArray[np.float32]


def make_ready(start: str | Path, recipe: Recipe, real: Any, *, verbose: bool = False) -> Path:
    """Teach a start real faces, and write the classifier and its card beside it.

    Half of each batch are drawn faces of all expressions, so that those of which there are no
    real ones are kept. Scores are those of networks that have not seen the person: of one fold
    of persons each. The temperature is fitted on one half of the persons, and what is reported
    is of the other half. The network that is written has seen all.

    Parameters
    ----------
    start : path-like
        The file that :func:`make_start` wrote; the classifier is written beside it.
    recipe : Recipe
        What it was made by.
    real : Bunch
        Has images, target, groups (persons) and DESCR.
    verbose : bool, default=False
        Whether to show progress.

    Returns
    -------
    Path
        The file of weights, "face_expressions.safetensors". A run that was cut off goes on after
        the last network that it had taught: they are kept in the folder "work".

    See Also
    --------
    make_start : The start that it goes on from.
    skfer.nets.expression_network : Reads what it writes.

    Examples
    --------
    It takes minutes, and is called by ``python -m skfer.pretraining OUT --real FOLDER``.
    """
    with plain_modes(), seeded(recipe.seed, torch.device("cpu")):
        return _make_ready(Path(start), recipe, real, verbose)


def _make_ready(start: Path, recipe: Recipe, real: Any, verbose: bool) -> Path:
    drawn = drawn_faces(start.parent, recipe)
    work = start.parent / "work"
    logits = answers_apart(start, drawn, real, work, verbose).logits
    choosing = choosing_persons(np.asarray(real.groups))
    temperature = fit_temperature(logits[choosing], real.target[choosing])
    scores = {
        "zero-shot, the start alone": scores_of(
            answer(expression_network(weights=start), real.images).logits[~choosing],
            real.target[~choosing],
        ),
        "taught": scores_of(logits[~choosing] / temperature, real.target[~choosing]),
    }
    network = _taught(start, drawn, real.images, real.target, work, verbose)
    path = start.with_name("face_expressions.safetensors")
    about = {
        "image_size": network.backbone.image_size,
        "width": network.backbone.width,
        "classes": EXPRESSIONS,
        "temperature": round(temperature, 4),
    }
    save_start(path, network.state_dict(), about)
    _write_card(path, start.name, real, temperature, scores)
    return path


def choosing_persons(groups: NDArray[Any]) -> NDArray[np.bool_]:
    """Tell the samples of every other person, by a hash of the name: on these one may choose."""
    names, member = np.unique(groups, return_inverse=True)
    odd = [hashlib.sha256(str(name).encode()).digest()[-1] % 2 == 1 for name in names]
    return np.array(odd)[member]


def answers_apart(start: Path, drawn: Any, real: Any, work: Path, verbose: bool) -> Answers:
    """Answer for all real faces, each by a network that was taught and has not seen the person.

    The networks are kept in the folder `work`.
    """
    folds = StratifiedGroupKFold(_FOLDS, shuffle=True, random_state=7)
    parts, order = [], []
    for train, test in folds.split(real.images, real.target, np.asarray(real.groups)):
        network = _taught(start, drawn, real.images[train], real.target[train], work, verbose)
        parts.append(answer(network, real.images[test]))
        order.append(test)
    back = np.argsort(np.concatenate(order))
    pooled, logits = (np.concatenate(arrays)[back] for arrays in zip(*parts, strict=True))
    return Answers(pooled, logits)


def _taught(
    start: Path,
    drawn: Any,
    images: NDArray[np.uint8],
    target: NDArray[Any],
    work: Path,
    verbose: bool,
) -> Any:
    """Return the start, taught real faces; one that an earlier run has taught is read."""
    torch.manual_seed(0)
    network = read_network(weights=start).train()  # whose draws are part of the recipe
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    learned = (drawn.images, drawn.target, images, target)
    kept = work / f"taught-{_hash_of(start.read_bytes(), *learned)}.pt"
    if kept.exists():
        network.load_state_dict(torch.load(kept, weights_only=True))
        return network.eval()
    _teach(network, drawn, images, target, verbose)
    work.mkdir(parents=True, exist_ok=True)
    torch.save(network.state_dict(), kept.with_suffix(".tmp"))
    kept.with_suffix(".tmp").replace(kept)
    return network.eval()


def _hash_of(start: bytes, *arrays: NDArray[Any]) -> str:
    """Return a name for what a network is taught, and how."""
    settings = (_STEPS, _HALF_BATCH, _LR, _WEIGHT_DECAY, _SMOOTHING, _EVENNESS, torch.__version__)
    found = hashlib.sha256(repr(settings).encode())
    found.update(start)
    for array in arrays:
        found.update(repr((array.shape, array.dtype.str)).encode())
        found.update(np.ascontiguousarray(array).tobytes())
    return found.hexdigest()[:16]


def _teach(
    network: nn.Module, drawn: Any, images: NDArray[np.uint8], target: NDArray[Any], verbose: bool
) -> None:
    augment = FaceAugment(contrast=0, brightness=0)
    optimizer = torch.optim.AdamW(network.parameters(), _LR, weight_decay=_WEIGHT_DECAY)
    batches = _batches(drawn, images, target)
    for step in tqdm(range(_STEPS), "teaching real faces", disable=not verbose):
        for group in optimizer.param_groups:
            group["lr"] = _LR * SCHEDULES["one-cycle"](step / _STEPS)
        batch, codes = next(batches)
        logits = network(augment(standardize_images(batch))).logits
        loss = F.cross_entropy(logits, codes, label_smoothing=_SMOOTHING)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def _batches(
    drawn: Any, images: NDArray[np.uint8], target: NDArray[Any]
) -> Iterator[tuple[Tensor, Tensor]]:
    rng = np.random.RandomState(0)
    chance = (1 / np.bincount(target)[target]) ** _EVENNESS
    chance /= chance.sum()
    while True:
        ours = rng.randint(len(drawn.target), size=_HALF_BATCH)
        theirs = rng.choice(len(target), _HALF_BATCH, p=chance)
        batch = np.concatenate([drawn.images[ours], images[theirs]])
        codes = np.concatenate([drawn.target[ours], target[theirs]])
        yield torch.from_numpy(batch), torch.from_numpy(codes)


def answer(network: nn.Module, images: NDArray[np.uint8]) -> Answers:
    """Run a classifier of expressions over gray images (n, height, width)."""
    with torch.inference_mode():
        batches = torch.from_numpy(images)[:, None].float().split(256)
        parts = [network(batch) for batch in batches]
    return Answers(
        torch.cat([part.embedding for part in parts]).numpy(),
        torch.cat([part.logits for part in parts]).numpy(),
    )


def fit_temperature(logits: NDArray[np.float32], target: NDArray[Any]) -> float:
    """Find the temperature of least cross-entropy."""

    def loss(log_temperature: float) -> float:
        scaled = torch.from_numpy(logits / np.exp(log_temperature))
        return float(F.cross_entropy(scaled, torch.from_numpy(target)))

    return float(np.exp(minimize_scalar(loss, bounds=(-2, 2), method="bounded").x))


def scores_of(logits: NDArray[np.float32], target: NDArray[Any]) -> dict[str, float]:
    """Score among the classes that the faces show."""
    known = np.unique(target)
    posterior = torch.from_numpy(logits).softmax(1).numpy()[:, known].astype(float)
    posterior /= posterior.sum(axis=1, keepdims=True)
    predicted = known[posterior.argmax(axis=1)]
    smile = EXPRESSIONS.index("happiness")
    scores = {
        "accuracy": accuracy_score(target, predicted),
        "balanced accuracy": balanced_accuracy_score(target, predicted),
        "balanced accuracy of smile or not": balanced_accuracy_score(
            target == smile, predicted == smile
        ),
        "ECE": expected_calibration_error(target, posterior, labels=known),
    }
    return {name: round(float(value), 3) for name, value in scores.items()}


_TEXT = """\
# {name}

Weights of `skfer.nets.ExpressionNet`, for `skfer.nets.expression_network()`: {classes}.
Made by `python -m skfer.pretraining`: the start `{start}`, which has seen drawn
faces alone, taught {n} real faces of {persons} persons beside drawn ones.
{unseen}
- sha256 of the file: {sha256}
- temperature, fitted on half of the persons: {temperature}
- scores on the other half, of networks that had not seen the person ({folds} folds), among
  {shown}:
{scores}
- the real faces:

{descr}
"""

_UNSEEN = """
**It has learned {} from drawn faces alone**, since no real face of these was
taught. Expect that it hardly ever finds them in photographs.
"""


def _write_card(
    path: Path, start: str, real: Any, temperature: float, scores: dict[str, dict[str, float]]
) -> None:
    taught = set(np.unique(real.target))
    unseen = [name for code, name in enumerate(EXPRESSIONS) if code not in taught]
    text = _TEXT.format(
        name=path.name,
        start=start,
        unseen=_UNSEEN.format(", ".join(unseen)) if unseen else "",
        classes=", ".join(EXPRESSIONS),
        n=f"{len(real.target):,}",
        persons=f"{len(np.unique(real.groups)):,}",
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        temperature=round(temperature, 3),
        folds=_FOLDS,
        shown=", ".join(EXPRESSIONS[code] for code in np.unique(real.target)),
        scores="\n".join(f"  - {name}: {json.dumps(s)[1:-1]}" for name, s in scores.items()),
        descr="\n".join("    " + line for line in str(real.DESCR).splitlines()),
    )
    path.with_suffix(".md").write_text(text, encoding="utf-8")
