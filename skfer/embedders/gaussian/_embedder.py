"""The Gaussian embedder."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import logsumexp
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted, column_or_1d
from torch import nn

from skfer.embedders._classifier import ClassifierEmbedder
from skfer.embedders._docs import with_shared_docs
from skfer.embedders._labels import UNLABELED, encode
from skfer.embedders.base import BaseEmbedder
from skfer.embedders.gaussian._mixture import (
    COVARIANCE_TYPES,
    Mixture,
    class_posterior,
    fit_mixture,
    likeliest_component,
    of_labelled,
    split_classes,
)
from skfer.embedders.gaussian._objective import (
    FIRST_ROUND,
    GaussianObjective,
    WatchedBatches,
    split_rounds,
)
from skfer.embedders.gaussian._pseudo_labels import Teacher
from skfer.losses import GaussianMetricLoss
from skfer.training import BalancedBatchSampler, Objective, StopAtBest


@with_shared_docs
class GaussianMetricEmbedder(ClassifierEmbedder):
    """Embed faces so that every class is a Gaussian; find classes within classes; classify.

    Every class of a batch is a Gaussian around its mean, and the squared error of the
    posterior that these Gaussians give is minimised [1]_. Once trained, the classes' Gaussians
    over the whole training set predict, and tell how familiar a face is. Classes may be split
    in training into sub-classes that nobody labelled, such as closed and open smiles. Samples
    without a label, y = -1, take part.

    Parameters
    ----------
    embedding_dim : int, default=64
        Length of the embedding.
    sigma : float, default=0.5
        Standard deviation of the Gaussians in training, in units of the distance that an
        embedding of unit spread per coordinate has from its mean, ``sqrt(embedding_dim)``: so
        it means the same at any length. The spread counts as 1 without
        `standardize_embedding` too.
    relative_sigma : bool, default=True
        False takes `sigma` as the standard deviation itself, as the paper does. Its 0.5 for 64
        coordinates is 0.06 in the relative unit, if the embedding is standardised.
    mixup : float, default=None
        If given, pairs of embeddings are mixed, and so are their targets, by shares from
        Beta(mixup, mixup); the paper takes 2.
    priors : array-like of shape (n_classes,) or "uniform", default=None
        Probability of each class when predicting. None takes the shares in the training set;
        "uniform" suits balanced accuracy, where rare classes count as much as common ones.
    max_subclasses : int, default=1
        The most sub-classes of a class, and one at most for ten samples. 1 splits none.
    covariance_type : {"tied", "full", "diag", "spherical"}, default="tied"
        Covariance of the Gaussians, of those that predict and of those by which sub-classes are
        looked for: one matrix for all, or for each (sub-)class a matrix, variances or one variance.
    split_dimensions : int, default=4
        In how many principal components of a class sub-classes are looked for. The more, the
        clearer they have to be.
    unlabeled_threshold : float, default=0.9
        From which posterior on a sample without a label is trained on, and takes part when its
        class is split. 1 leaves all of them out: only ``transduction_`` tells of them.
    <shared parameters>

    Attributes
    ----------
    means_ : ndarray of shape (n_subclasses, embedding_dim)
        Mean of each (sub-)class over the training set.
    covariances_ : ndarray
        (embedding_dim, embedding_dim) if tied, (n_subclasses, embedding_dim, embedding_dim) if
        full, (n_subclasses, embedding_dim) if diagonal, (n_subclasses,) if spherical.
    weights_ : ndarray of shape (n_subclasses,)
        Prior of each class times the share of the (sub-)class in it.
    subclass_to_class_ : ndarray of shape (n_subclasses,)
        The label of the class that each (sub-)class belongs to.
    n_subclasses_ : ndarray of shape (n_classes,)
        How many each class has.
    subclass_labels_ : ndarray of shape (n,)
        (Sub-)class of each training sample: a row of ``means_``.
    transduction_ : ndarray of shape (n,)
        Label of each training sample: its own, or the likeliest for one without.
    <shared attributes>

    See Also
    --------
    skfer.losses.GaussianMetricLoss : The loss alone.
    skfer.model_selection.SemiSupervisedSplit : Cross-validation with unlabelled samples.
    sklearn.mixture.GaussianMixture : What looks for sub-classes.

    Notes
    -----
    A covariance is drawn towards the one of all (sub-)classes together as by
    ``embedding_dim`` more samples (one, if diagonal or spherical), and that one towards a
    multiple of the identity likewise. So a class of one sample has a Gaussian too.

    From a third of the training on, the training set is embedded up to 20 times. In the
    principal components of each class, mixtures of Gaussians are fitted. A class is split into
    as few as the Bayesian information criterion prefers to one, if every two are 2.4 standard
    deviations apart and each has half an equal share or more. They are the labels from then on,
    until the next round assigns the samples anew. The first splits help the network to see
    others. A class that is split gains one sub-class a round at most, where one that it has falls
    into two by the same criterion, 3.2 standard deviations apart: what the network was trained to
    tell apart always looks like clusters, and these are no Gaussians. A class becomes whole again
    if its sub-classes are no longer preferred to one. It takes some hundred samples of a
    sub-class for a start.

    -1 marks samples without a label where two other integer labels remain; {-1, 1} are two
    classes. An epoch is long enough to draw as many as there are of either kind: few labels beside
    many faces without make it as long as many do. From a third of the training on, a network with
    averaged weights [2]_ embeds the training set before each epoch. Its posterior, the mean of the
    Gaussians' and the classifier's, is averaged over the epochs [3]_, and weighted so that the
    classes have the shares that they have among the labels [4]_: unlabelled samples should be of
    the same mixture of classes. One for which it is above the threshold enters the batches with the
    likeliest class, and counts as much as one with a label; a batch has no more of them than
    labelled ones. The Gaussians' means are those of the labelled ones alone; after training, all of
    them join the (sub-)class that is likeliest for them.

    ``partial_fit`` splits no class and learns from labelled samples alone. It replaces the
    Gaussians of the (sub-)classes that it is given, and counts on.

    Our reading of [1]_: the relative unit of `sigma`, mixed targets, when and in which space a
    class is split and when not, and the part of unlabelled samples.

    References
    ----------
    .. [1] P. D. Marrero Fernandez et al., "Deep metric structured learning for facial expression
       recognition", 2020. https://arxiv.org/abs/2001.06612
    .. [2] A. Tarvainen, H. Valpola, "Mean teachers are better role models: weight-averaged
       consistency targets improve semi-supervised deep learning results", NeurIPS 2017.
    .. [3] S. Laine, T. Aila, "Temporal ensembling for semi-supervised learning", ICLR 2017.
    .. [4] D. Berthelot et al., "ReMixMatch: semi-supervised learning with distribution matching and
       augmentation anchoring", ICLR 2020.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_iris
    >>> from skfer import GaussianMetricEmbedder
    >>> X, y = load_iris(return_X_y=True)
    >>> few = np.where(np.arange(len(y)) % 5 == 0, y, -1)
    >>> model = GaussianMetricEmbedder(random_state=0).fit(X, few)
    >>> model.score(X, y) > 0.85
    True
    >>> bool((model.transduction_ == y).mean() > 0.85)
    True
    >>> bool(model.score_samples(X + 5).max() < model.score_samples(X).min())
    True
    """

    means_: NDArray[Any]
    covariances_: NDArray[Any]
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **BaseEmbedder._parameter_constraints,
        "sigma": [Interval(Real, 0, None, closed="neither")],
        "relative_sigma": ["boolean"],
        "mixup": [Interval(Real, 0, None, closed="neither"), None],
        "priors": ["array-like", StrOptions({"uniform"}), None],
        "max_subclasses": [Interval(Integral, 1, None, closed="left")],
        "covariance_type": [StrOptions(set(COVARIANCE_TYPES))],
        "split_dimensions": [Interval(Integral, 1, None, closed="left")],
        "unlabeled_threshold": [Interval(Real, 0, 1, closed="both")],
    }

    def __init__(
        self,
        embedding_dim: int = 64,
        *,
        sigma: float = 0.5,
        relative_sigma: bool = True,
        mixup: float | None = None,
        priors: Sequence[float] | str | None = None,
        max_subclasses: int = 1,
        covariance_type: str = "tied",
        split_dimensions: int = 4,
        unlabeled_threshold: float = 0.9,
        classification_weight: float = 1.0,
        standardize_embedding: bool = True,
        backbone: Any = "auto",
        backbone_weights: Any = None,
        backbone_lr: float | None = None,
        image_shape: Sequence[int] | None = None,
        augment: Any = "auto",
        max_epochs: int = 40,
        classes_per_batch: int = 8,
        samples_per_class: int = 8,
        lr: float = 6e-3,
        weight_decay: float = 1e-2,
        schedule: str = "one-cycle",
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 10,
        device: str = "auto",
        precision: str = "auto",
        callbacks: list[Any] | None = None,
        warm_start: bool = False,
        verbose: int = 0,
        random_state: Any = None,
    ) -> None:
        super().__init__(
            embedding_dim=embedding_dim,
            classification_weight=classification_weight,
            standardize_embedding=standardize_embedding,
            backbone=backbone,
            backbone_weights=backbone_weights,
            backbone_lr=backbone_lr,
            image_shape=image_shape,
            augment=augment,
            max_epochs=max_epochs,
            classes_per_batch=classes_per_batch,
            samples_per_class=samples_per_class,
            lr=lr,
            weight_decay=weight_decay,
            schedule=schedule,
            early_stopping=early_stopping,
            validation_fraction=validation_fraction,
            n_iter_no_change=n_iter_no_change,
            device=device,
            precision=precision,
            callbacks=callbacks,
            warm_start=warm_start,
            verbose=verbose,
            random_state=random_state,
        )
        self.sigma = sigma
        self.relative_sigma = relative_sigma
        self.mixup = mixup
        self.priors = priors
        self.max_subclasses = max_subclasses
        self.covariance_type = covariance_type
        self.split_dimensions = split_dimensions
        self.unlabeled_threshold = unlabeled_threshold

    # -- what it tells --------------------------------------------------------------------

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Posterior of every class: that of the Gaussians, summed over a class's sub-classes.

        Parameters
        ----------
        X : array-like
            Inputs of the shape seen in ``fit``.

        Returns
        -------
        ndarray of shape (n, n_classes)
            In the order of ``classes_``; rows sum to 1.
        """
        return class_posterior(self._log_joint(X), self._owners, len(self.classes_))

    def predict_subclass(self, X: Any, y: Any = None) -> NDArray[np.intp]:
        """Find the likeliest sub-class.

        Parameters
        ----------
        X : array-like
            Inputs of the shape seen in ``fit``.
        y : array-like of shape (n,), default=None
            The classes, where they are known: the answer is among their sub-classes.

        Returns
        -------
        ndarray of shape (n,)
            Rows of ``means_``; ``subclass_to_class_`` has the class of each.

        Raises
        ------
        ValueError
            If y holds other labels than ``classes_``.
        """
        joint = self._log_joint(X)
        codes = np.full(len(joint), UNLABELED)
        if y is not None:
            codes = encode(column_or_1d(y), self.classes_)
        return likeliest_component(joint, self._owners, codes)

    def score_samples(self, X: Any) -> NDArray[np.float64]:
        """Log density of the whole mixture: low for faces unlike those of any class.

        Parameters
        ----------
        X : array-like
            Inputs of the shape seen in ``fit``.

        Returns
        -------
        ndarray of shape (n,)
            Log densities, of the embedding.
        """
        return logsumexp(self._log_joint(X), axis=1)

    def _log_joint(self, X: Any) -> NDArray[np.float64]:
        check_is_fitted(self)
        return self._mixture().log_joint(self.transform(X))

    def _mixture(self) -> Mixture:
        return Mixture(self.means_, self.covariances_, self.weights_, self.covariance_type)

    # -- how it learns --------------------------------------------------------------------

    _accepts_unlabeled = True
    _learns_from_triplets = False

    def _check_params(self) -> None:
        if self.priors is None or isinstance(self.priors, str):
            return
        priors = np.asarray(self.priors, dtype=np.float64)
        if priors.ndim != 1 or (priors < 0).any() or not np.isclose(priors.sum(), 1):
            raise ValueError(
                f"priors must be one probability for each class, and sum to 1; got {self.priors!r}."
            )

    def _make_objective(self) -> Objective:
        given = None if isinstance(self.priors, str) else self.priors
        if given is not None and len(given) != len(self.classes_):
            raise ValueError(
                f"priors holds {len(given)} probabilities, but y has {len(self.classes_)} classes."
            )
        loss = GaussianMetricLoss(self.sigma, relative_sigma=self.relative_sigma)
        return GaussianObjective(
            loss,
            self.classification_weight,
            n_classes=len(self.classes_),
            mixup=self.mixup,
        )

    def _make_sampler(self, codes: NDArray[np.intp], seed: int) -> Any:
        """Batches of as many samples as without sub-classes, and as many unlabelled ones again."""
        n_labels = len(np.unique(codes[codes >= 0]))
        ratio = max(1, n_labels / len(self.classes_))
        n_classes = min(round(self.classes_per_batch * ratio), n_labels)
        n_samples = max(2, round(self.samples_per_class / ratio))
        sizes = np.unique(codes[codes >= 0], return_counts=True)[1]
        n_strangers = round(np.minimum(sizes, n_samples).mean() * n_classes)
        if not self._learns_from_strangers():
            n_strangers = 0
        return BalancedBatchSampler(codes, n_classes, n_samples, seed, n_strangers)

    def _learns_from_strangers(self) -> bool:
        return self.unlabeled_threshold < 1

    def _learn(self, source: Any, codes: NDArray[np.intp], groups: Any) -> None:
        self._start_subclasses(codes)
        train, valid = self._validation(codes, groups)
        batches = self._batches(source, codes, train)
        validation = None if valid is None else self._validation_batches(source, codes, valid)
        teacher = self._teacher(codes, valid, len(batches))
        rounds = split_rounds(self.max_epochs, self.max_subclasses)
        first_guess = max(1, int(FIRST_ROUND * self.max_epochs))

        def before_epoch(epoch: int) -> None:
            if epoch in rounds:
                guessed = codes if teacher is None else teacher.classes
                self._split(source, codes, np.where(codes < 0, guessed, codes))
                fresh = self._batches(source, self.subclass_labels_, train)
                batches.labels, batches.sampler = fresh.labels, fresh.sampler
                if validation is not None:
                    validation.labels = fresh.labels
            if teacher is None:
                return
            guessed = self.subclass_labels_
            if epoch == first_guess:
                self._restart_stopping()
            if epoch >= first_guess:
                guessed = self._guesses(source, teacher)
                batches.labels = torch.from_numpy(guessed)
            batches.sampler.offer(np.flatnonzero(guessed < UNLABELED))

        self.net_.criterion_.guessing = teacher is not None
        follow = None if teacher is None else teacher.follow
        watched = WatchedBatches(batches, before_epoch, follow)
        self.net_.train(watched, self.max_epochs, validation)

    def _teacher(
        self, codes: NDArray[np.intp], valid: NDArray[np.intp] | None, n_batches: int
    ) -> Teacher | None:
        """Return who guesses the labels of samples without one, if there are such."""
        if (codes >= 0).all() or not self._learns_from_strangers():
            return None
        taught = codes.copy()
        if valid is not None:
            taught[valid] = UNLABELED  # or the validation would know what it asks for
        n_steps = self.max_epochs * n_batches
        return Teacher(
            self.net_.module_, taught, len(self.classes_), n_steps, self.unlabeled_threshold
        )

    def _guesses(self, source: Any, teacher: Teacher) -> NDArray[np.intp]:
        points, logits = self._outputs(source, teacher.module)
        return teacher.guess(
            points,
            logits if self._has_classifier() else None,
            self.subclass_labels_,
            self._owners,
            self.net_.criterion_.metric_loss,
        )

    def _split(self, source: Any, codes: NDArray[np.intp], classes: NDArray[np.intp]) -> None:
        """Look for sub-classes among the samples whose class is known or guessed."""
        labels, owners = split_classes(
            self._embed(source),
            classes,
            self.max_subclasses,
            n_dimensions=self.split_dimensions,
            covariance_type=self.covariance_type,
            present=np.bincount(self._owners),
            random_state=self._random_state,
        )
        labels, owners = of_labelled(labels, owners, codes)
        if not np.array_equal(owners, self._owners):
            self._restart_stopping()
        self._set_subclasses(labels, owners)

    def _restart_stopping(self) -> None:
        """Let early stopping forget what was: losses before and after are of different things."""
        for _, callback in self.net_.callbacks_:
            if isinstance(callback, StopAtBest):
                callback.restart()

    def _train(self, source: Any, codes: NDArray[np.intp], **kwargs: Any) -> None:
        """Train one pass of ``partial_fit``; the sub-classes are those that there are."""
        if not hasattr(self, "means_"):
            self._start_subclasses(codes)
        else:
            joint = self._mixture().log_joint(self._embed(source))
            labels = likeliest_component(joint, self._owners, codes)
            self._set_subclasses(np.where(codes < 0, UNLABELED, labels), self._owners)
        known = None if (codes >= 0).all() else np.flatnonzero(codes >= 0)
        super()._train(source, self.subclass_labels_, train=known, **kwargs)

    def _start_subclasses(self, codes: NDArray[np.intp]) -> None:
        self._counts = np.zeros(1, dtype=np.intp)
        self._set_subclasses(codes, np.arange(len(self.classes_)))

    def _set_subclasses(self, labels: NDArray[np.intp], owners: NDArray[np.intp]) -> None:
        self.subclass_labels_ = np.array(labels)
        self._owners = owners
        self.net_.criterion_.set_owners(owners)

    def _embed(self, source: Any) -> NDArray[np.float32]:
        return self._outputs(source, self.net_.module_)[0]

    def _outputs(
        self, source: Any, module: nn.Module
    ) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
        """Return the embeddings and logits that a network gives, None without a classifier."""
        outputs = [output for _, output in self._forward(source, module)]
        points = torch.cat([output.embedding.cpu() for output in outputs]).numpy()
        logits = [output.logits.cpu() for output in outputs if output.logits is not None]
        return points, torch.cat(logits).numpy() if logits else None

    def _validation(self, codes: NDArray[np.intp], groups: Any) -> tuple[Any, Any]:
        """Validate on labelled samples; train on the unlabelled ones of other subjects too."""
        known = codes >= 0
        if not self.early_stopping or known.all():
            return super()._validation(codes, groups)
        labeled, unlabeled = np.flatnonzero(known), np.flatnonzero(~known)
        groups = None if groups is None else np.asarray(groups)
        train, valid = super()._validation(
            codes[labeled], None if groups is None else groups[labeled]
        )
        if groups is not None:
            unlabeled = unlabeled[~np.isin(groups[unlabeled], groups[labeled[valid]])]
        return np.concatenate([labeled[train], unlabeled]), labeled[valid]

    def _finish(self, source: Any, codes: NDArray[np.intp]) -> None:
        super()._finish(source, codes)
        points, labels, owners = self._embed(source), self.subclass_labels_, self._owners
        known = labels >= 0
        mixture = fit_mixture(points[known], labels[known], len(owners), self.covariance_type)
        if not known.all() and self._learns_from_strangers() and not self._in_passes:
            labels[~known] = mixture.log_joint(points[~known]).argmax(axis=1)
            known[:] = True
            mixture = fit_mixture(points, labels, len(owners), self.covariance_type)
        self._keep(mixture, np.bincount(labels[known], minlength=len(owners)))
        if not known.all():
            labels[~known] = self._mixture().log_joint(points[~known]).argmax(axis=1)
        self.subclass_to_class_ = self.classes_[owners]
        self.n_subclasses_ = np.bincount(owners, minlength=len(self.classes_))
        self.transduction_ = self.subclass_to_class_[labels]

    def _keep(self, mixture: Mixture, counts: NDArray[np.intp]) -> None:
        """Set the Gaussians; in ``partial_fit`` those without new samples stay as they were."""
        means, covariances = mixture.means, mixture.covariances
        stay = (counts == 0) & (self._counts > 0)
        if stay.any():
            means[stay] = self.means_[stay]
            if self.covariance_type != "tied":
                covariances[stay] = self.covariances_[stay]
        self._counts = self._counts + counts
        self.means_, self.covariances_ = means, covariances
        in_class = np.bincount(self._owners, self._counts)
        if self.priors is None:
            shares = in_class / in_class.sum()
        elif isinstance(self.priors, str):
            shares = np.full(len(in_class), 1 / len(in_class))
        else:
            shares = np.asarray(self.priors)
        self.weights_ = (shares / np.maximum(in_class, 1))[self._owners] * self._counts
