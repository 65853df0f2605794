"""From a loss, a class of losses or a function that makes one to the module that is minimized."""

import copy
import inspect
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from numbers import Integral
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from skfer.embedders.any_loss._faults import (
    CLASSES,
    LENGTHS,
    MAKER,
    VARIABLE,
    check_all_trained,
    check_call,
    check_number,
    check_unchanged_by_loss,
    hint_of,
    versions,
)
from skfer.exceptions import ArgumentError
from skfer.validation import refusal, shown

_NO_MAKER = (
    " A function that is a loss itself has such parameters after embeddings and labels, and with a "
    "default."
)
_PLACED = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)

Mined = tuple[Tensor, ...]
"""Three indices (anchor, positive, negative), or four (anchor, positive, anchor, negative)."""


def make_loss(
    loss: Any, params: Mapping[str, Any] | None, *, n_classes: int, embedding_dim: int
) -> Any:
    """Return a loss of its own, called as (embeddings, labels).

    Parameters
    ----------
    loss : nn.Module, class or callable
        A module is copied. A class, or a function whose parameters are of the names in `CLASSES`
        and `LENGTHS`, is called; any other function is a loss itself.
    params : mapping or None
        What a class or function is called with besides.
    n_classes, embedding_dim : int
        What such parameters get, whatever their default; those whose default is None stay so.

    Raises
    ------
    ArgumentError
        If there are `params` but nothing to call with them, or the call fails.
    """
    if not is_recipe(loss):
        if params:
            raise ArgumentError(
                "{loss_params=} is for a loss that is made when fit knows the classes, but {loss} "
                "is made already, {}: give its class, or a function with parameters named "
                "n_classes or num_classes, or leave {loss_params} out.",
                shown(loss),
                loss_params=params,
            )
        _refuse_lazy(loss)
        return copy.deepcopy(loss)
    known = dict.fromkeys(CLASSES, n_classes) | dict.fromkeys(LENGTHS, embedding_dim)
    try:
        made = _make(loss, known, dict(params or {}))
    except TypeError as error:
        raise ArgumentError(
            "{loss} cannot be made by {}: {}. What it needs beside the number of classes "
            "(n_classes, num_classes) and the length of an embedding (embedding_dim, "
            "embedding_size) is given as {loss_params}." + _NO_MAKER * (not _is_class(loss)),
            shown(loss),
            error,
        ) from error
    if not callable(made):
        raise ArgumentError(
            "{loss} must make what is called as (embeddings, labels), and {} makes {}.",
            shown(loss),
            shown(made),
        )
    _refuse_lazy(made)
    return made


def _make(recipe: Any, known: Mapping[str, Any], params: dict[str, Any]) -> Any:
    needed = {name: known[name] for name in _open(recipe, _is_needed) & known.keys()}
    sizes = {name: known[name] for name in _open(recipe, _is_size) & known.keys()}
    try:
        return recipe(**sizes | copy.deepcopy(params))
    except TypeError:
        if sizes == needed:
            raise
        # A class may give its parent a size itself, and pass on all that it does not know.
        return recipe(**needed | copy.deepcopy(params))


def _refuse_lazy(loss: Any) -> None:
    if isinstance(loss, nn.Module) and any(map(is_lazy, [*loss.parameters(), *loss.buffers()])):
        raise ArgumentError(
            "{loss} has weights whose shape is not known before its first call, such as those of "
            "nn.LazyLinear, which are not trained: give them their size, such as nn.Linear("
            "embedding_dim, n_classes) where {loss} is a class with parameters of these names."
        )


def make_miner(miner: Any) -> Any:
    """Return a miner of its own, called as (embeddings, labels); a class is called."""
    return miner() if isinstance(miner, type) else copy.deepcopy(miner)


def measures_angles(loss: Any) -> bool:
    """Whether a loss of pytorch-metric-learning compares embeddings scaled to unit length."""
    while isinstance(getattr(loss, "loss", None), nn.Module):  # such as a memory of other batches
        loss = loss.loss
    several = getattr(loss, "losses", None)
    if isinstance(several, nn.ModuleList | nn.ModuleDict) and len(several):
        parts = several.values() if isinstance(several, nn.ModuleDict) else several
        return all(measures_angles(part) for part in parts)
    return bool(getattr(getattr(loss, "distance", None), "normalize_embeddings", False))


class MinedLoss(nn.Module):
    """A loss, and a miner that chooses which samples, pairs or triplets of a batch it sees.

    Parameters
    ----------
    loss : callable
        Called as (embeddings, labels), with a third argument ``indices_tuple`` or ``triplets`` if
        it has one; one with ``**kwargs`` has the first. A loss that has neither gets the samples
        that the miner names.
    miner : callable, optional
        Called as (embeddings, labels), returns indices as the miners of pytorch-metric-learning do.
    is_made : bool, default=False
        Whether ``fit`` has made the loss.
    """

    _is_known = False
    """Whether it was looked at what it learns, in the first batch that has a gradient."""

    def __init__(self, loss: Any, miner: Any = None, *, is_made: bool = False) -> None:
        super().__init__()
        self.loss = loss
        self.miner = miner
        self.is_made = is_made

    def __getstate__(self) -> dict[str, Any]:
        # A copy is looked at once more.
        return {name: value for name, value in vars(self).items() if name != "_is_known"}

    def forward(self, embeddings: Tensor, labels: Tensor, votes: Tensor | None = None) -> Tensor:
        """Return the loss of a batch.

        Parameters
        ----------
        embeddings : Tensor of shape (n, embedding_dim)
            The embeddings.
        labels : Tensor of shape (n,)
            Class codes.
        votes : Tensor of shape (n, n_classes), optional
            What people said of each sample: for a loss that has an argument of this name.
        """
        before, start = versions(embeddings, labels), embeddings.grad_fn
        trained = () if self._is_known else tuple(self.parameters())
        loss = self._loss_of_mined(embeddings, labels, votes)
        check_number(loss)
        check_unchanged_by_loss(before, embeddings, labels)
        if not embeddings.requires_grad:
            return loss
        if not loss.requires_grad:
            # A constant 0 is what a batch without a pair may give.
            if loss != 0:
                raise ArgumentError(
                    "{loss} must have a gradient with respect to the embeddings, and has none: "
                    "compute it by operations of torch on them, without detach or numpy."
                )
            return loss + embeddings[:0].sum()
        if not self._is_known:
            check_all_trained(loss, embeddings, start, trained)
            self._is_known = True
        return loss

    def _loss_of_mined(self, embeddings: Tensor, labels: Tensor, votes: Tensor | None) -> Any:
        parameters = _called_with(self.loss)
        more: dict[str, Any] = {"votes": votes} if takes_votes(self.loss) else {}
        if self.miner is None:
            return self._of_loss(embeddings, labels, **more)
        with torch.no_grad():
            mined = _check_mined(_called("miner", self.miner, embeddings, labels))
        if _takes_indices(self.loss, parameters):  # which may be of more than this batch
            return self._of_loss(embeddings, labels, indices_tuple=mined, **more)
        _check_rows(mined, len(labels))
        if "triplets" in parameters:
            triplets = as_triplets(mined)
            return self._of_loss(embeddings, labels, triplets=triplets, **more)
        rows = torch.cat(tuple(mined)).unique()
        if not len(rows):
            return embeddings[rows].sum()  # 0, with a gradient of 0
        more = {} if votes is None or not more else {"votes": votes[rows]}
        return self._of_loss(embeddings[rows], labels[rows], **more)

    def _of_loss(self, embeddings: Tensor, labels: Tensor, **more: Any) -> Any:
        hint = partial(hint_of, self.loss, is_made=self.is_made)
        return _called("loss", self.loss, embeddings, labels, hint, **more)

    @property
    def stats(self) -> dict[str, Tensor]:
        """What the loss tells of the latest batch."""
        stats = getattr(self.loss, "stats", None)
        return stats if isinstance(stats, dict) else {}

    def _apply(self, fn: Any, recurse: bool = True) -> Self:
        """Move the module, with tensors that a loss keeps from batch to batch."""
        super()._apply(fn, recurse)
        for module in self.modules():
            for name, value in vars(module).items():
                if isinstance(value, Tensor):
                    setattr(module, name, fn(value))
        return self


def takes_votes(loss: Any) -> bool:
    """Whether a loss has an argument for what people said of each sample."""
    return "votes" in _called_with(loss)


def _takes_indices(loss: Any, parameters: Mapping[str, inspect.Parameter]) -> bool:
    """Whether a loss is told what was mined; one with ``**kwargs`` may pass it on to another."""
    if "indices_tuple" in parameters or not isinstance(loss, nn.Module):
        return "indices_tuple" in parameters
    passes_on = any(p.kind == p.VAR_KEYWORD for p in parameters.values())
    inner = (_called_with(part) for part in loss.modules() if part is not loss)
    return passes_on and any("indices_tuple" in taken for taken in inner)


_FAULTS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    NameError,
    RuntimeError,
    TypeError,
    ValueError,
)
_NO_VOTES = " Its votes were None, since fit was given none."


def _no_hint(error: Exception) -> str:
    return ""


def _called(
    name: str,
    function: Callable[..., Any],
    embeddings: Tensor,
    labels: Tensor,
    hint: Callable[[Exception], str] = _no_hint,
    **more: Any,
) -> Any:
    """Call a loss or a miner; tell what it was called with if it fails."""
    try:
        return function(embeddings, labels, **more)
    except torch.OutOfMemoryError:
        raise
    except _FAULTS as error:
        advice = hint(error)
        if isinstance(error, ArgumentError) and advice != MAKER:
            raise
        if name == "loss" and isinstance(error, TypeError):
            check_call(_called_with(function), more, error, advice)
        text = str(error).rstrip(". \n")
        # A look at the labels of a GPU might fail for the same reason.
        found = shown(labels.unique().tolist()) if labels.device.type == "cpu" else "of classes"
        raise refusal(
            name,
            "failed: {}. It was called with embeddings of shape {} and labels {}."
            + _NO_VOTES * (more.get("votes", 0) is None)
            + advice,
            f"{type(error).__name__}: {text}",
            tuple(embeddings.shape),
            found,
        ) from error


_WHOLE = (torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8)


def _check_mined(mined: Any) -> Mined:
    if (
        isinstance(mined, tuple | list)
        and len(mined) in (3, 4)
        and all(isinstance(rows, Tensor) and rows.ndim == 1 for rows in mined)
        and all(rows.dtype in _WHOLE for rows in mined)
    ):
        return tuple(mined)
    raise ArgumentError(
        "{miner} must return three or four index tensors of one axis (anchors, positives, "
        "negatives; or anchors, positives, anchors, negatives), of whole numbers, got {}.",
        shown(mined),
    )


def _check_rows(mined: Mined, n_samples: int) -> None:
    for rows in mined:
        if rows.device.type != "cpu" or not len(rows):
            continue  # a look at numbers on a GPU would have it wait
        ends = int(rows.min()), int(rows.max())
        if not 0 <= ends[0] <= ends[1] < n_samples:
            raise ArgumentError(
                "{miner} must return rows of the batch, 0 to {}, got {} to {}.",
                n_samples - 1,
                *ends,
            )


def as_triplets(mined: Mined) -> tuple[Tensor, Tensor, Tensor]:
    """Return indices (anchors, positives, negatives); pairs of one anchor are joined.

    Parameters
    ----------
    mined : tuple of Tensor
        Three index tensors, triplets already; or four: anchors and positives, anchors and
        negatives.
    """
    if len(mined) == 3:
        return mined[0], mined[1], mined[2]
    anchors, positives, others, negatives = mined
    first, second = torch.where(anchors[:, None] == others)
    return anchors[first], positives[first], negatives[second]


def is_recipe(loss: Any) -> bool:
    """Whether ``fit`` makes the loss by calling this.

    Of functions that is so where embeddings and labels would be given for a size, or a size is
    needed besides.
    """
    if isinstance(loss, partial):
        return is_recipe(loss.func)
    if isinstance(loss, type | nn.Module):
        return isinstance(loss, type)
    parameters = _parameters(loss)
    needed = {name for name, parameter in parameters.items() if _is_needed(parameter)}
    return not (needed | _first_two(parameters)).isdisjoint(CLASSES + LENGTHS)


def _is_class(recipe: Any) -> bool:
    return _is_class(recipe.func) if isinstance(recipe, partial) else isinstance(recipe, type)


def _first_two(parameters: Mapping[str, inspect.Parameter]) -> set[str]:
    """Return what embeddings and labels would be given for; all, if there is no place for them."""
    placed = [name for name, parameter in parameters.items() if parameter.kind in _PLACED]
    takes_more = any(p.kind == p.VAR_POSITIONAL for p in parameters.values())
    return {*placed[:2]} if takes_more or len(placed) > 1 else {*parameters}


def _is_needed(parameter: inspect.Parameter) -> bool:
    """Whether a parameter has no default."""
    return parameter.default is parameter.empty and parameter.kind not in VARIABLE


def _is_size(parameter: inspect.Parameter) -> bool:
    """Whether a parameter is a number by default, or has no default."""
    return _is_needed(parameter) or isinstance(parameter.default, Integral)


def _open(recipe: Any, wanted: Callable[[inspect.Parameter], bool]) -> set[str]:
    """Return the names of the parameters that are wanted, and have no value of a partial."""
    if isinstance(recipe, partial):
        given = _positional(recipe.func)[: len(recipe.args)]
        return _open(recipe.func, wanted) - recipe.keywords.keys() - set(given)
    return {
        name
        for parameters in _signatures(recipe)
        for name, parameter in parameters.items()
        if wanted(parameter)
    }


def _positional(recipe: Any) -> list[str]:
    """Return the names that values without a name are given to, in their order."""
    if isinstance(recipe, partial):
        return _positional(recipe.func)[len(recipe.args) :]
    names = []
    for parameters in _signatures(recipe):
        names += [name for name, p in parameters.items() if p.kind in _PLACED]
        if not any(p.kind == p.VAR_POSITIONAL for p in parameters.values()):
            break
    return names


def _signatures(recipe: Any) -> Iterator[Mapping[str, inspect.Parameter]]:
    """Yield the parameters of a recipe.

    Those of a class that passes on what it does not know are followed by those of its parents.
    """
    if not isinstance(recipe, type):
        yield _parameters(recipe)
        return
    for parent in recipe.__mro__:
        if "__init__" in vars(parent):
            parameters = dict(list(_parameters(vars(parent)["__init__"]).items())[1:])  # no self
            yield parameters
            if not any(parameter.kind in VARIABLE for parameter in parameters.values()):
                return


def _called_with(loss: Callable[..., Any]) -> Mapping[str, inspect.Parameter]:
    """Return the parameters of what a loss is called with."""
    return _parameters(loss.forward if isinstance(loss, nn.Module) else loss)


def _parameters(function: Any) -> Mapping[str, inspect.Parameter]:
    try:
        return inspect.signature(function).parameters
    except (TypeError, ValueError):  # written in C
        return {}
