"""A training in a file, from which it goes on."""

import hashlib
import io
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from skorch.callbacks import Callback

from skfer._replacing import left_by_others, replaced
from skfer.exceptions import ArgumentError
from skfer.training._callback_states import callback_states, set_callback_states
from skfer.training._module_state import changed, set_state, state_of, unkept
from skfer.training._optimizer_state import optimizer_state, set_optimizer
from skfer.training._plain import generator_state, plain, plain_items, set_generator
from skfer.training._world import find_world

_FORMAT = 5
_ROOMS = ("module_", "criterion_")
_UNKEPT = (
    "checkpoint does not keep {}, which has changed in training: a fit that is killed will not end "
    "as this one does. Of networks and losses it keeps what they count and remember in numbers, "
    "tensors and buffers, and in lists, dicts and sets of them."
)
_DEAD_AFTER = 3600.0  # seconds after which an unfinished file is taken as abandoned


class Checkpoint:
    """Keeps a training in a file after every epoch, and sets another one to where it was.

    The file holds all that the rest of a training depends on, as tensors and plain values: reading
    it runs no code. It is written under another name and then renamed, so that it is whole or not
    there.

    Parameters
    ----------
    path : Path
        The file. It belongs to this one training.
    versions : dict of str to str
        What writes it. A file that other versions have written is refused.
    random_state : RandomState
        The generator that the training draws its seeds from.

    See Also
    --------
    StopAtBest : Stops early.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from skfer.training import Checkpoint
    >>> path = Path(tempfile.mkdtemp()) / "training"
    >>> keeper = Checkpoint(path, {"skfer": "0.1.0"}, np.random.RandomState(0))
    >>> path.exists()  # before the first epoch
    False
    """

    def __init__(
        self, path: Path, versions: dict[str, str], random_state: np.random.RandomState
    ) -> None:
        self.path = path
        self.versions = {"format": str(_FORMAT), **versions}
        self.random_state = random_state
        self._unkept: dict[str, Any] | None = None

    def resume(self, net: Any, batches: Any, validation: Any) -> bool:
        """Set a training that has just begun to where the file says; return if it was finished.

        Parameters
        ----------
        net : MetricNet
            Made as in the training that wrote the file.
        batches, validation : Batches
            Of the training; `validation` may be None.

        Raises
        ------
        ArgumentError
            If the file cannot be read, or was written by other versions.
        """
        sampler = getattr(batches.sampler, "sampler", batches.sampler)
        if not hasattr(sampler, "state_dict"):
            raise ArgumentError(
                "{checkpoint} needs a sampler that tells where it is: give {} the methods "
                "state_dict and load_state_dict.",
                type(sampler).__name__,
            )
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._remove_dead()
        self._unkept = {room: unkept(getattr(net, room)) for room in _ROOMS}
        if not self.path.exists():
            return False
        content = self._read()
        _set_training(net, batches, validation, content["training"])
        set_generator(self.random_state, content["seeds"])
        return content["finished"]

    def keep(self, net: Any, batches: Any, validation: Any, *, finished: bool = False) -> None:
        """Write the file.

        Parameters
        ----------
        net, batches, validation : object
            As in :meth:`resume`.
        finished : bool, default=False
            Whether nothing is left to be done: then the optimizer is left out.
        """
        world = find_world()
        if world is not None and world.rank > 0:
            return  # all processes would write the same
        self._warn_of_unkept(net)
        content = {
            "versions": self.versions,
            "finished": finished,
            "seeds": generator_state(self.random_state),
            "training": _take_training(net, batches, validation, with_optimizer=not finished),
        }
        with replaced(self.path) as unfinished:
            unfinished.write_bytes(_packed(content))

    def _warn_of_unkept(self, net: Any) -> None:
        """Warn, once, where a training has changed what the file does not hold."""
        if self._unkept is None:
            return
        for room in _ROOMS:
            found = next(changed(self._unkept[room], unkept(getattr(net, room))), None)
            if found is not None:
                self._unkept = None
                warnings.warn(_UNKEPT.format(found), UserWarning, stacklevel=2)
                return

    def _read(self) -> dict[str, Any]:
        try:
            content = _unpacked(self.path.read_bytes())
            versions = dict(content["versions"])
        except Exception as error:  # of a damaged file torch says many things
            raise ArgumentError(
                "{checkpoint}: {} cannot be read, it is damaged or no checkpoint: delete it, and "
                "the fit starts anew.",
                repr(str(self.path)),
            ) from error
        if versions != self.versions:
            raise ArgumentError(
                "{checkpoint}: {} was written by {}, and here is {}: go on with the versions that "
                "wrote it, or delete it, and the fit starts anew.",
                repr(str(self.path)),
                _named(versions),
                _named(self.versions),
            )
        return content

    def _remove_dead(self) -> None:
        """Remove what killed processes have left of this file."""
        for part in left_by_others(self.path):
            try:
                if time.time() - part.stat().st_mtime > _DEAD_AFTER:
                    part.unlink()
            except FileNotFoundError:
                continue


def _packed(content: dict[str, Any]) -> bytes:
    """Return content as ``torch.save`` writes it, with a checksum at the end."""
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue() + hashlib.sha256(buffer.getbuffer()).digest()


def _unpacked(packed: bytes) -> dict[str, Any]:
    size = len(packed) - hashlib.sha256().digest_size
    if hashlib.sha256(packed[:size]).digest() != packed[size:]:
        raise ValueError("the checksum does not fit the content.")
    return torch.load(io.BytesIO(packed[:size]), map_location="cpu", weights_only=True)


class KeepEachEpoch(Callback):
    """Writes a checkpoint after each epoch; it has to be the last of the callbacks.

    Parameters
    ----------
    checkpoint : Checkpoint
        Writes it.
    """

    only_watches = True

    def __init__(self, checkpoint: Checkpoint) -> None:
        self.checkpoint = checkpoint

    def on_epoch_end(
        self, net: Any, dataset_train: Any = None, dataset_valid: Any = None, **kwargs: Any
    ) -> None:
        """Write the file."""
        self.checkpoint.keep(net, dataset_train, dataset_valid)


def _take_training(
    net: Any, batches: Any, validation: Any, *, with_optimizer: bool
) -> dict[str, Any]:
    """Return all that the rest of a training depends on, as plain values."""
    return plain(
        {
            **{room: state_of(getattr(net, room)) for room in _ROOMS},
            "optimizer": optimizer_state(net) if with_optimizer else None,
            "history": list(map(plain_items, net.history.to_list())),
            "run": net.run_state(),
            "batches": batches.state_dict(),
            "validation": None if validation is None else validation.state_dict(),
            "callbacks": callback_states(net),
            "generators": _torch_generators(net.device),
        }
    )


def _set_training(net: Any, batches: Any, validation: Any, state: dict[str, Any]) -> None:
    """Set a training to what :func:`_take_training` returned."""
    for room in _ROOMS:
        set_state(getattr(net, room), state[room], net.device)
    if state["optimizer"] is not None:
        set_optimizer(net, state["optimizer"])
    net.history = type(net.history)(state["history"])
    net.set_run_state(state["run"])
    batches.load_state_dict(state["batches"])
    if validation is not None:
        validation.load_state_dict(state["validation"])
    set_callback_states(net, state["callbacks"])
    _set_torch_generators(net.device, state["generators"])


def _torch_generators(device: str) -> list[torch.Tensor]:
    states = [torch.default_generator.get_state()]
    if torch.device(device).type == "cuda":
        states.append(torch.cuda.get_rng_state(device))
    return states


def _set_torch_generators(device: str, states: list[torch.Tensor]) -> None:
    torch.default_generator.set_state(states[0])
    if len(states) > 1:
        torch.cuda.set_rng_state(states[1], device)


def _named(versions: dict[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in versions.items())
