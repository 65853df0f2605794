"""From objects to JSON and arrays and back; reading runs no code that a file brings."""

import warnings
from collections.abc import Callable, Mapping
from types import FunctionType
from typing import Any

import numpy as np
import torch
from sklearn.base import BaseEstimator
from sklearn.model_selection._search import BaseSearchCV
from sklearn.neighbors import BallTree, KDTree
from sklearn.pipeline import Pipeline
from torch import Tensor, nn
from torch.nn.utils.parametrize import is_parametrized

from skfer._typing import NDArray
from skfer.embedders import BaseEmbedder
from skfer.exceptions import ModelFileError
from skfer.persistence._embedder import put_together, take_apart
from skfer.persistence._known import Trusted, find_class, find_named, full_name, is_plain, name_of
from skfer.training._module_state import OF_TORCH
from skfer.validation._arrays import word_of

TAG = "!"
"""Key of a dict that stands for something else than a dict with words as keys."""
_NATIVE = frozenset(["f8", "f4", "f2", "i8", "i4", "i2", "i1", "u1", "b1", "u2", "u4", "u8"])
_TREES = {"kd_tree": KDTree, "ball_tree": BallTree}
_NAMING = frozenset(["named", "module", "object", "embedder"])
"""Tags of what a class or a function is needed for."""
_REMEDY = (
    "use pickle, or leave it out, or have something else in its place (the docs of skfer.save "
    "name the parts of scikit-learn that it takes)"
)
_MODULE_PARTS = ("_parameters", "_buffers", "_modules")

Arrays = dict[str, NDArray[Any]]


class Encoder:
    """Turns values into what JSON holds, and arrays of numbers into `arrays`.

    Parameters
    ----------
    arrays : dict of str to ndarray, default=None
        Those of another encoder, for both; None is an empty dict.
    remedy : str, default=_REMEDY
        What to do about a value that cannot be saved.

    Attributes
    ----------
    arrays : dict of str to ndarray
        What is not for JSON.
    """

    def __init__(self, arrays: Arrays | None = None, remedy: str = _REMEDY) -> None:
        self.arrays: Arrays = {} if arrays is None else arrays
        self._remedy = remedy
        self._names: dict[int, str] = {}
        self._kept: list[Any] = []  # an id is taken only while its object lives
        self._ways: tuple[tuple[Any, Callable[[Any, str], Any]], ...] = (
            (np.generic, self._scalar),
            (int, lambda value, _: value),
            (float, lambda value, _: value if np.isfinite(value) else _tagged("float", str(value))),
            (Tensor, self._tensor),
            (np.ndarray, self._array),
            (nn.Module, self._module),
            (np.random.RandomState, self._random_state),
            (BaseEmbedder, self._embedder),
            (BaseEstimator, self._object),
            (dict, self._dict),
            (tuple, lambda value, place: _tagged("tuple", self._items(value, place))),
            (list, self._items),
            (slice, self._slice),
            (np.dtype, lambda value, _: _tagged("dtype", value.str)),
            (type | FunctionType, self._named),
            (object, self._object),
        )

    def encode(self, value: Any, place: str) -> Any:
        """Return a value as JSON holds it.

        Parameters
        ----------
        value : object
            What to save.
        place : str
            Where it stands, for the message.

        Raises
        ------
        TypeError
            If it cannot be saved.
        """
        if value is None or isinstance(value, bool | str):
            return word_of(value) if isinstance(value, str) else value
        return next(way for kinds, way in self._ways if isinstance(value, kinds))(value, place)

    def _items(self, values: Any, place: str) -> list[Any]:
        return [self.encode(value, f"{place}[{i}]") for i, value in enumerate(values)]

    def _dict(self, values: Mapping[Any, Any], place: str) -> Any:
        if all(isinstance(key, str) and key != TAG for key in values):
            return {
                word_of(key): self.encode(value, f"{place}.{word_of(key)}")
                for key, value in values.items()
            }
        return _tagged("dict", [self._items(pair, place) for pair in values.items()])

    def _scalar(self, value: np.generic, place: str) -> Any:
        if isinstance(value, np.str_):
            return str(value)
        return _tagged("scalar", self._array(np.asarray(value), place))

    def _array(self, value: NDArray[Any], place: str) -> Any:
        if value.dtype.kind in "OU":
            items = self._items(value.ravel().tolist(), place)
            return _tagged("objects", items, dtype=value.dtype.str, shape=list(value.shape))
        if value.dtype.str[1:] not in _NATIVE:
            raise self._cannot(place, f"an array of dtype {value.dtype}")
        # Products of matrices differ in their last bits between layouts in memory.
        fortran = value.ndim > 1 and value.flags.f_contiguous and not value.flags.c_contiguous
        stored = self._stored(value.T if fortran else value, value)
        return _tagged("array", stored, order="F" if fortran else "C")

    def _stored(self, value: NDArray[Any], owner: Any) -> str:
        if id(owner) not in self._names:
            self._kept.append(owner)
            self._names[id(owner)] = f"a{len(self.arrays)}"
            native = value.astype(value.dtype.newbyteorder("="), copy=False)
            self.arrays[self._names[id(owner)]] = np.require(native, requirements="C")
        return self._names[id(owner)]

    def _tensor(self, value: Tensor, place: str) -> Any:
        if value.layout != torch.strided or value.dtype in (torch.bfloat16, torch.complex64):
            raise self._cannot(place, f"a {value.layout} tensor of {value.dtype}")
        tag = "parameter" if isinstance(value, nn.Parameter) else "tensor"
        stored = self._stored(value.detach().cpu().contiguous().numpy(), value)
        return _tagged(tag, stored, grad=value.requires_grad)

    def _random_state(self, value: np.random.RandomState, place: str) -> Any:
        state: Any = value.get_state(legacy=False)
        return _tagged("random_state", self._dict(state, place))

    def _module(self, value: nn.Module, place: str) -> Any:
        if value._forward_hooks or value._forward_pre_hooks:
            raise self._cannot(place, "a module with hooks, which are functions")
        if is_parametrized(value):
            raise self._cannot(place, "a module with parametrizations, whose class has no name")
        own = {key: item for key, item in vars(value).items() if key not in OF_TORCH}
        parts = {key: self._dict(getattr(value, key), f"{place}.{key}") for key in _MODULE_PARTS}
        transient = sorted(value._non_persistent_buffers_set)
        return _tagged(
            "module",
            name_of(type(value)),
            state=self._dict(own, place),
            training=value.training,
            transient=transient,
            **parts,
        )

    def _slice(self, value: slice, place: str) -> Any:
        return _tagged("slice", self._items((value.start, value.stop, value.step), place))

    def _named(self, value: Any, place: str) -> Any:
        name = name_of(value) if isinstance(value, type) else full_name(value)
        if "<" in name:
            raise self._cannot(place, f"{name}, which has no name that could be looked up")
        return _tagged("named", name)

    def _embedder(self, value: BaseEmbedder, place: str) -> Any:
        state, net = take_apart(value)
        if net is not None:
            net["beside"] = {
                room: {name: self._data_of(part, name or room) for name, part in parts.items()}
                for room, parts in net["beside"].items()
            }
        return _tagged(
            "embedder",
            name_of(type(value)),
            state=self._dict(state, place),
            net=self.encode(net, f"{place}.net_"),
        )

    def _data_of(self, attributes: dict[str, Any], place: str) -> dict[str, Any]:
        """Return the attributes of a part of a network or loss that a file can hold."""
        kept = {key: item for key, item in attributes.items() if _is_data(item)}
        of_machine = (torch.device, torch.dtype)  # of the one where it was trained
        left = ", ".join(
            key
            for key, item in attributes.items()
            if key not in kept and not isinstance(item, of_machine)
        )
        if left:
            warnings.warn(
                f"{place} has something as {left} that changed in training and that a file cannot "
                "hold: it is loaded as it is before a training. Numbers, text, tensors, and lists "
                "and dicts of them are kept.",
                UserWarning,
                stacklevel=2,
            )
        return kept

    def _object(self, value: Any, place: str) -> Any:
        if isinstance(value, BaseSearchCV) and hasattr(value, "best_estimator_"):
            raise TypeError(
                f"{place} is a search, which cannot be saved: save what it has found, its "
                "best_estimator_."
            )
        if not (isinstance(value, BaseEstimator) or is_plain(type(value))):
            kind = type(value)
            raise self._cannot(place, f"of type {kind.__module__}.{kind.__qualname__}")
        state = value.__getstate__()
        if hasattr(value, "_tree") and hasattr(value, "_fit_X"):  # neighbors: built again
            state = {key: item for key, item in state.items() if key != "_tree"}
        if isinstance(value, Pipeline):
            state = state | {"memory": None}  # a folder of the machine that it was fitted on
        if is_plain(type(value)) and not isinstance(state.get("owner", ""), str):
            # A metadata request and its owner refer to each other; the owner's name is enough.
            state = state | {"owner": type(state["owner"]).__name__}
        return _tagged("object", name_of(type(value)), state=self._dict(state, place))

    def _cannot(self, place: str, what: str) -> TypeError:
        return TypeError(f"{place} is {what}, which cannot be saved: {self._remedy}.")


def _is_data(value: Any) -> bool:
    """Whether a value can be saved, and loaded without the name of a class or function."""
    try:
        return not names_in(Encoder().encode(value, ""))
    except (TypeError, ValueError, RecursionError):
        return False


def names_in(value: Any) -> list[str]:
    """Return the names of all classes and functions that an encoded value needs, each once."""
    found: dict[str, None] = {}
    left = [value]
    while left:
        value = left.pop()
        if isinstance(value, dict):
            if value.get(TAG) in _NAMING and isinstance(value.get("value"), str):
                found[value["value"]] = None
            value = list(value.values())
        if isinstance(value, list):
            left += reversed(value)  # in the order of the file
    return list(found)


class Decoder:
    """Turns back what an `Encoder` made.

    Parameters
    ----------
    arrays : dict of str to ndarray
        Of the encoder.
    trusted : collection of str, type or callable
        Classes and functions that are welcome beside those that are known.
    """

    def __init__(self, arrays: Arrays, trusted: Trusted = ()) -> None:
        self._arrays = arrays
        self._trusted = trusted
        self._tensors: dict[str, Tensor] = {}
        self._ways: dict[str, Callable[[dict[str, Any]], Any]] = {
            "float": lambda given: float(given["value"]),
            "scalar": lambda given: self.decode(given["value"])[()],
            "array": self._array,
            "objects": self._objects,
            "tensor": self._tensor,
            "parameter": self._tensor,
            "tuple": lambda given: tuple(map(self.decode, given["value"])),
            "slice": lambda given: slice(*map(self.decode, given["value"])),
            "dict": self._dict,
            "dtype": lambda given: np.dtype(given["value"]),
            "random_state": self._random_state,
            "module": self._module,
            "object": self._object,
            "embedder": self._embedder,
            "named": lambda given: find_named(given["value"], self._trusted),
        }

    def decode(self, value: Any) -> Any:
        """Return the value that was encoded.

        Parameters
        ----------
        value : object
            From JSON.

        Raises
        ------
        ModelFileError
            If it needs a class that is neither known nor trusted, or an array that is not there.
        """
        if isinstance(value, list):
            return list(map(self.decode, value))
        if not isinstance(value, dict):
            return value
        if TAG not in value:
            return {key: self.decode(item) for key, item in value.items()}
        if value[TAG] not in self._ways:
            raise ModelFileError(f"the file is damaged: nobody knows {str(value[TAG])[:50]!r}.")
        return self._ways[value[TAG]](value)

    def _stored(self, name: Any) -> NDArray[Any]:
        if name not in self._arrays:
            raise ModelFileError(f"the file is damaged: it lacks the array {str(name)[:50]!r}.")
        return self._arrays[name]

    def _array(self, given: dict[str, Any]) -> NDArray[Any]:
        stored = self._stored(given["value"])
        return stored.T.copy("F") if given["order"] == "F" else stored.copy()

    def _objects(self, given: dict[str, Any]) -> NDArray[Any]:
        dtype = np.dtype(given["dtype"])
        if dtype.kind not in "OU":
            raise ModelFileError("the file is damaged: an array of words has a dtype of numbers.")
        items = np.empty(len(given["value"]), dtype=dtype)
        items[:] = self.decode(given["value"])
        return items.reshape(given["shape"])

    def _tensor(self, given: dict[str, Any]) -> Tensor:
        name = given["value"]
        if name not in self._tensors:
            tensor = torch.from_numpy(self._stored(name).copy())
            if given[TAG] == "parameter":
                tensor = nn.Parameter(tensor, requires_grad=bool(given["grad"]))
            self._tensors[name] = tensor
        return self._tensors[name]

    def _dict(self, given: dict[str, Any]) -> dict[Any, Any]:
        return dict(tuple(map(self.decode, pair)) for pair in given["value"])

    def _random_state(self, given: dict[str, Any]) -> np.random.RandomState:
        rng = np.random.RandomState(0)
        rng.set_state(self.decode(given["value"]))
        return rng

    def _module(self, given: dict[str, Any]) -> nn.Module:
        kind = find_class(given["value"], self._trusted)
        if not issubclass(kind, nn.Module):
            raise ModelFileError(f"the file is damaged: {kind.__name__} is no module.")
        module = kind.__new__(kind)
        nn.Module.__init__(module)
        for key in _MODULE_PARTS:
            getattr(module, key).update(self.decode(given[key]))
        module._non_persistent_buffers_set.update(given["transient"])
        module.training = bool(given["training"])
        vars(module).update(self.decode(given["state"]))
        return module

    def _embedder(self, given: dict[str, Any]) -> BaseEmbedder:
        kind = find_class(given["value"], self._trusted)
        if not issubclass(kind, BaseEmbedder):
            raise ModelFileError(f"the file is damaged: {kind.__name__} is no embedder.")
        return put_together(kind, self.decode(given["state"]), self.decode(given["net"]))

    def _object(self, given: dict[str, Any]) -> Any:
        kind: Any = find_class(given["value"], self._trusted)
        # What an embedder does with a state is for pickles, which may hold code.
        if issubclass(kind, BaseEmbedder) or not (
            issubclass(kind, BaseEstimator) or is_plain(kind)
        ):
            raise ModelFileError(f"the file is damaged: {kind.__name__} is no such estimator.")
        value: Any = kind.__new__(kind)
        state = self.decode(given["state"])
        if hasattr(value, "__setstate__"):
            value.__setstate__(state)
        else:
            vars(value).update(state)
        if state.get("_fit_method") in _TREES and "_fit_X" in state:
            value._tree = _TREES[state["_fit_method"]](
                state["_fit_X"],
                state["leaf_size"],
                metric=state["effective_metric_"],
                **state["effective_metric_params_"],
            )
        return value


def _tagged(tag: str, value: Any, **others: Any) -> dict[str, Any]:
    return {TAG: tag, "value": value, **others}
