"""The base of all embedders: ``fit`` and ``partial_fit``, and how a training is set up."""

import copy
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any, Self

import numpy as np
import torch
from sklearn.base import _fit_context
from sklearn.utils import check_random_state

from skfer._typing import NDArray
from skfer.embedders._devices import find_device, find_precision
from skfer.embedders._docs import with_shared_docs
from skfer.embedders._hook_results import (
    checked_labels,
    checked_list,
    checked_network,
    checked_objective,
    checked_sampler,
    covering_batches,
)
from skfer.embedders._hooks import MethodHooks
from skfer.embedders._network import (
    choose_averaging,
    choose_mirror,
    make_augment,
    starts_learned,
)
from skfer.embedders.fitting._announcing import announce
from skfer.embedders.fitting._budget import count_epochs
from skfer.embedders.fitting._callbacks import checked_callbacks
from skfer.embedders.fitting._collapse import PATIENCE, find_collapse
from skfer.embedders.fitting._credibility import CELLS, credible_votes
from skfer.embedders.fitting._features import pooled_features
from skfer.embedders.fitting._freezing import count_frozen_epochs, frozen_backbone
from skfer.embedders.fitting._scoring import ScoreEachEpoch, find_scorers
from skfer.embedders.samples._forms import as_arrays
from skfer.embedders.samples._inputs import indexed_as, tell_broken, to_learn_and_embed
from skfer.embedders.samples._labels import (
    check_classes,
    check_enough,
    check_same_classes,
    check_y,
    encode,
    find_classes,
)
from skfer.embedders.samples._validation import check_triplets, tell_lost, validation_split
from skfer.embedders.samples._votes import check_votes
from skfer.embedders.state._checkpoints import open_checkpoint
from skfer.embedders.state._resuming import check_resumable, restored_on_error
from skfer.embedders.state._snapshots import replace_state, snapshot
from skfer.exceptions import ArgumentError, EmbeddingCollapseWarning, warn_caller
from skfer.training import (
    AverageWeights,
    Batches,
    Checkpoint,
    MetricNet,
    PictureSource,
    Source,
    StopAtBest,
    SubsetSampler,
    TrainingData,
    find_schedule,
    find_world,
    one_at_a_time,
    plain_modes,
    seeded,
)
from skfer.training._history import INTERNAL
from skfer.validation import check_groups

MAX_SEED = 2**31 - 1
ROBUSTNESS = 0.85
"""q of the generalized cross-entropy where labels may be wrong."""
_OF_NO_CONSEQUENCE = {
    *("augment", "callbacks", "checkpoint", "device", "random_state", "scoring", "verbose"),
    "warm_start",
}
"""Parameters that neither the network nor the objective is made of."""


@with_shared_docs
class BaseEmbedder(MethodHooks):
    """Base of all embedders.

    It checks the inputs, trains a network, embeds, and can be pickled. A method adds what is
    minimized: it overrides :meth:`make_objective` and, where needed, other hooks. See
    :ref:`own_embedder` for an embedder of your own.

    Parameters
    ----------
    embedding_dim : int, default=128
        Length of the embedding.
    <shared parameters>

    Attributes
    ----------
    <shared attributes>

    See Also
    --------
    skfer.training.Objective : What :meth:`make_objective` returns.

    Examples
    --------
    >>> from skfer.datasets import make_expressions
    >>> from skfer.embedders import BaseEmbedder
    >>> from skfer.losses import GaussianMetricLoss
    >>> from skfer.training import Objective
    >>> class PlainGaussianEmbedder(BaseEmbedder):
    ...     def make_objective(self):
    ...         return Objective(GaussianMetricLoss(), self.classification_weight)
    >>> faces = make_expressions(6, 1, image_size=16, random_state=0)
    >>> model = PlainGaussianEmbedder(max_epochs=5, random_state=0)
    >>> model.fit(faces.images, faces.target).transform(faces.images).shape
    (48, 128)
    """

    class_count_: NDArray[np.intp]
    classes_: NDArray[Any]
    history_: list[dict[str, Any]]
    n_groups_: int | None
    n_iter_: int
    _built_from: dict[str, Any]
    """The parameters that the network was made with."""
    _trained_with: dict[str, Any]
    """Those of the latest training, which may be others than the present ones."""
    _in_passes: bool
    _random_state: np.random.RandomState

    # -- scikit-learn's interface ---------------------------------------------------------

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any, groups: Any = None, votes: Any = None) -> Self:
        """Learn the embedding.

        Parameters
        ----------
        X : array-like
            Images (n, height, width) or (n, height, width, channels), uint8 or float in any
            range; rows (n, n_features); or n paths to images, which become gray unless `color`
            is true.
        y : array-like of shape (n,)
            Class labels; GaussianMetricEmbedder, or any with votes, takes -1, None or NaN for none.
        groups : array-like of shape (n,), default=None
            Subjects. Only `early_stopping` uses them, to keep subjects apart.
        votes : array-like of shape (n, n_classes), default=None
            What several people said of each sample: counts or shares of the classes, in the order
            of ``classes_``; or with a column for each integer from 0 on, where classes are such
            integers, which cross-validation needs where a fold may lack a class. A row of zeros or
            NaN leaves the label alone, and a sample without a label has the class with the most
            votes. They are what losses aim at; y says which class a sample belongs to in batches,
            and what predictions are compared with. Of metric losses those of the package aim at
            them, without `mixup` "batch", and others that have an argument ``votes``.

        Returns
        -------
        self : object
            The fitted embedder.

        Raises
        ------
        ValueError
            If X and y do not fit together, there is only one class, X holds NaN or
            infinity, a parameter does not suit the data, or the loss is not finite.
        """
        resume = self._resumes()
        with self._learning(resume) as learner:
            learner._fit(X, y, groups, votes, resume=resume)
            learner._warn_if_collapsed(n_epochs=1)
        return self

    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(
        self, X: Any, y: Any, classes: Any = None, groups: Any = None, votes: Any = None
    ) -> Self:
        """Train one pass over some samples, at a constant learning rate.

        The first call fixes the classes, the input shape and, for rows, the statistics that
        standardize them. Parameters that have changed since the last call take effect, except
        those that the network is built from. The state of the optimizer is kept from call to call;
        after ``fit``, and after unpickling, it starts anew.

        Parameters
        ----------
        X : array-like
            As in ``fit``.
        y : array-like of shape (n,)
            Class labels, as in ``fit``.
        classes : array-like of shape (n_classes,), default=None
            All classes that will come, in the first call; by default those of its y. Later calls
            may leave it out, or give the same.
        groups : object
            Not used; there for consistency.
        votes : array-like of shape (n, n_classes), default=None
            As in ``fit``.

        Returns
        -------
        self : object
            The embedder.
        """
        resume = hasattr(self, "net_")
        with self._learning(resume) as learner:
            learner._fit_one_pass(X, y, classes, votes, resume=resume)
            learner._warn_if_collapsed(n_epochs=PATIENCE)
        return self

    def fit_transform(
        self, X: Any, y: Any = None, groups: Any = None, votes: Any = None
    ) -> NDArray[np.float32]:
        """Learn the embedding, and embed the training set; paths are decoded once.

        Parameters
        ----------
        X, y, groups, votes
            As in ``fit``.

        Returns
        -------
        ndarray of shape (n, embedding_dim)
            The embedding, float32.
        """
        reset = not self._resumes()
        given = to_learn_and_embed(X, snapshot(self)._decode_paths(X, reset=reset))
        self.fit(given, y, groups=groups, votes=votes)
        if reset:
            self._note_photographs(as_arrays(X))  # `given` is decoded
        return indexed_as(X, self.transform(given))

    # -- how it is done -------------------------------------------------------------------

    def _resumes(self) -> bool:
        return self.warm_start and hasattr(self, "net_")

    @contextmanager
    def _learning(self, resume: bool) -> Iterator[Self]:
        """Yield a copy that may learn; the embedder gets what it has learned when all went well.

        Until then the embedder answers as before, in every thread; and so it does after a failure.
        """
        # A training that resumes starts from what another thread has learned.
        with plain_modes(), one_at_a_time() if resume else nullcontext():
            rng = getattr(self, "_random_state", None) if resume else None
            shared = rng is self.random_state or rng is check_random_state(None)
            with restored_on_error(self.__dict__, None if shared else rng):
                learner = snapshot(self)
                yield learner
                replace_state(self, learner)

    def _fit(self, X: Any, y: Any, groups: Any, votes: Any, *, resume: bool) -> None:
        source, codes, votes = self._check_samples(X, y, votes, reset=not resume)
        if groups is not None:
            groups = check_groups(groups, n_samples=len(codes))
        self._random_state = check_random_state(self.random_state)
        checkpoint = self._open_checkpoint(source, codes, groups, votes, resume=resume)
        seed = self._random_state.randint(MAX_SEED)
        train, valid = self._split(codes, groups)
        self.n_groups_ = None if groups is None else len(np.unique(groups))
        shorter = bool(self.label_noise) and not self._asks_start(votes, resume=resume)
        epochs = count_epochs(self.max_epochs, codes[train], label_noise=shorter)
        data = TrainingData(source, codes, train, valid, epochs, votes=votes, groups=groups)
        if self.verbose:
            announce(self, data)
        self._train(data, seed, resume=resume, checkpoint=checkpoint)

    def _asks_start(self, votes: Any, *, resume: bool) -> bool:
        """Whether what a learned start knows weighs the labels, before it is trained on them."""
        return bool(self.label_noise) and votes is None and not resume and self._starts_learned()

    def _starts_learned(self) -> bool:
        """Whether a network comes to its first training with what it has learned from faces."""
        return starts_learned(self.backbone, self.backbone_weights, self.input_shape_)

    def _fit_one_pass(self, X: Any, y: Any, classes: Any, votes: Any, *, resume: bool) -> None:
        source, codes, votes = self._check_samples(X, y, votes, reset=not resume, classes=classes)
        if not resume:
            self._random_state = check_random_state(self.random_state)
        seed = self._random_state.randint(MAX_SEED)
        data = TrainingData(source, codes, np.flatnonzero(codes >= 0), partial=True, votes=votes)
        self._train(data, seed, resume=resume)

    def _check_samples(
        self, X: Any, y: Any, votes: Any, *, reset: bool, classes: Any = None
    ) -> tuple[Source, NDArray[np.intp], NDArray[np.float32] | None]:
        """Check all that the user gave; return a source of batches, class codes and votes."""
        name = type(self).__name__
        self.check_params()
        if self.label_noise and not self._has_classifier():
            raise ArgumentError(
                "{label_noise=} has the classifier withstand wrong labels, and there is none: "
                "set {classification_weight} above 0.",
                label_noise=self.label_noise,
            )
        X = as_arrays(X)
        allow_unlabeled = self.accepts_unlabeled or votes is not None
        y = check_y(y, X, allow_unlabeled=allow_unlabeled, name=name)
        if reset:
            self.classes_ = (
                find_classes(y, name) if classes is None else check_classes(classes, name)
            )
        elif classes is not None:
            check_same_classes(classes, self.classes_, name)
        codes = encode(y, self.classes_, allow_unlabeled=allow_unlabeled)
        if votes is not None:
            codes, votes = check_votes(
                votes, codes, self.classes_, accepts_unlabeled=self.accepts_unlabeled
            )
        source = self._check_inputs(X, reset=reset)
        check_enough(codes)
        if isinstance(source, PictureSource) and self.on_error == "skip":
            source.stand_in(codes, tell_broken)
        return source, codes, votes

    def _split(
        self, codes: NDArray[np.intp], groups: NDArray[Any] | None
    ) -> tuple[NDArray[np.intp], NDArray[np.intp] | None]:
        """Return the indices to train on, and those to validate on with early stopping."""
        if not self.early_stopping:
            return np.arange(len(codes)), None
        seed = self._random_state.randint(MAX_SEED)
        train, valid = validation_split(codes, groups, self.validation_fraction, seed)
        tell_lost(codes, train, self.classes_)
        return train, valid

    def _open_checkpoint(
        self, source: Any, codes: NDArray[np.intp], groups: Any, votes: Any, *, resume: bool
    ) -> Checkpoint | None:
        """Return where this fit is kept, if it is to be kept."""
        if self.checkpoint is None:
            return None
        data = {"X": source, "codes": codes, "classes": self.classes_}
        if votes is not None:
            data["votes"] = votes
        if self.early_stopping:
            data["groups"] = groups
        if resume:
            parts = (self.net_.module_, self.net_.criterion_)
            data["start"] = [len(self.history_), *(part.state_dict() for part in parts)]
        parameters = self.get_params(deep=False)
        kind = type(self)
        return open_checkpoint(self.checkpoint, kind, parameters, data, self._random_state)

    def _train(
        self,
        data: TrainingData,
        seed: int,
        *,
        resume: bool,
        checkpoint: Checkpoint | None = None,
    ) -> None:
        scorers = {}
        if not data.partial:
            scorers = find_scorers(self.scoring, early_stopping=self.early_stopping)
        n_before = len(self.history_) if resume else 0
        world = find_world()
        if world is not None:
            parts = (data.codes, data.train, data.valid, data.votes)
            world.check_same([*parts, np.array(data.epochs)], seed)
        with seeded(seed, find_device(self.device)):
            asks_start = not data.partial and self._asks_start(data.votes, resume=resume)
            robust = bool(self.label_noise) and not asks_start
            self.net_ = self._make_net(data, resume=resume, robust=robust)
            n_passes = len(self.net_.history) if data.partial else None
            n_frozen = count_frozen_epochs(self.freeze_backbone, data.epochs, n_passes=n_passes)
            with frozen_backbone(self.net_.module_, n_frozen) as callbacks:
                labels = checked_labels(self.prepare_training(data), data)
                sampler = self._sampler(labels, data.train)
                votes = data.votes
                if not resume:
                    self.wrong_label_share_ = None
                if asks_start:
                    votes, self.wrong_label_share_ = self._weigh_labels(data)
                batches = Batches(data.source, labels, sampler, votes)
                validation = self._validation_batches(data, labels)
                callbacks += checked_list(self.make_callbacks(data))
                if data.valid is not None:
                    scores = [ScoreEachEpoch(scorers, self, data)] if scorers else []
                    callbacks = [*scores, StopAtBest(self.n_iter_no_change), *callbacks]
                elif not data.partial:
                    callbacks += self._averaging(data.epochs)
                self.net_.train(batches, data.epochs, validation, callbacks, checkpoint)
        self._in_passes = data.partial
        # The former epochs as they are: a server may make thousands of passes, one call for each.
        former = self.history_[:n_before] if n_before else []
        self.history_ = former + [_public(epoch) for epoch in self.net_.history[n_before:]]
        self.n_iter_ = len(self.history_)
        counts = np.bincount(data.codes[data.codes >= 0], minlength=len(self.classes_))
        self.class_count_ = counts + (getattr(self, "class_count_", 0) if data.partial else 0)
        self._finish(data, batches.source, goes_on=data.partial and resume)

    def _finish(self, data: TrainingData, there: Any = None, *, goes_on: bool = False) -> None:
        """Set what is known once the network is trained on all of these, which may lie `there`."""
        source = there or data.source
        self.embedding_center_ = self._find_center(source, data.codes, goes_on=goes_on)
        self.finish_training(data)

    def _weigh_labels(self, data: TrainingData) -> tuple[NDArray[np.float32], float]:
        """Weigh the labels against what the network knows so far; return classes and mistakes."""
        features = pooled_features(self.net_, data.source, CELLS)
        known = np.where(np.isin(np.arange(len(data.codes)), data.train), data.codes, -1)
        n_classes = len(self.classes_)
        return credible_votes(features, known, n_classes, self.label_noise, self._random_state)

    def _averaging(self, epochs: int) -> list[AverageWeights]:
        """Return what averages the weights of a training, if those of several epochs count."""
        made_of = (self.backbone, self.backbone_weights, self.input_shape_)
        skip = choose_averaging(self.average_weights, *made_of, epochs)
        return [AverageWeights(skip)] if epochs - skip > 1 else []

    def _make_net(self, data: TrainingData, *, resume: bool, robust: bool) -> MetricNet:
        """Return a net to train; a resumed one keeps what was learned, and nothing else."""
        device, world = find_device(self.device), find_world()
        callbacks = checked_callbacks(self.callbacks, validated=data.valid is not None)
        objective = checked_objective(self.make_objective())
        if data.votes is not None and not objective.heeds_votes:
            raise ArgumentError(
                "{votes} would change nothing: this metric loss has no use for them, and there is "
                "no cross-entropy beside it. Leave them out, or set {classification_weight} "
                "above 0."
            )
        objective.robustness = ROBUSTNESS if robust else 0.0
        self._trained_with = {
            name: value
            for name, value in self.get_params(deep=False).items()
            if name not in (*self.network_parameters, *_OF_NO_CONSEQUENCE)
        }
        if resume:
            check_resumable(self, "partial_fit" if data.partial else "warm_start=True")
            objective.copy_learned(self.net_.criterion_)
            network = copy.deepcopy(self.net_.module_)
            network.augment = make_augment(self.augment, self.input_shape_)
        else:
            n_samples = np.inf if data.partial else len(data.train)
            self.mirror_ = choose_mirror(self.mirror, self.augment, self.input_shape_, n_samples)
            made_of = {name: getattr(self, name) for name in self.network_parameters}
            self._built_from = self._trained_with | made_of
            network = checked_network(self.make_network())
        net = MetricNet(
            network,
            objective,
            schedule="constant" if data.partial else self._find_schedule(data),
            precision=find_precision(self.precision, device),
            optimizer=torch.optim.AdamW,
            optimizer__param_groups=self.parameter_groups(),
            optimizer__weight_decay=self.weight_decay,
            optimizer__fused=True,
            lr=self.lr,
            callbacks=callbacks,
            train_split=None,
            device=str(device),
            verbose=self.verbose if world is None or world.rank == 0 else 0,
        ).initialize()
        if resume:
            net.resume_from(self.net_, with_optimizer=data.partial and self._in_passes)
        return net

    def _find_schedule(self, data: TrainingData) -> str:
        may_stop = data.valid is not None and self.n_iter_no_change < data.epochs
        schedule = find_schedule(self.schedule, may_stop=may_stop)
        if may_stop and schedule != "constant":
            warn_caller(
                f"schedule={schedule!r} is laid out for all {data.epochs} epochs, and early "
                "stopping may end the training long before its learning rate has come down: set "
                'schedule="auto" or "constant".',
                UserWarning,
            )
        return schedule

    def _sampler(self, labels: NDArray[np.intp], subset: NDArray[np.intp]) -> SubsetSampler:
        seed = self._random_state.randint(MAX_SEED)
        return SubsetSampler(checked_sampler(self.make_sampler(labels[subset], seed)), subset)

    def _validation_batches(self, data: TrainingData, labels: NDArray[np.intp]) -> Batches | None:
        """Draw the batches once: the losses of all epochs are of the same samples."""
        if data.valid is None:
            return None
        drawn = covering_batches(self._sampler(labels, data.valid))
        if self.learns_from_triplets and not self._has_classifier():
            check_triplets(labels, drawn, self.validation_fraction)
        return Batches(data.source, labels, drawn, data.votes)

    def _warn_if_collapsed(self, n_epochs: int) -> None:
        fault = find_collapse(
            self.history_,
            n_epochs,
            from_triplets=self.learns_from_triplets,
            advice=self.collapse_advice(),
        )
        if fault is not None:
            message = f"{type(self).__name__} did not learn: {fault}"
            warn_caller(message, EmbeddingCollapseWarning)


def _public(epoch: dict[str, Any]) -> dict[str, Any]:
    """Return what ``history_`` has of an epoch: no batches, nor how many there were."""
    return {name: value for name, value in epoch.items() if name not in INTERNAL}
