"""The Displays, drawn and looked at by nobody."""

import functools

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
from sklearn.linear_model import LogisticRegression

from helpers.odd import Call, Made
from skfer.embedders import GaussianMetricEmbedder, MultiThresholdEmbedder, TripletCenterEmbedder
from skfer.evaluation import Fit
from skfer.inspection import (
    AttentionDisplay,
    ComparisonDisplay,
    EmbeddingDisplay,
    LabelIssuesDisplay,
    ReliabilityDisplay,
    RetrievalDisplay,
    SubclassDisplay,
    ThresholdDisplay,
    TrainingDisplay,
    label_issues,
    show_faces,
)

mpl.use("agg")
rng = np.random.RandomState(0)
Y = np.arange(12) % 2
Z = rng.normal(size=(12, 3)) + 3 * np.eye(3)[Y]
FACES = rng.randint(0, 256, (12, 16, 16)).astype(np.uint8)
GROUPS = np.arange(12) // 2
NAMES = ["joy", "rage"]
PROBA = np.eye(2)[Y] * 0.8 + 0.1
MAPS = rng.uniform(size=(12, 4, 4))
SCORES = {"cross-entropy": [0.5, 0.6, 0.7], "pca": [0.4, 0.3, 0.5]}
FITS = [
    Fit(method, fold, None, {"balanced_accuracy": value}, [], 1.0, 1.0, 4, 2)
    for method, values in SCORES.items()
    for fold, value in enumerate(values)
]
HISTORY = [{"epoch": 1, "train_loss": 1.0, "dur": 0.1}, {"epoch": 2, "train_loss": 0.5, "dur": 0.1}]
AX = {"ax": None}
MARKS = {"cmap": None, "legend": True, "caption": None}
# An estimator and what it is given are checked by the estimator, in the words of scikit-learn.
GIVEN = {"estimator": "", "X": "", "X_train": "", "X_reference": "", "face": "X"}
NAMED = {"names": NAMES, "random_state": 0, "ax": None}


def drawn(call):
    """Return the call with its figure closed."""

    @functools.wraps(call)
    def closing(**arguments):
        try:
            return call(**arguments)
        finally:
            plt.close("all")

    return closing


@functools.cache
def fitted(cls, *, on_faces=False):
    """Fit an embedder as little as possible, on rows if it can be: they are embedded sooner."""
    embedder = cls(embedding_dim=8, max_epochs=1, samples_per_class=4, random_state=0)
    return embedder.fit(FACES if on_faces else Z, Y)


def model(cls, **how):
    return Made(lambda folder: fitted(cls, **how))


def display(make):
    """Return a call of `plot` of a Display that is made when it is needed."""
    made = functools.cache(make)
    plot = type(made()).plot
    return drawn(functools.wraps(plot)(lambda **arguments: made().plot(**arguments)))


def issues():
    return label_issues(LogisticRegression(), Z, Y, cv=2, n_neighbors=2)


CALLS = {
    "AttentionDisplay.from_estimator": Call(
        drawn(AttentionDisplay.from_estimator),
        also=GIVEN,
        estimator=model(TripletCenterEmbedder, on_faces=True),
        X=FACES,
        y=Y,
        method="auto",
        target=None,
        face=None,
        rows=[0],
        parts=None,
        part_names=None,
        images=None,
        **NAMED,
    ),
    "AttentionDisplay.from_maps": Call(
        drawn(AttentionDisplay.from_maps),
        maps=MAPS,
        images=FACES,
        y=Y,
        told="attention",
        rows=[0],
        parts=np.repeat([[0], [1]], 2, axis=0) * np.ones((12, 4, 4), dtype=int),
        part_names=["brow", "chin"],
        **NAMED,
    ),
    "AttentionDisplay.plot": Call(
        display(lambda: AttentionDisplay.from_maps(MAPS, FACES, Y, rows=[0])),
        **AX,
        kind="faces",
        cmap="magma",
        opacity=0.5,
        caption=None,
    ),
    "ComparisonDisplay.from_scores": Call(
        drawn(ComparisonDisplay.from_scores),
        scores=SCORES,
        baseline="pca",
        n_train=4,
        n_test=2,
        measure="score",
        confidence=0.9,
        **AX,
    ),
    "ComparisonDisplay.from_fits": Call(
        drawn(ComparisonDisplay.from_fits),
        fits=FITS,
        measure="balanced_accuracy",
        baseline="pca",
        **AX,
    ),
    "ComparisonDisplay.plot": Call(
        display(lambda: ComparisonDisplay.from_scores(SCORES)), **AX, cmap=None, caption=None
    ),
    "EmbeddingDisplay.from_estimator": Call(
        drawn(EmbeddingDisplay.from_estimator),
        also=GIVEN,
        estimator=model(GaussianMetricEmbedder),
        X=Z,
        y=Y,
        X_train=Z[::-1],
        y_train=Y[::-1],
        projection="pca",
        mark_errors=True,
        show_subclasses=True,
        images=FACES,
        **NAMED,
    ),
    "EmbeddingDisplay.from_embedding": Call(
        drawn(EmbeddingDisplay.from_embedding),
        embedding=Z,
        y=Y,
        embedding_train=Z + 0.1,
        y_train=Y,
        projection="pca",
        y_pred=Y[::-1],
        subclass=GROUPS,
        images=FACES,
        **NAMED,
    ),
    "EmbeddingDisplay.plot": Call(
        display(lambda: EmbeddingDisplay.from_embedding(Z, Y, images=FACES)),
        **AX,
        n_pictures=2,
        **MARKS,
    ),
    "LabelIssuesDisplay.from_estimator": Call(
        drawn(LabelIssuesDisplay.from_estimator),
        also=GIVEN,
        estimator=LogisticRegression(),
        X=Z,
        y=Y,
        groups=None,
        cv=2,
        n_neighbors=2,
        n_faces=2,
        images=FACES,
        n_jobs=1,
        **NAMED,
    ),
    "LabelIssuesDisplay.from_issues": Call(
        drawn(LabelIssuesDisplay.from_issues),
        issues=Made(lambda folder: issues()),
        images=FACES,
        n_faces=2,
        **AX,
    ),
    "LabelIssuesDisplay.plot": Call(
        display(lambda: LabelIssuesDisplay.from_issues(issues(), FACES, n_faces=2)),
        **AX,
        kind="faces",
        n_columns=2,
        caption=None,
    ),
    "ReliabilityDisplay.from_estimator": Call(
        drawn(ReliabilityDisplay.from_estimator),
        also=GIVEN,
        estimator=model(TripletCenterEmbedder),
        X=Z,
        y=Y,
        n_bins=3,
        names=NAMES,
        name="ours",
        **AX,
    ),
    "ReliabilityDisplay.from_predictions": Call(
        drawn(ReliabilityDisplay.from_predictions),
        y_true=Y,
        y_proba=PROBA,
        classes=[0, 1],
        n_bins=3,
        names=NAMES,
        name="ours",
        **AX,
    ),
    "ReliabilityDisplay.plot": Call(
        display(lambda: ReliabilityDisplay.from_predictions(Y, PROBA)),
        **AX,
        kind="overall",
        **MARKS,
    ),
    "RetrievalDisplay.from_estimator": Call(
        drawn(RetrievalDisplay.from_estimator),
        also=GIVEN,
        estimator=model(MultiThresholdEmbedder),
        X=Z,
        y=Y,
        groups=GROUPS,
        queries=[0],
        n_neighbors=1,
        X_reference=Z,
        y_reference=Y,
        groups_reference=GROUPS,
        images=FACES,
        images_reference=FACES,
        **NAMED,
    ),
    "RetrievalDisplay.from_embedding": Call(
        drawn(RetrievalDisplay.from_embedding),
        embedding=Z,
        y=Y,
        groups=GROUPS,
        queries=[0],
        n_neighbors=1,
        embedding_reference=Z,
        y_reference=Y,
        groups_reference=GROUPS,
        images=FACES,
        images_reference=FACES,
        **NAMED,
    ),
    "RetrievalDisplay.plot": Call(
        display(lambda: RetrievalDisplay.from_embedding(Z, Y, FACES, queries=[0], n_neighbors=1)),
        **AX,
        caption=None,
    ),
    "SubclassDisplay.from_estimator": Call(
        drawn(SubclassDisplay.from_estimator),
        also=GIVEN,
        estimator=model(GaussianMetricEmbedder),
        X=Z,
        y=Y,
        classes=[0],
        n_faces=1,
        images=FACES,
        names=NAMES,
        **AX,
    ),
    "SubclassDisplay.from_embedding": Call(
        drawn(SubclassDisplay.from_embedding),
        embedding=Z,
        subclass=Y,
        images=FACES,
        y=Y,
        centers=Z[:2],
        subclass_to_class=[0, 1],
        posterior=PROBA,
        classes=[0],
        n_faces=1,
        names=NAMES,
        **AX,
    ),
    "SubclassDisplay.plot": Call(
        display(lambda: SubclassDisplay.from_embedding(Z, Y, FACES, n_faces=1)),
        **AX,
        caption=None,
    ),
    "ThresholdDisplay.from_estimator": Call(
        drawn(ThresholdDisplay.from_estimator),
        also=GIVEN,
        estimator=model(MultiThresholdEmbedder),
        X=Z,
        y=Y,
        groups=GROUPS,
        n_pairs=10,
        random_state=0,
        **AX,
    ),
    "ThresholdDisplay.from_embedding": Call(
        drawn(ThresholdDisplay.from_embedding),
        embedding=Z,
        y=Y,
        thresholds=[0.5, 0.75, 1.0],
        groups=GROUPS,
        n_pairs=10,
        random_state=0,
        **AX,
    ),
    "ThresholdDisplay.plot": Call(
        display(lambda: ThresholdDisplay.from_embedding(Z, Y, [0.5, 0.75, 1.0])),
        **AX,
        cmap=None,
        caption=None,
    ),
    "TrainingDisplay.from_estimator": Call(
        drawn(TrainingDisplay.from_estimator),
        also=GIVEN,
        estimator=model(MultiThresholdEmbedder),
        metrics=["train_loss"],
        **AX,
    ),
    "TrainingDisplay.from_history": Call(
        drawn(TrainingDisplay.from_history), history=HISTORY, metrics=["train_loss"], **AX
    ),
    "TrainingDisplay.plot": Call(
        display(lambda: TrainingDisplay.from_history(HISTORY)), **AX, **MARKS
    ),
    "label_issues": Call(
        label_issues,
        also=GIVEN,
        estimator=LogisticRegression(),
        X=Z,
        y=Y,
        groups=None,
        cv=2,
        n_neighbors=2,
        names=NAMES,
        random_state=0,
        n_jobs=1,
    ),
    "show_faces": Call(
        drawn(show_faces),
        images=FACES[:2],
        titles=Y[:2],
        y_pred=Y[:2],
        names=NAMES,
        n_columns=2,
        max_faces=2,
        caption=None,
        **AX,
    ),
}
# Results, and what writes a file.
ELSEWHERE = {"LabelIssues", "report"}
