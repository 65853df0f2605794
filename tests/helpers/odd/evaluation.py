"""How methods are compared."""

import numpy as np
from sklearn.decomposition import PCA
from sklearn.utils import Bunch

from helpers.odd import Call
from skfer.evaluation import (
    check_folds,
    compare,
    compare_with,
    comparison_tables,
    confusion_matrix,
    confusion_table,
    difference_table,
    embedding_table,
    fit_warnings,
    format_tables,
    make_methods,
    make_splits,
    paired_difference,
    pca_baseline,
    prepare,
    recall_table,
    score_table,
    subgroup_report,
    summarize,
    with_classifier,
)

RNG = np.random.default_rng(0)
Y = np.arange(16) % 2
X = RNG.integers(0, 256, (16, 4, 4), dtype=np.uint8)
PERSONS = np.arange(16) // 4
FACES = Bunch(images=X, target=Y, groups=PERSONS, target_names=np.array(["joy", "fear"]))
SPLITS = [(np.arange(8), np.arange(8, 16)), (np.arange(8, 16), np.arange(8))]
METHODS = {"pca": PCA(1), "other": PCA(2)}
FITS = list(compare(METHODS, X.reshape(16, -1), Y, SPLITS))
COUNTS = np.array([[3, 1], [0, 4]])


def compared(**arguments):
    return [fit.scores for fit in compare(**arguments)]


CALLS = {
    "check_folds": Call(check_folds, y=Y, splits=SPLITS, classifier="knn"),
    "compare": Call(
        compared,
        compare,
        methods={"pca": PCA(1)},
        X=X.reshape(16, -1),
        y=Y,
        splits=SPLITS[:1],
        groups=PERSONS,
        votes=np.eye(2)[Y] + 0.1,
        classifier="logistic",
        seeds=[0],
        n_jobs=1,
        results=None,
        verbose=False,
    ),
    "compare_with": Call(
        compare_with, fits=FITS, method="other", reference="pca", measure="accuracy"
    ),
    "comparison_tables": Call(
        comparison_tables, faces=FACES, splits=SPLITS, fits=FITS, confusion=True
    ),
    "confusion_matrix": Call(confusion_matrix, fits=FITS, y=Y, splits=SPLITS, method="pca"),
    "confusion_table": Call(confusion_table, method="pca", counts=COUNTS, names=["joy", "fear"]),
    "difference_table": Call(difference_table, fits=FITS, methods=["other"], reference="pca"),
    "embedding_table": Call(embedding_table, rows=summarize(FITS, ["pca"])),
    "fit_warnings": Call(fit_warnings, fits=FITS),
    "format_tables": Call(
        format_tables, tables=[confusion_table("pca", COUNTS, ["joy", "fear"])], style="text"
    ),
    "make_methods": Call(make_methods, names=["pca"], random_state=0, negatives=None),
    "make_splits": Call(
        make_splits,
        faces=FACES,
        protocol="group-fold",
        n_folds=2,
        random_state=0,
        check_images=True,
    ),
    "paired_difference": Call(
        paired_difference, scores=[0.5, 0.6], reference=[0.4, 0.7], n_train=8, n_test=8
    ),
    "pca_baseline": Call(
        lambda **arguments: pca_baseline(**arguments).fit_transform(X),
        pca_baseline,
        n_components=2,
        random_state=0,
    ),
    "prepare": Call(
        prepare,
        faces=FACES,
        max_per_class=4,
        capped_parts=None,
        keep_unlabeled=False,
        random_state=0,
    ),
    "recall_table": Call(recall_table, confusions={"pca": COUNTS}, names=["joy", "fear"]),
    "score_table": Call(score_table, rows=summarize(FITS, ["pca"])),
    "subgroup_report": Call(
        subgroup_report,
        y=Y,
        y_pred=Y,
        subgroups=PERSONS % 2,
        groups=PERSONS,
        n_bootstrap=10,
        min_samples=1,
        min_groups=1,
        random_state=0,
    ),
    "summarize": Call(summarize, fits=FITS, methods=["pca"]),
    "with_classifier": Call(with_classifier, embedder=PCA(1), name="knn", unlabeled=False),
}
# What functions give back.
ELSEWHERE = {"Cell", "Fit", "PairedDifference", "SubgroupReport", "Table"}
