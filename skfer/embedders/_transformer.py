"""What a fitted embedder answers, and what its pickle holds."""

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from skfer._typing import NDArray
from skfer._version import __version__
from skfer.embedders._devices import find_device, find_precision
from skfer.embedders._directions import gives_directions, mean_of, moved, some_labeled
from skfer.embedders._parameters import SharedParameters
from skfer.embedders.samples._forms import as_arrays
from skfer.embedders.samples._inputs import (
    check_images,
    check_shape,
    decode_paths,
    is_images,
    make_source,
    mapped_again,
    photographs_among,
    refuse_alpha,
    refuse_single_image,
    row_shape,
    row_statistics,
    stack_images,
)
from skfer.embedders.samples._tables import check_table
from skfer.embedders.state._pickling import CallbacksApart, portable
from skfer.embedders.state._snapshots import on_snapshot, snapshot
from skfer.exceptions import ArgumentError, InconsistentVersionWarning, warn_caller
from skfer.nets import Embedded
from skfer.pictures import check_image_size, warn_of_photographs
from skfer.training import MetricNet, PictureSource, Source, run_network
from skfer.validation import check_rows

_LOOK_FOR_FACES = (
    "Put a FaceAligner with a detector before the embedder, or cut faces out by detect_faces; if "
    "faces fill such pictures, disregard this NoFaceWarning."
)


class NetworkTransformer(ClassNamePrefixFeaturesOutMixin, TransformerMixin, SharedParameters):
    """Checks inputs, and runs a network that a subclass has trained as ``net_`` on them."""

    classes_: NDArray[Any]
    embedding_center_: NDArray[np.float32] | None
    input_shape_: tuple[int, ...]
    n_features_in_: int
    net_: MetricNet
    _row_statistics: Any
    _rows_are_images: bool

    @on_snapshot
    def transform(self, X: Any) -> NDArray[np.float32]:
        """Embed X.

        Parameters
        ----------
        X : array-like
            Inputs of the shape seen in ``fit``.

        Returns
        -------
        ndarray of shape (n, embedding_dim)
            The embedding, float32: directions, of length 1, unless `normalize_embedding` says
            otherwise. Every batch is padded to one size, so that the embedding of a row does not
            depend on the other rows.
        """
        check_is_fitted(self)
        return self._embedded(X)

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[np.object_]:
        """Return the names of the embedding's coordinates.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Names of the columns of rows, as seen in ``fit``; those of pictures, which may be a
            column of paths, do not matter.

        Returns
        -------
        ndarray of shape (embedding_dim,)
            The name of the class, in small letters, and a number.
        """
        check_is_fitted(self)
        have_columns = len(self.input_shape_) < 2 or hasattr(self, "feature_names_in_")
        return super().get_feature_names_out(input_features if have_columns else None)

    def _find_center(
        self, source: Source, codes: NDArray[np.intp], *, goes_on: bool
    ) -> NDArray[np.float32] | None:
        """Return the point that directions are taken from, if they are wanted.

        Where a training goes on, pass by pass, it moves towards that of each pass, and "auto"
        leaves an embedder without a center without one.
        """
        former = self.embedding_center_ if goes_on else None
        wanted = self.normalize_embedding
        if goes_on and wanted == "auto":
            wanted = former is not None
        objective = self.net_.criterion_
        length = self._n_features_out // objective.n_directions()
        if not gives_directions(wanted, length, len(self.classes_)):
            return None
        batches = self._run(some_labeled(source, codes))
        center = mean_of(objective.points(output.embedding) for _, output in batches)
        if self.standardize_embedding:
            # Batches of labeled samples are balanced, so its origin lies amid the classes.
            center *= np.float32(objective.share_of_mean())
        if former is None:
            return center
        return moved(former, center, len(codes), self.class_count_)

    @on_snapshot
    def network_outputs(self, X: Any) -> Iterator[Embedded]:
        """Run the trained network over X, in batches.

        Parameters
        ----------
        X : array-like
            Inputs of the shape seen in ``fit``.

        Yields
        ------
        output : Embedded
            Embedding, logits and attention of one batch, on the device, in the order of X.
        """
        check_is_fitted(self)
        return (output for _, output in self._run(self._check_inputs(X, reset=False)))

    def _embedded(self, X: Any) -> NDArray[np.float32]:
        """Return the embedding as an array, whatever the container of ``transform``."""
        source = self._check_inputs(X, reset=False)
        embedding = np.empty((len(source), self._n_features_out), dtype=np.float32)
        for rows, output in self._run(source):
            embedding[rows] = self.features_of(output.embedding).cpu().numpy()
        return embedding

    def features_of(self, embedding: Any) -> Any:
        """Return what ``transform`` makes of the network's embeddings.

        Parameters
        ----------
        embedding : Tensor or array-like of shape (n, embedding_dim)
            As :meth:`network_outputs` has them.

        Returns
        -------
        Tensor or ndarray of shape (n, embedding_dim)
            With ``normalize_embedding``, directions from ``embedding_center_``. A tensor is one on
            the device of `embedding`; of an array it is an array, float32.

        Raises
        ------
        ArgumentError
            If it is not of this shape, or an array that holds NaN or infinity.
        """
        check_is_fitted(self)
        if isinstance(embedding, Tensor):
            return self._features_of(embedding)
        return self._features_of_array(embedding)

    @on_snapshot
    def _features_of_array(self, embedding: Any) -> NDArray[np.float32]:
        with np.errstate(over="ignore"):  # it is told as infinity
            rows = check_rows(embedding, "embedding", dtype=np.float32)
        tensors = (*self.net_.criterion_.parameters(), *self.net_.criterion_.buffers())
        device = tensors[0].device if tensors else "cpu"
        with torch.inference_mode():
            return self._features_of(torch.from_numpy(rows).to(device)).cpu().numpy()

    def _features_of(self, embedding: Tensor) -> Tensor:
        if embedding.ndim != 2 or embedding.shape[1] != self._n_features_out:
            raise ArgumentError(
                "{embedding} must be of shape (n, {}), as the network's, got {}.",
                self._n_features_out,
                tuple(embedding.shape),
            )
        center = getattr(self, "embedding_center_", None)  # the first training goes on without
        center = None if center is None else torch.tensor(center)
        return self.net_.criterion_.placed(embedding, center)

    def _run(self, source: Source) -> Iterator[tuple[slice, Embedded]]:
        device = self._inference_device()
        precision = find_precision(self.precision, device, self.net_.precision)
        return run_network(self.net_.module_, source, device, precision)

    @property
    def backbone_(self) -> nn.Module:
        """The trained backbone."""
        check_is_fitted(self)
        return self.net_.module_.backbone

    @property
    def _n_features_out(self) -> int:
        return self.net_.module_.project.out_features

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.input_tags.three_d_array = True
        tags.transformer_tags.preserves_dtype = []
        return tags

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "net_")

    def __getstate__(self) -> dict[str, Any]:
        taken = snapshot(self)  # another thread may end a fit meanwhile
        state = portable(super(NetworkTransformer, taken).__getstate__())
        state |= {"_skfer_version": __version__}
        if hasattr(taken, "net_") and taken.callbacks is not None:
            # They watch a training, and may keep references to anything in it.
            apart = CallbacksApart(taken.callbacks, type(self).__name__)
            state |= {"callbacks": None, "_pickled_callbacks": apart}
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        state = state.copy()
        version = state.pop("_skfer_version", "unknown")
        if version != __version__:
            warnings.warn(
                f"This {type(self).__name__} was pickled with skfer {version} and is loaded with "
                f"skfer {__version__}: it may fail or give other embeddings.",
                InconsistentVersionWarning,
                stacklevel=2,
            )
        if "_pickled_callbacks" in state:
            found = state.pop("_pickled_callbacks")
            state["callbacks"] = found.callbacks if isinstance(found, CallbacksApart) else found
        super().__setstate__(state)

    # -- how inputs are checked -----------------------------------------------------------

    def _check_inputs(self, X: Any, *, reset: bool) -> Source:
        """Return a source of batches; take note of what the inputs are like, or compare them."""
        X = self._decode_paths(X, reset=reset)
        if isinstance(X, PictureSource):
            if reset:
                self._note_shape(X.shape)
            return X
        X = stack_images(X)
        if not reset:
            refuse_single_image(X, self.input_shape_)
        if is_images(X):
            X = check_images(X)
            if reset:
                refuse_alpha(X)
            shape = X.shape[1:]
        else:
            X = mapped_again(check_table(self, X, reset=reset), given=X)
            shape = self._row_shape(X.shape[1], reset=reset)
        if reset:
            self._note_inputs(X, shape)
        else:
            check_shape(shape, self.input_shape_, type(self).__name__)
        return make_source(X, shape, self._row_statistics)

    def _row_shape(self, n_features: int, *, reset: bool) -> tuple[int, ...]:
        """Return the shape that a row stands for, as in ``fit``: parameters may have changed."""
        if not reset:
            return self.input_shape_ if self._rows_are_images else (n_features,)
        return row_shape(n_features, check_image_size(self.image_size), self.color)

    def _note_inputs(self, X: NDArray[Any], shape: tuple[int, ...]) -> None:
        size = check_image_size(self.image_size)
        if size is not None and shape[:2] != size:
            raise ValueError(
                f"X has images of shape {shape}, but image_size={size}: bring them to it, or give "
                "image_size=None."
            )
        names = self.__dict__.get("feature_names_in_")
        self._note_shape(shape)
        if X.ndim == 2 and names is not None:
            self.feature_names_in_ = names
        self._row_statistics = row_statistics(X) if len(shape) == 1 else None

    def _note_shape(self, shape: tuple[int, ...]) -> None:
        self._rows_are_images = self.image_size is not None
        self.input_shape_ = shape
        self.n_features_in_ = int(np.prod(shape))
        self._row_statistics = None
        # They may be those of an earlier fit on a table.
        self.__dict__.pop("feature_names_in_", None)

    def _decode_paths(self, X: Any, *, reset: bool) -> Any:
        size = check_image_size(self.image_size) if reset else None
        fitted = None if reset else self.input_shape_
        lazily = self.on_error == "skip"
        X = as_arrays(X)
        decoded = decode_paths(X, size, self.color, fitted, type(self).__name__, lazily=lazily)
        if reset:
            self._note_photographs(X)
        elif decoded is not X and not getattr(self, "_trained_on_photographs", False):
            # No face may fill them, and the training had no such ones.
            warn_of_photographs(photographs_among(X, self.input_shape_), _LOOK_FOR_FACES)
        return decoded

    def _note_photographs(self, X: Any) -> None:
        """Note whether the training has pictures that no face may fill."""
        self.__dict__.pop("_trained_on_photographs", None)
        if photographs_among(X, check_image_size(self.image_size)):
            self._trained_on_photographs = True

    def _inference_device(self) -> torch.device:
        """Return the device, or the CPU, with a warning, where a loaded model finds no CUDA."""
        try:
            return find_device(self.device)
        except ValueError as error:
            warn_caller(f"{error} Using the CPU.", UserWarning)
            return torch.device("cpu")
