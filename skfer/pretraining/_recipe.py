"""From a seed to a file of weights."""

import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from skfer._bar import tqdm
from skfer._replacing import replaced
from skfer.datasets import EXPRESSIONS, draw_portraits
from skfer.nets import expression_network, save_start
from skfer.nets.backbones import MIN_IMAGE_SIDE
from skfer.pretraining._card import write_card
from skfer.pretraining._faces import draw_faces
from skfer.pretraining._network import Averaged, StartNet, loss_of
from skfer.training import SCHEDULES, plain_modes, seeded
from skfer.validation import check_int, check_real, refusal, shown

_NEW_PERSONS = 60


@dataclass(frozen=True)
class Recipe:
    """All that decides what a start becomes.

    Parameters
    ----------
    seed : int, default=0
        Seed of drawing and learning.
    persons : int, default=7500
        Number of drawn persons, each with a face of every expression.
    epochs : int, default=20
        Passes over the faces.
    width : int, default=16
        Width of the backbone.
    image_size : int, default=48
        Side of the pictures, in pixels.
    batch_size : int, default=128
        Faces in a step.
    lr : float, default=4e-3
        Highest learning rate of AdamW, along a one-cycle schedule.
    weight_decay : float, default=0.02
        Of AdamW.
    smoothing : float, default=0.05
        Of the labels.
    average : float, default=0.999
        Decay of the moving average of the weights, which is what is kept.

    See Also
    --------
    make_start : Follows it.

    Examples
    --------
    >>> from skfer.pretraining import Recipe
    >>> Recipe(persons=3, epochs=1).persons
    3
    """

    seed: int = 0
    persons: int = 7500
    epochs: int = 20
    width: int = 16
    image_size: int = 48
    batch_size: int = 128
    lr: float = 4e-3
    weight_decay: float = 0.02
    smoothing: float = 0.05
    average: float = 0.999


def make_start(
    out: str | Path,
    recipe: Recipe | None = None,
    *,
    name: str = "face_start",
    device: str = "cpu",
    n_jobs: int | None = None,
    verbose: bool = False,
) -> Path:
    """Draw faces, learn from them, and write weights and their model card.

    What is in the folder is not done again: a run that was cut off goes on after its last epoch.

    Parameters
    ----------
    out : path-like
        Folder to write to: the weights, NAME.safetensors, their card, NAME.md, and a folder "work"
        with the drawn faces and the last epoch, which may be removed afterwards.
    recipe : Recipe, default=None
        What to do; ``Recipe()`` by default.
    name : str, default="face_start"
        Name of the files.
    device : str, default="cpu"
        Device of torch to learn on.
    n_jobs : int, default=None
        Number of processes that draw; -1 means one for each processor. The faces are the same.
    verbose : bool, default=False
        Whether to show progress bars.

    Returns
    -------
    Path
        The file of weights.

    Raises
    ------
    ArgumentError
        If a number of the recipe is out of its range, `name` has a folder, or `device` is no device
        of torch that is there.

    See Also
    --------
    skfer.nets.face_backbone : Reads what it writes.
    skfer.datasets.draw_portraits : What it learns from.

    Examples
    --------
    >>> import tempfile
    >>> from skfer.pretraining import Recipe, make_start
    >>> small = Recipe(persons=2, epochs=1, width=8, batch_size=16)
    >>> make_start(tempfile.mkdtemp(), small).name
    'face_start.safetensors'
    """
    recipe = Recipe() if recipe is None else recipe
    _check_recipe(recipe, name, device)
    if check_int(n_jobs, "n_jobs", at_least=-1, optional=True) == 0:
        raise refusal("n_jobs", "must not be 0.")
    out = Path(out)
    if out.exists() and not out.is_dir():
        raise refusal("out", "must be a folder, and {} is a file.", repr(str(out)))
    faces = drawn_faces(out, recipe, n_jobs=n_jobs, verbose=verbose)
    last = out / "work" / f"last-{name}.pt"
    with plain_modes(), seeded(recipe.seed, torch.device(device)):
        learner = _Learner(recipe, faces, device)
        learner.resume(last)
        while learner.epoch < recipe.epochs:
            learner.learn(verbose)
            learner.keep(last)
    path = out / f"{name}.safetensors"
    about = {"image_size": recipe.image_size, "width": recipe.width, "classes": EXPRESSIONS}
    state = learner.averaged.state
    named = {k: v for k, v in state.items() if k.startswith(("backbone.", "classify."))}
    save_start(path, named, about)
    accuracy = _accuracy_on_new_persons(path, recipe)
    write_card(path, asdict(recipe), faces, learner.seconds, learner.history, accuracy, device)
    return path


def _check_recipe(recipe: Recipe, name: str, device: str) -> None:
    """Refuse what would end a run, or spoil it, after hours."""
    for number in ("persons", "epochs", "width", "batch_size"):
        check_int(getattr(recipe, number), number, at_least=1)
    check_int(recipe.seed, "seed", at_least=0, at_most=2**32 - 1)
    check_int(recipe.image_size, "image_size", at_least=MIN_IMAGE_SIDE)
    check_real(recipe.lr, "lr", above=0)
    check_real(recipe.weight_decay, "weight_decay", at_least=0)
    for share in ("smoothing", "average"):
        check_real(getattr(recipe, share), share, at_least=0, at_most=1)
    if Path(name).name != name or not name:
        raise refusal("name", "must be the name of a file without its folder, got {}.", shown(name))
    try:
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        message = "must be a device of torch that is there, such as 'cpu', got {}."
        raise refusal("device", message, shown(device)) from error


@plain_modes()
def _accuracy_on_new_persons(path: Path, recipe: Recipe) -> float:
    """Score on drawn faces of persons that were not learned from."""
    rng = np.random.RandomState([recipe.seed, 2**31])
    faces = draw_portraits(_NEW_PERSONS, 1, image_size=recipe.image_size, random_state=rng)
    network = expression_network(weights=path)
    with torch.inference_mode():
        logits = network(torch.from_numpy(faces.images)[:, None].float()).logits
    return float((logits.argmax(1).numpy() == faces.target).mean())


def drawn_faces(
    out: str | Path, recipe: Recipe, *, n_jobs: int | None = None, verbose: bool = False
) -> Any:
    """Return the faces that a recipe draws; those that are in the folder are read."""
    with tqdm(total=recipe.persons, desc="drawing persons", disable=not verbose) as bar:
        folder = Path(out) / "work"
        return draw_faces(folder, recipe.persons, recipe.image_size, recipe.seed, bar, n_jobs)


class _Learner:
    """The state of a run between epochs."""

    def __init__(self, recipe: Recipe, faces: Any, device: str) -> None:
        torch.manual_seed(recipe.seed)
        self.recipe, self.device = recipe, torch.device(device)
        self.images = torch.from_numpy(faces.images)
        self.target = torch.from_numpy(faces.target)
        self.units = torch.from_numpy(faces.units)
        self.pose = torch.from_numpy(faces.pose)
        network = StartNet(recipe.image_size, recipe.width, len(EXPRESSIONS), faces.units.shape[1])
        self.network = network.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.averaged = Averaged(self.network, recipe.average)
        self.optimizer = torch.optim.AdamW(
            self.network.parameters(), recipe.lr, weight_decay=recipe.weight_decay
        )
        self.epoch, self.seconds = 0, 0.0
        self.history: list[float] = []

    def learn(self, verbose: bool) -> None:
        """Go through the faces once."""
        recipe, begin = self.recipe, time.perf_counter()
        torch.manual_seed(recipe.seed + 1000 + self.epoch)
        order = torch.randperm(len(self.target)).split(recipe.batch_size)
        steps = len(order)
        total = 0.0
        self.network.train()
        for step, rows in enumerate(tqdm(order, f"epoch {self.epoch + 1}", disable=not verbose)):
            progress = (self.epoch + step / steps) / recipe.epochs
            for group in self.optimizer.param_groups:
                group["lr"] = recipe.lr * SCHEDULES["one-cycle"](progress)
            total += self._step(rows)
        self.epoch += 1
        self.history.append(round(total / steps, 4))
        self.seconds += time.perf_counter() - begin

    def _step(self, rows: Tensor) -> float:
        known = (self.images, self.target, self.units, self.pose)
        images, target, units, pose = (values[rows].to(self.device) for values in known)
        loss = loss_of(self.network(images), target, units, pose, self.recipe.smoothing)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.averaged.update(self.network)
        return float(loss.detach())

    def keep(self, path: Path) -> None:
        """Write the state to a file."""
        state = {
            "recipe": asdict(self.recipe),
            "network": self.network.state_dict(),
            "average": self.averaged.state,
            "steps": self.averaged.steps,
            "optimizer": self.optimizer.state_dict(),
            "epoch": self.epoch,
            "seconds": self.seconds,
            "history": self.history,
        }
        with replaced(path) as unfinished:
            torch.save(state, unfinished)

    def resume(self, path: Path) -> None:
        """Go on from a file, if there is one of the same recipe."""
        if not path.exists():
            return
        state = torch.load(path, map_location=self.device, weights_only=True)
        if state["recipe"] != asdict(self.recipe):
            return
        self.network.load_state_dict(state["network"])
        self.averaged.state, self.averaged.steps = state["average"], state["steps"]
        self.optimizer.load_state_dict(state["optimizer"])
        self.epoch, self.seconds = state["epoch"], state["seconds"]
        self.history = state["history"]
