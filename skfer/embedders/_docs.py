"""Documentation that all embedders share."""

import inspect
from typing import TypeVar

from skfer.embedders._parameters import SharedParameters

T = TypeVar("T", bound=type[SharedParameters])

SHARED_PARAMETERS = """\
classification_weight : float, default={classification_weight}
        Weight of a cross-entropy term beside the metric loss, from a linear classifier on
        the embedding. {zero_weight}
    standardize_embedding : bool, default=True
        Whether every coordinate of the embedding is standardized over the batch (a batch
        norm without affine part). Without it the metric losses tend to shrink the
        embedding to a point.
    normalize_embedding : bool or "auto", default="auto"
        Whether ``transform`` gives directions: the network's embedding less the mean of the
        training samples (of Gaussians, less half of it; ``embedding_center_``), or each slice of
        that difference, scaled to unit length ("CL2N" of Wang et al., "SimpleShot", 2019). The
        length of an embedding tells how strong an expression is rather than which, and distances
        between directions rank faces better; the mean counts where classes are skewed. "auto" does
        so if the embedding (of many thresholds, a slice) has at least 8 coordinates, and one for
        each class.
    backbone : "auto", "large", "scratch", "timm/NAME", nn.Module or callable, default="auto"
        The network that turns standardized inputs (mean 0, standard deviation 1, channels
        first) into features. "auto" is, for images of 16 x 16 pixels at least,
        :func:`~skfer.nets.face_backbone`, which has learned from drawn faces, and for rows
        :class:`~skfer.nets.MLP`. "large" is the same with twice the width: at times a little more
        accurate, for a little more than twice the time. "scratch" starts from noise:
        :class:`~skfer.nets.CompactResNet` for images. "timm/NAME" is any network of timm (needs
        ``skfer[vision]``). A module is copied with its weights, so that
        ``backbone=fitted.backbone_`` starts from the weights of another embedder. A callable gets
        the input shape, channels first, and returns a module.
        A feature map (n, c, h, w) is pooled; rows (n, c) are taken as they are.
    backbone_weights : path-like, default=None
        A local file of weights for a timm backbone. Nothing is ever downloaded.
    backbone_lr : float, default=None
        Learning rate of the backbone, usually below `lr` when it starts from learned
        weights. None means `lr`.
    freeze_backbone : bool, int or float, default=False
        Whether the backbone keeps its weights and running statistics as they are: True for
        good; an int for so many epochs, a float in (0, 1) for that fraction of ``fit``, after
        which it learns too. ``partial_fit`` counts its passes, and freezes nothing for a
        fraction.
    image_size : int or (height, width), default=None
        Size of the images; an int stands for a square. Paths are decoded to it, and rows of as
        many values are taken as images of this size. None decodes paths to the size that the
        pictures have, and takes rows as rows. After ``fit`` the size is that of its images.
    color : bool, default=False
        Whether paths are decoded to color images, and rows that are images hold three channels,
        channels last. Arrays of images keep the channels that they have.
    on_error : {{"raise", "skip"}}, default="raise"
        What ``fit`` does about a path whose picture cannot be read: end with an error that names
        it, or warn and have the next picture of its class stand in for it. ``transform`` and the
        rest raise in either case.
    augment : "auto", nn.Module or None, default="auto"
        Applied to batches of standardized images in training, on the device. "auto" is
        :class:`~skfer.nets.FaceAugment` for images and nothing for rows.
    mirror : bool or "auto", default="auto"
        Whether an image's embedding is the mean of its own and its mirror image's, which takes
        ``transform`` twice the time. "auto" does so where the augmentation mirrors images and
        ``fit`` sees at most 2,000 samples: few faces teach a network little of symmetry.
    label_noise : bool, float or "auto", default=False
        Whether many of the labels are wrong: the share of them, below 0.5; True presumes 0.3,
        which costs some of the accuracy where none is. "auto" estimates the share. It
        starts from a presumption of 0.3 ± 0.15, and with fewer than some 20 samples of a class it
        may stay near that, whatever the share is. With more it costs next to nothing where all
        labels are right; but mistakes that prefer a class it takes for faces that are hard to tell
        apart, so give the share of such ones. A network that starts from learned
        weights (a backbone "auto" for images, "large", or one of `backbone_weights`) is asked
        before it is trained: what a logistic regression on its features says of each sample,
        without having seen this label, is joined with the label by Bayes' rule, a wrong label being
        any other class alike; the losses then aim at the result, as they do at votes. Elsewhere,
        with votes, in ``partial_fit`` and where a training goes on, the share does not matter: the
        classifier learns by the generalized cross-entropy (Z. Zhang, M. Sabuncu, "Generalized cross
        entropy loss for training deep neural networks with noisy labels", NeurIPS 2018, eq. 6;
        q=0.85), to which labels that it finds improbable matter less, and `max_epochs` "auto" is a
        third: mistakes are what a network learns last. Needs a `classification_weight` above 0.
    max_epochs : int or "auto", default="{max_epochs}"
        Passes over the training set. "auto" is as many as show the network 40,000 images, but
        from 12 to 160: 160 passes over 200 faces, 40 over 1,000, 12 over 10,000 and more.
    classes_per_batch : int, default=8
        P: how many classes a batch holds; all of them if there are fewer.
    samples_per_class : int or "auto", default="{samples_per_class}"
        K: how many samples of each class a batch holds. All classes are drawn equally often,
        so that rare ones count as much as common ones. "auto" is what gives a pass eight batches,
        but from 4 to 8: few faces make small batches, and so more steps.
    lr : float, default={lr}
        Largest learning rate of AdamW.
    weight_decay : float, default={weight_decay}
        Decoupled weight decay of AdamW.
    schedule : {{"auto", "one-cycle", "cosine", "constant"}}, default="auto"
        How the learning rate moves during ``fit``. "auto" is "one-cycle", or "constant" where
        `early_stopping` may end the training before a curve that is laid out for all epochs does.
    average_weights : float or "auto", default="auto"
        Share of the passes of ``fit``, the last ones, whose weights are averaged (P. Izmailov et
        al., "Averaging weights leads to wider optima and better generalization", UAI 2018). "auto"
        is all but the first tenth, and the first eight, for a network that starts from learned
        weights, near which the mean stays: a backbone "auto" for images, "large", or one of
        `backbone_weights`; and 0, the weights of the last pass, for others. Nothing is averaged in
        ``partial_fit``, nor with `early_stopping`, which keeps the best weights.
    early_stopping : bool, default=False
        Whether to set samples aside (whole subjects, if `groups` are given), to stop when
        their loss no longer improves, and to keep the best weights. ``partial_fit`` ignores it.
    validation_fraction : float, default=0.1
        Share of samples, or of subjects, set aside by `early_stopping`. With `groups`, a share
        that is within 0.05 of 1/k is taken for it (0.45 for 1/2), so that the classes keep their
        shares: a k-th of the subjects is set aside where there are k of them, and k samples of
        each class.
    n_iter_no_change : int, default=10
        How many epochs without improvement `early_stopping` waits.
    scoring : str, callable, list of str or dict, default=None
        What to measure on the samples set aside, after each epoch: a name of scikit-learn's
        scorers such as "balanced_accuracy", "recall_at_1", "mean_average_precision_at_r" or
        "clustering_nmi" of the embedding, ``scorer(estimator, X, y)``, several names, or a dict of
        scorers by name. Those of the embedding heed the `groups` of ``fit``, as ``compare`` does: a
        face does not find its own person. The scores go to ``history_``, as NaN where one needs a
        class, or a subject, that was not set aside; the loss still decides when to stop. Needs
        `early_stopping`, which sets samples aside.
    device : str, default="auto"
        "auto" is CUDA if available and the CPU otherwise; or any available device of torch.
    precision : {{"auto", "float32", "bfloat16"}}, default="auto"
        Arithmetic of the layers. "auto" is bfloat16 on a GPU that multiplies it, and float32
        elsewhere; a fitted model computes as it was fitted, but in float32 where the device does
        not multiply bfloat16.
    callbacks : list of skorch callbacks, default=None
        Passed to the :class:`skorch.NeuralNet` that trains. Those that need skorch's own data
        or schedule (``EpochScoring``, ``Checkpoint``, ``LRScheduler`` and the like) are
        refused.
    checkpoint : path-like, default=None
        A folder in which ``fit`` keeps itself after each epoch, in a file of its own. If the
        process ends before ``fit`` does, the same call, with the same parameters, data and
        versions, goes on from there, and gives what it would have given. The file stays: after
        ``fit`` the same call loads the result. Needs a `random_state`. ``partial_fit`` ignores it.
    warm_start : bool, default=False
        Whether another ``fit`` continues from the present weights. It takes the parameters as
        they are then; those that the network is built from must not change.
    verbose : int, default=0
        1 prints which fit begins, and a line for each epoch.
    random_state : int, RandomState instance or None, default=None
        Fixes initial weights, batches and augmentation. The same seed, machine, number of
        threads and precision give the same embedding, bit for bit. None draws a seed from
        numpy's global generator."""

SHARED_ATTRIBUTES = """\
classes_ : ndarray of shape (n_classes,)
        The labels seen in ``fit``.
    class_count_ : ndarray of shape (n_classes,)
        How many samples of each class were seen.
    n_groups_ : int or None
        How many subjects there were, if ``fit`` was told.
    n_features_in_ : int
        Number of values of one input: features of a row, or pixels times channels.
    wrong_label_share_ : float or None
        The share of wrong labels that `label_noise` presumed or estimated; None where no learned
        start was asked.
    embedding_center_ : ndarray of shape (embedding_dim,) or None
        What ``transform`` takes directions from: the mean of the network's embeddings of the
        labeled samples that ``fit`` got, or of 4,096 of them (with many thresholds, before slices
        are scaled to unit length; where a loss has embeddings scaled, after it); in ``partial_fit``
        it moves with each pass. With a Gaussian metric loss and a standardized embedding it is half
        of that mean.
    mirror_ : bool
        Whether the mirror image of an image counts too.
    input_shape_ : tuple of int
        Shape of one input: (height, width), (height, width, channels) or (n_features,).
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns of X, if it is a data frame with string names.
    net_ : MetricNet
        The :class:`skorch.NeuralNet` that trained; ``net_.module_`` is the network. A
        pickle keeps the weights and the history, but no device, optimizer or callbacks.
    backbone_ : nn.Module
        The trained backbone; pass it to another embedder to start from its weights.
    history_ : list of dict
        One for each epoch: ``epoch``, ``train_loss``, ``active_fraction`` (of the triplets or
        samples of which the loss still asks something, if it tells), ``embedding_spread`` (share of
        the squared norm that differs between samples; 0 if all coincide), ``lr``, ``dur``
        in seconds, whether the loss is the lowest so far (``train_loss_best``, ``valid_loss_best``)
        and, with early stopping, ``valid_loss`` and the scores of `scoring`, such as
        ``valid_balanced_accuracy``.
    n_iter_ : int
        Number of epochs."""


def with_shared_docs(cls: T) -> T:
    """Fill the shared parameters, with the class's defaults, and attributes into its docstring."""
    parameters = inspect.signature(cls).parameters
    defaults = {name: parameter.default for name, parameter in parameters.items()}
    weights = cls._parameter_constraints["classification_weight"][0]
    zero = "0 leaves it out." if 0 in weights else "It has to be above 0 here."
    defaults["zero_weight"] = zero
    cls.__doc__ = (
        (cls.__doc__ or "")
        .replace("<shared parameters>", SHARED_PARAMETERS.format(**defaults))
        .replace("<shared attributes>", SHARED_ATTRIBUTES)
    )
    return cls
