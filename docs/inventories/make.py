"""Write small inventories of other projects' docs: `python docs/inventories/make.py`.

A build of the docs needs no network, and whole inventories are large; so these hold the names that
our pages refer to. Add a name here when a build says that a reference target is not found.
"""

import zlib
from pathlib import Path

SKLEARN = {
    "class": [
        "calibration.CalibratedClassifierCV",
        "exceptions.ConvergenceWarning",
        "frozen.FrozenEstimator",
        "linear_model.LogisticRegression",
        "metrics.ConfusionMatrixDisplay",
        "mixture.GaussianMixture",
        "model_selection.GridSearchCV",
        "model_selection.GroupKFold",
        "model_selection.LeaveOneGroupOut",
        "model_selection.PredefinedSplit",
        "model_selection.StratifiedGroupKFold",
        "neighbors.KNeighborsClassifier",
        "neighbors.NearestNeighbors",
        "pipeline.Pipeline",
        "semi_supervised.SelfTrainingClassifier",
        "svm.SVC",
        "utils.Bunch",
    ],
    "function": [
        "datasets.fetch_olivetti_faces",
        "metrics.classification_report",
        "metrics.confusion_matrix",
        "metrics.make_scorer",
        "model_selection.cross_val_score",
        "model_selection.cross_validate",
        "pipeline.make_pipeline",
        "utils.check_array",
        "utils.check_random_state",
    ],
}
SKORCH = {
    "net.html": {"class": ["NeuralNet"]},
    "callbacks.html": {"class": ["callbacks.Callback", "callbacks.EarlyStopping"]},
}
TORCH = {
    "generated/torch.{}.html": {
        "class": ["nn.Module", "nn.CrossEntropyLoss", "nn.TripletMarginLoss"],
        "function": ["load", "save", "autocast"],
    },
    "tensors.html": {"class": ["Tensor"]},
    "data.html": {"class": ["utils.data.Sampler"]},
}
NUMPY = {
    "reference/generated/numpy.{}.html": {"class": ["ndarray", "memmap"]},
    "reference/random/legacy.html": {"class": ["random.RandomState"]},
}
MATPLOTLIB = {
    "api/_as_gen/matplotlib.{}.html": {"class": ["axes.Axes", "figure.Figure"]},
}
PROJECTS = {
    "sklearn": {"modules/generated/sklearn.{}.html": SKLEARN},
    "skorch": SKORCH,
    "torch": TORCH,
    "numpy": NUMPY,
    "matplotlib": MATPLOTLIB,
}
ALIASES = {"skorch.NeuralNet": "skorch.net.NeuralNet"}  # where it is documented


def lines_of(project, pages):
    """Name, role, priority, page and title of each object, as an inventory has them."""
    for page, kinds in pages.items():
        for kind, names in kinds.items():
            for name in names:
                full = f"{project}.{name}"
                anchor = ALIASES.get(full, full)
                yield f"{full} py:{kind} 1 {page.format(name)}#{anchor} -\n"


def main():
    """Write them beside this file."""
    for project, pages in PROJECTS.items():
        head = f"# Sphinx inventory version 2\n# Project: {project}\n# Version: \n"
        head += "# The remainder of this file is compressed using zlib.\n"
        body = "".join(sorted(lines_of(project, pages)))
        path = Path(__file__).parent / f"{project}.inv"
        path.write_bytes(head.encode() + zlib.compress(body.encode(), 9))


if __name__ == "__main__":
    main()
