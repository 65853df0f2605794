"""An embedder as plain values: parameters, what was learned, and the tensors of its network.

The network and the objective are not saved but made again, by the code that made them for ``fit``.
"""

import inspect
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from skfer.embedders import BaseEmbedder
from skfer.embedders.state._snapshots import snapshot
from skfer.exceptions import ModelFileError, warn_caller
from skfer.nets._own_draws import CannotDrawError, OwnDraws
from skfer.persistence._beside_tensors import changed_attributes, set_attributes
from skfer.training import MetricNet, plain_modes, seeded
from skfer.training._callbacks import changes_nothing, kind_of
from skfer.training._module_state import tensors_of

_CODE = "_pickled_callbacks"
"""What the state of an embedder may have beside plain values: for pickles alone."""
_KNOWN_MAKERS = {"skfer", "torch", "timm", "pytorch_metric_learning"}
"""Packages whose networks and losses draw their weights by operations of torch."""


def take_apart(embedder: BaseEmbedder) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """Return the attributes of an embedder, and the values of its net if it is fitted.

    Parameters
    ----------
    embedder : BaseEmbedder
        It is left as it is.

    Returns
    -------
    state : dict
        Attributes, as pickled, but without the net.
    net : dict or None
        ``module`` and ``criterion``, tensors by their names; ``beside``, what else these two have
        learned; ``history``, ``schedule`` and ``precision``; and ``unchanged``, which parameters
        are still the modules of the training.
    """
    embedder = snapshot(embedder)  # another thread may end a fit meanwhile
    state = dict(embedder.__getstate__())
    net = state.pop("net_", None)
    state.pop(_CODE, None)
    _tell_callbacks(embedder)
    # A folder of the machine that it was fitted on, and code.
    scoring = _names_alone(state.get("scoring"))
    state |= {"callbacks": None, "checkpoint": None, "scoring": scoring}
    if net is None:
        return state, None
    network, objective = _made_again(embedder)
    return state, {
        "module": tensors_of(net.module_),
        "criterion": tensors_of(net.criterion_),
        "beside": {
            "module": changed_attributes(net.module_, network),
            "criterion": changed_attributes(net.criterion_, objective),
        },
        "history": net.history.to_list(),
        "schedule": net.schedule,
        "precision": net.precision,
        "unchanged": [
            name
            for name, value in state["_built_from"].items()
            if isinstance(value, nn.Module) and state.get(name) is value
        ],
    }


def _tell_callbacks(embedder: BaseEmbedder) -> None:
    """Warn of callbacks without which a training is another one."""
    given = embedder.callbacks or ()
    matter = [kind_of(one).__name__ for one in given if not changes_nothing(one)]
    if matter:
        warn_caller(
            f"The callbacks of {type(embedder).__name__} are not kept ({', '.join(matter)}), and "
            "without them what is loaded may train otherwise: set its callbacks first.",
            UserWarning,
        )


def _names_alone(scoring: Any) -> Any:
    """Return a `scoring` parameter that consists of names; None for one with functions."""
    names = [scoring] if isinstance(scoring, str) else scoring
    if isinstance(names, dict):
        names = list(names.values())
    plain = isinstance(names, list | tuple) and all(isinstance(name, str) for name in names)
    return scoring if plain else None


def put_together(
    kind: type[BaseEmbedder], state: dict[str, Any], net: dict[str, Any] | None
) -> BaseEmbedder:
    """Return the embedder that was taken apart.

    Parameters
    ----------
    kind : type
        Its class.
    state, net : dict
        From `take_apart`.

    Raises
    ------
    ModelFileError
        If the tensors do not fit the network that its parameters describe.
    """
    embedder = kind.__new__(kind)
    # A file of an older version lacks the parameters that have come since.
    state = _defaults(kind) | state
    state.pop(_CODE, None)
    embedder.__setstate__(state)
    if net is None:
        return embedder
    for name in net["unchanged"]:  # one module was read as several
        for known in (embedder._built_from, embedder._trained_with):
            if name in known:
                known[name] = getattr(embedder, name)
    network, objective = _made_again(embedder)
    _set_tensors(network, net["module"], "network")
    _set_tensors(objective, net["criterion"], "objective")
    set_attributes(network, net["beside"]["module"])
    set_attributes(objective, net["beside"]["criterion"])
    embedder.net_ = MetricNet.restored(
        network,
        objective,
        history=net["history"],
        schedule=net["schedule"],
        precision=net["precision"],
    )
    return embedder


def _made_again(embedder: BaseEmbedder) -> tuple[nn.Module, nn.Module]:
    """Return a network and an objective as ``fit`` made them, before they learned anything."""
    with plain_modes():  # weights are drawn, and replaced
        if _draws_by_torch_alone(embedder):
            try:
                with OwnDraws():
                    return _made_by(embedder)
            except CannotDrawError:
                pass
        with seeded(0, torch.device("cpu")):  # waits for trainings in other threads
            return _made_by(embedder)


def _draws_by_torch_alone(embedder: BaseEmbedder) -> bool:
    """Whether what makes a network is known: a user's code may seed torch itself."""
    given = embedder._built_from | embedder._trained_with
    makers = [type(embedder), *(value for name, value in given.items() if name != "scoring")]
    called = [maker for maker in makers if callable(maker) and not isinstance(maker, nn.Module)]
    names = {str(getattr(maker, "__module__", "")).partition(".")[0] for maker in called}
    return names <= _KNOWN_MAKERS


def _made_by(embedder: BaseEmbedder) -> tuple[nn.Module, nn.Module]:
    maker: Any = snapshot(embedder)
    # Not the present parameters, which may have changed after the training.
    vars(maker).update(embedder._built_from)
    if type(embedder).make_network is BaseEmbedder.make_network:
        maker.backbone_weights = None  # a file that was read for fit, and may be gone since
    network = maker.make_network()
    vars(maker).update(embedder._trained_with)
    return network, maker.make_objective()


def _defaults(kind: type[BaseEmbedder]) -> dict[str, Any]:
    parameters = inspect.signature(kind).parameters.values()
    return {p.name: p.default for p in parameters if p.default is not p.empty}


def _set_tensors(module: nn.Module, values: Mapping[str, Tensor], what: str) -> None:
    own, free = tensors_of(module), _empty_buffers(module)
    odd = sorted((own.keys() - values.keys()) | (values.keys() - own.keys() - free))
    if odd:
        raise ModelFileError(
            f"the file does not fit the {what} that its parameters describe: {odd[0]!r} is in one "
            "of them only. It is damaged, or of a version of skfer with another network."
        )
    for name, value in values.items():
        room, _, short = name.rpartition(".")
        holder = module.get_submodule(room)
        if short in holder._parameters:
            own[name].data = _in_layout_of(own[name], value.detach(), name)
        else:
            holder._buffers[short] = value.detach()


def _empty_buffers(module: nn.Module) -> set[str]:
    """Return the names of buffers that may get a tensor in training."""
    return {
        f"{room}.{name}".removeprefix(".")
        for room, holder in module.named_modules()
        for name, buffer in holder._buffers.items()
        if buffer is None
    }


def _in_layout_of(own: Tensor, value: Tensor, name: str) -> Tensor:
    """Return a value in the memory format that the network was laid out for."""
    if own.shape != value.shape or own.dtype != value.dtype:
        raise ModelFileError(
            f"the file does not fit: {name!r} is {tuple(value.shape)} and the network has "
            f"{tuple(own.shape)} there."
        )
    return torch.empty_like(own).copy_(value)
