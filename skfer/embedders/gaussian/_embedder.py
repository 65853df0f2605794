"""The Gaussian embedder."""

from collections.abc import Sequence
from numbers import Integral, Real
from os import PathLike
from typing import Any, ClassVar, Self

import numpy as np
import torch
from sklearn.utils._param_validation import Interval, StrOptions
from skorch.callbacks import Callback

from skfer._typing import NDArray
from skfer.embedders._docs import with_shared_docs
from skfer.embedders.base import BaseEmbedder
from skfer.embedders.gaussian._answers import MixtureClassifier
from skfer.embedders.gaussian._mixture import (
    COVARIANCE_TYPES,
    Components,
    Mixture,
    evened,
    fit_mixture,
    likeliest_component,
    temperature,
)
from skfer.embedders.gaussian._objective import GaussianObjective
from skfer.embedders.gaussian._priors import (
    check_number_of_priors,
    check_priors,
    component_weights,
)
from skfer.embedders.gaussian._pseudo_labels import PseudoLabeler, WeightAverage
from skfer.embedders.gaussian._refinement import Refinement, network_arrays
from skfer.embedders.gaussian._subclasses import (
    START_DIMENSIONS,
    TRAINED_DIMENSIONS,
    SubclassFinder,
)
from skfer.losses import GaussianMetricLoss
from skfer.training import BalancedBatchSampler, Objective, Source, TrainingData
from skfer.validation import UNLABELED


@with_shared_docs
class GaussianMetricEmbedder(MixtureClassifier):
    """Embed faces so that every class is a Gaussian; find classes within classes; classify.

    In training, every class of a batch is a Gaussian around its mean, and the squared error of the
    posterior of these Gaussians is minimized [1]_. After training, Gaussians fitted to the whole
    training set predict, and tell how familiar a face is. Classes may be split into sub-classes
    without labels of their own, such as closed and open smiles. Samples without a label (-1, "-1",
    NaN or None in y) are used too.

    Parameters
    ----------
    embedding_dim : int, default=64
        Length of the embedding.
    sigma : float, default=0.5
        Standard deviation of the Gaussians in training, in units of ``sqrt(embedding_dim)``, the
        distance from the mean of an embedding with standard deviation 1 in each coordinate: so
        it means the same for any length. Without `standardize_embedding` the unit is the same.
    relative_sigma : bool, default=True
        False takes `sigma` as the standard deviation itself, as the paper does. Its 0.5 for 64
        coordinates is 0.06 in the relative unit, if the embedding is standardized.
    mixup : float, "batch" or None, default=None
        A number mixes pairs of embeddings and their targets, in proportions drawn from
        Beta(mixup, mixup); the paper takes 2. "batch" does in effect what the authors' public code
        does: one proportion from Beta(2, 2) for a whole batch, and only pairs of one class count
        (see :func:`~skfer.losses.mixup_within_classes`): by y, whatever ``votes`` say.
    priors : array-like of shape (n_classes,) or "uniform", default=None
        Prior probability of each class in prediction. None takes the shares in the training set;
        "uniform" suits balanced accuracy, where rare classes count as much as common ones.
    max_subclasses : int, default=1
        The largest number of sub-classes of a class, which has at most one for every ten of its
        samples. 1 splits no class.
    covariance_type : {"tied", "full", "diag", "spherical"}, default="tied"
        Covariance of the Gaussians, both those that predict and those that find sub-classes: one
        matrix for all, or a matrix, variances or one variance for each (sub-)class. Of the one
        matrix those that predict have a multiple of the identity in the space that the means span.
    split_dimensions : int or "auto", default="auto"
        In how many principal components of a class sub-classes are searched for. "auto" is 8 in
        what a learned start knows and 4 in an embedding that is trained.
    unlabeled_threshold : float, default=0.9
        Posterior above which a sample without a label is trained on, and used when its class is
        split in training. 1 leaves all of them out: they only get a label in ``transduction_``.
    <shared parameters>

    Attributes
    ----------
    means_ : ndarray of shape (n_subclasses, embedding_dim)
        Mean of each (sub-)class over the training set.
    covariances_ : ndarray
        (embedding_dim, embedding_dim) if tied, (n_subclasses, embedding_dim, embedding_dim) if
        full, (n_subclasses, embedding_dim) if diagonal, (n_subclasses,) if spherical. A tied one is
        that of new faces (Notes).
    weights_ : ndarray of shape (n_subclasses,)
        Prior of the class of each (sub-)class, times its share of the samples of that class.
    temperature_ : float
        What log posteriors are divided by (Notes).
    subclass_to_class_ : ndarray of shape (n_subclasses,)
        Label of the class that each (sub-)class belongs to.
    n_subclasses_ : ndarray of shape (n_classes,)
        Number of sub-classes of each class.
    subclass_labels_ : ndarray of shape (n,)
        (Sub-)class of each training sample: a row of ``means_``.
    transduction_ : ndarray of shape (n,)
        Label of each training sample: its own, or the likeliest one if it has none.
    <shared attributes>

    See Also
    --------
    skfer.losses.GaussianMetricLoss : The loss alone.
    skfer.model_selection.SemiSupervisedSplit : Cross-validation with unlabeled samples.
    sklearn.mixture.GaussianMixture : Finds the sub-classes.

    Notes
    -----
    In the space that the means of the (sub-)classes span, the loss gives all classes the same round
    Gaussian, and so does a tied covariance after training: which sample is of which class is told
    by the nearest mean, but for the priors. The covariance of the training samples would mislead
    there, since training has pulled them together, in some directions more than in others; new ones
    are taken to be twice as far from their mean, in variance. Outside of that space, where a face
    that the network does not know differs, it is theirs. All this is so of the directions that
    ``transform`` gives (`normalize_embedding`), as are ``means_`` and ``covariances_``. Here they
    are taken from halfway between the origin of the standardized embedding, which lies amid the
    classes, and the mean: where classes are skewed, the mean lies in the largest class, which would
    be scattered, and from the origin rare classes are found less often. In ``partial_fit``, means
    of classes that a pass has no sample of stay where the center of an earlier pass put them.

    A network pulls the samples that it learns from together, the more the fewer they are, and so
    much that nearly all new samples would be certain. So ``predict_proba`` flattens posteriors:
    their logarithms are divided by ``temperature_``, which makes the variance in the space of the
    means as large as 0.08 of the mean squared distance between means of two classes. It changes no
    prediction and no density. A model is better calibrated for one set by scikit-learn's
    ``CalibratedClassifierCV``.

    A covariance is shrunk toward the one of all (sub-)classes together, which counts as
    ``embedding_dim`` samples (one, if diagonal or spherical), and that one toward a multiple of the
    identity, which counts as ``embedding_dim`` samples. So a class of one sample has a Gaussian
    too.

    Sub-classes are looked for in what a network knows before it is trained, where it starts from
    what faces taught (``backbone="auto"`` on images, "large", `backbone_weights`): a network
    trained to bring a class together loses what differs inside. A class is split in two, in the
    principal components of its pooled features, if the Bayesian information criterion clearly
    prefers two Gaussians to one, they are at least 2.4 standard deviations apart, and each has at
    least a quarter of the samples; each half is then looked at as a class is. The groups are the
    labels of all the training.

    A network that starts from noise, from a module of which nothing is known, or from an earlier
    fit (`warm_start`) shows groups late. So after a third of the training, the training set is
    embedded up to 20 times. A class is split
    into the smallest number of Gaussians that the criterion prefers to one, under the same
    conditions. They are the labels until the next round assigns the samples anew. The
    first splits help the network to see others. In a round, a class that is split gains one
    sub-class at most, where one of its sub-classes falls into two by the same criterion, at least
    3.2 standard deviations apart: what the network was trained to tell apart always looks like
    clusters, and these are no Gaussians. A class becomes whole again if its sub-classes are no
    longer preferred to one Gaussian. To be found, a sub-class needs some hundred samples.

    -1 and "-1" mark samples without a label where two other labels remain, since {-1, 1} are two
    classes; NaN, None and words such as "NA" always do. An epoch is long enough to draw as many
    samples of either kind as there are, so that a few labels beside many unlabeled faces make it as
    long as many labels do. After a third of the training, a network with averaged weights [2]_
    embeds the training set before each epoch. Its posterior, the mean of that of the Gaussians and
    that of the classifier, is averaged over the epochs [3]_, and weighted so that the classes have
    the shares that they have among the labels [4]_: unlabeled samples should be of the same mixture
    of classes. Where it is above the threshold, the likeliest class is the pseudo-label of a
    sample, which enters the batches and counts as much as a labeled one; a batch has no more
    pseudo-labels than labels. The means of the Gaussians are those of the labeled samples alone;
    after training, every unlabeled sample joins its likeliest (sub-)class.

    ``partial_fit`` splits no class and learns from labeled samples alone. It replaces the
    Gaussians of the (sub-)classes that it gets samples of, keeps counting, and keeps the
    `covariance_type`.

    Our reading of [1]_: the relative unit of `sigma`, mixed targets, when and in which space a
    class is split and when not, and the use of unlabeled samples.

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
    >>> from skfer import GaussianMetricEmbedder
    >>> from skfer.datasets import make_expressions
    >>> faces = make_expressions(6, 1, image_size=16, random_state=0)
    >>> few = np.where(faces.groups < 4, faces.target, -1)  # two persons have no labels
    >>> model = GaussianMetricEmbedder(max_epochs=5, random_state=0).fit(faces.images, few)
    >>> model.predict_proba(faces.images).shape, bool((model.transduction_ == -1).any())
    ((48, 8), False)
    >>> noise = np.random.default_rng(0).integers(0, 256, (9, 16, 16), dtype=np.uint8)
    >>> bool(model.score_samples(noise).mean() < model.score_samples(faces.images).mean())
    True
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **BaseEmbedder._parameter_constraints,
        "sigma": [Interval(Real, 0, None, closed="neither")],
        "relative_sigma": ["boolean"],
        "mixup": [Interval(Real, 0, None, closed="neither"), StrOptions({"batch"}), None],
        "priors": ["array-like", StrOptions({"uniform"}), None],
        "max_subclasses": [Interval(Integral, 1, None, closed="left")],
        "covariance_type": [StrOptions(set(COVARIANCE_TYPES))],
        "split_dimensions": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "unlabeled_threshold": [Interval(Real, 0, 1, closed="both")],
    }

    def __init__(
        self,
        embedding_dim: int = 64,
        *,
        sigma: float = 0.5,
        relative_sigma: bool = True,
        mixup: float | str | None = None,
        priors: Sequence[float] | str | None = None,
        max_subclasses: int = 1,
        covariance_type: str = "tied",
        split_dimensions: int | str = "auto",
        unlabeled_threshold: float = 0.9,
        classification_weight: float = 1.0,
        standardize_embedding: bool = True,
        normalize_embedding: bool | str = "auto",
        backbone: Any = "auto",
        backbone_weights: Any = None,
        backbone_lr: float | None = None,
        freeze_backbone: bool | float = False,
        image_size: int | tuple[int, int] | None = None,
        color: bool = False,
        on_error: str = "raise",
        augment: Any = "auto",
        mirror: bool | str = "auto",
        label_noise: bool | float | str = False,
        max_epochs: int | str = "auto",
        classes_per_batch: int = 8,
        samples_per_class: int | str = "auto",
        lr: float = 6e-3,
        weight_decay: float = 1e-2,
        schedule: str = "auto",
        average_weights: float | str = "auto",
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 10,
        scoring: Any = None,
        device: str = "auto",
        precision: str = "auto",
        callbacks: list[Any] | None = None,
        checkpoint: str | PathLike[str] | None = None,
        warm_start: bool = False,
        verbose: int = 0,
        random_state: Any = None,
    ) -> None:
        super().__init__(
            embedding_dim=embedding_dim,
            classification_weight=classification_weight,
            standardize_embedding=standardize_embedding,
            normalize_embedding=normalize_embedding,
            backbone=backbone,
            backbone_weights=backbone_weights,
            backbone_lr=backbone_lr,
            freeze_backbone=freeze_backbone,
            image_size=image_size,
            color=color,
            on_error=on_error,
            augment=augment,
            mirror=mirror,
            label_noise=label_noise,
            max_epochs=max_epochs,
            classes_per_batch=classes_per_batch,
            samples_per_class=samples_per_class,
            lr=lr,
            weight_decay=weight_decay,
            schedule=schedule,
            average_weights=average_weights,
            early_stopping=early_stopping,
            validation_fraction=validation_fraction,
            n_iter_no_change=n_iter_no_change,
            scoring=scoring,
            device=device,
            precision=precision,
            callbacks=callbacks,
            checkpoint=checkpoint,
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

    @classmethod
    def from_paper(cls, **parameters: Any) -> Self:
        """Return the embedder with the settings of the paper and of its authors' public code.

        Published: the standard deviation 0.5 itself, 64 coordinates, images of 64 x 64 pixels, Adam
        with a learning rate of 1e-4, batches of 32, mixing as the public code does it. Our reading:
        a constant learning rate without weight decay, eight classes with four samples each in a
        batch (of fewer classes all, and so fewer samples), an embedding that is not standardized, a
        network that starts from noise, and no cross-entropy; the loss on the authors' attention map
        is left out. The number of epochs is not known to us.

        Parameters
        ----------
        **parameters
            Settings that replace these, such as ``image_size=None`` for images of another size.

        Returns
        -------
        GaussianMetricEmbedder
            Unfitted.

        Notes
        -----
        ``python -m benchmarks.accuracy --suite papers`` compares these settings with the defaults.

        Examples
        --------
        >>> from skfer import GaussianMetricEmbedder
        >>> model = GaussianMetricEmbedder.from_paper(max_epochs=100)
        >>> model.lr, model.sigma, model.relative_sigma, model.mixup
        (0.0001, 0.5, False, 'batch')
        """
        published: dict[str, Any] = {
            "embedding_dim": 64,
            "sigma": 0.5,
            "relative_sigma": False,
            "mixup": "batch",
            "image_size": 64,
            "lr": 1e-4,
            "classes_per_batch": 8,
            "samples_per_class": 4,
        }
        reading: dict[str, Any] = {
            "schedule": "constant",
            "weight_decay": 0.0,
            "standardize_embedding": False,
            "normalize_embedding": False,
            "classification_weight": 0.0,
            "backbone": "scratch",
            "average_weights": 0.0,
        }
        return cls(**published | reading | parameters)

    accepts_unlabeled = True
    learns_from_triplets = False

    def check_params(self) -> None:
        """Check the priors."""
        check_priors(self.priors)

    def make_objective(self) -> Objective:
        """Return the Gaussian loss on sub-classes, and cross-entropy on classes."""
        check_number_of_priors(self.priors, len(self.classes_))
        return GaussianObjective(
            GaussianMetricLoss(self.sigma, relative_sigma=self.relative_sigma),
            self.classification_weight,
            n_classes=len(self.classes_),
            mixup=self.mixup,
        )

    def make_sampler(self, codes: NDArray[np.intp], seed: int) -> Any:
        """Return batches as large as without sub-classes, and as many unlabeled samples again."""
        sizes = np.unique(codes[codes >= 0], return_counts=True)[1]
        ratio = max(1, len(sizes) / len(self.classes_))
        n_classes = min(round(self.classes_per_batch * ratio), len(sizes))
        n_samples = max(2, round(self.batch_samples(codes) / ratio))
        n_unlabeled = 0
        if self._uses_unlabeled():
            n_unlabeled = round(np.minimum(sizes, n_samples).mean() * n_classes)
        return BalancedBatchSampler(codes, n_classes, n_samples, seed, n_unlabeled)

    def _uses_unlabeled(self) -> bool:
        return self.unlabeled_threshold < 1

    def prepare_training(self, data: TrainingData) -> NDArray[np.intp]:
        """Start from whole classes; a pass of ``partial_fit`` from the sub-classes there are."""
        if data.partial and hasattr(self, "means_"):
            joint = self._mixture().log_joint(self._points(data.source))
            labels = likeliest_component(joint, self._component_classes, data.codes)
            labels[data.codes < 0] = UNLABELED
            components = Components(labels, self._component_classes)
        else:
            self._component_counts = np.zeros(1, dtype=np.intp)
            components = Components(data.codes, np.arange(len(self.classes_)))
        self._set_components(components)
        return self.subclass_labels_

    def _set_components(self, components: Components) -> None:
        self.subclass_labels_ = np.array(components.labels)
        self._component_classes = components.classes
        self.net_.criterion_.set_component_classes(components.classes)

    def make_callbacks(self, data: TrainingData) -> list[Callback]:
        """Return what splits classes and gives pseudo-labels, where this is wanted."""
        splits = self.max_subclasses > 1
        semi_supervised = self._uses_unlabeled() and (data.codes < 0).any()
        if data.partial or not (splits or semi_supervised):
            return []
        average = WeightAverage() if semi_supervised else None
        refinement = Refinement(
            data,
            Components(self.subclass_labels_, self._component_classes),
            data.epochs,
            make_sampler=lambda labels: self._sampler(labels, data.train),
            set_components=self._set_components,
            random_state=self._random_state,
            finder=self._finder() if splits else None,
            labeler=self._labeler(data) if semi_supervised else None,
            average=average,
            in_start=self._starts_learned(),
        )
        return [refinement] if average is None else [refinement, average]

    def _finder(self) -> SubclassFinder:
        dimensions = self.split_dimensions
        if dimensions == "auto":
            dimensions = START_DIMENSIONS if self._starts_learned() else TRAINED_DIMENSIONS
        return SubclassFinder(self.max_subclasses, int(dimensions), self.covariance_type)

    def _starts_learned(self) -> bool:
        # What is trained on has brought its classes together already.
        goes_on = self.warm_start and hasattr(self, "means_")
        return not goes_on and super()._starts_learned()

    def _labeler(self, data: TrainingData) -> PseudoLabeler:
        codes = data.codes.copy()
        if data.valid is not None:
            codes[data.valid] = UNLABELED  # or training would know what validation asks for
        return PseudoLabeler(codes, len(self.classes_), self.unlabeled_threshold)

    def keep_samples(self, rows: NDArray[np.intp]) -> None:
        """Keep the (sub-)classes of these samples."""
        self.subclass_labels_ = self.subclass_labels_[rows]

    def finish_training(self, data: TrainingData) -> None:
        """Fit the Gaussians to the training set."""
        if not (data.partial and hasattr(self, "means_")):
            # Otherwise Gaussians stay that may be of another type than the parameter has by now.
            self._covariance_type = self.covariance_type
        points = self._points(data.source)
        # Snapshots have the array of the training, too.
        labels, classes = self.subclass_labels_.copy(), self._component_classes
        known = labels >= 0
        kind = self._covariance_type
        mixture = fit_mixture(points[known], labels[known], len(classes), kind)
        if not known.all() and self._uses_unlabeled() and not data.partial:
            labels[~known] = evened(mixture).log_joint(points[~known]).argmax(axis=1)
            known[:] = True
            mixture = fit_mixture(points, labels, len(classes), kind)
        self._set_gaussians(mixture, np.bincount(labels[known], minlength=len(classes)))
        if not known.all():
            labels[~known] = self._mixture().log_joint(points[~known]).argmax(axis=1)
        self.subclass_to_class_ = self.classes_[classes]
        self.n_subclasses_ = np.bincount(classes, minlength=len(self.classes_))
        self.transduction_ = self.subclass_to_class_[labels]
        self.subclass_labels_ = labels

    def _points(self, source: Source) -> NDArray[np.float32]:
        points, _ = network_arrays(self.net_, source)
        return self.features_of(torch.from_numpy(points)).numpy()

    def _set_gaussians(self, mixture: Mixture, counts: NDArray[np.intp]) -> None:
        """Set the Gaussians; in ``partial_fit`` those without new samples stay as they were."""
        means, covariances = mixture.means, mixture.covariances
        stay = (counts == 0) & (self._component_counts > 0)
        if stay.any():
            means[stay] = self.means_[stay]
            if self._covariance_type != "tied":
                covariances[stay] = self.covariances_[stay]
        classes = self._component_classes
        self._component_counts = self._component_counts + counts
        shares = self._component_counts / self._component_counts.sum()
        merged = Mixture(means, covariances, shares, self._covariance_type)
        predicting = evened(merged)
        self.means_, self.covariances_ = means, predicting.covariances
        self.weights_ = component_weights(self.priors, classes, self._component_counts)
        self.temperature_ = temperature(predicting, classes)
