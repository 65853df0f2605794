"""The options of `skfer evaluate`."""

import argparse
from pathlib import Path
from typing import Any

from skfer.cli.options._data import (
    add_data,
    add_epochs,
    add_label_noise,
    add_start,
    add_unlabeled,
    add_variants,
)
from skfer.cli.options._values import positive, seed, some_of, usual_jobs
from skfer.evaluation import CLASSIFIERS, LOSSES, METHODS, PROTOCOLS, STYLES

DESCRIPTION = """\
Train every embedder of skfer and two baselines (PCA on pixels, and the same
network trained with cross-entropy), each followed by the same classifier, and
test them with subjects apart where it is known who is shown. Prints tables:
means and standard deviations over the folds of accuracy, balanced accuracy and
F1 (means over the classes), recall@1 (how often the nearest image, of another
person if known, has the same label), the calibration error of the embedder's
own probabilities, seconds to train, and images embedded in a second; measures
of the distances; the recall of each class; and paired differences from
cross-entropy.
"""

EPILOG = r"""
examples:
  drawn faces, to see that all works (some minutes on a laptop):
    skfer evaluate
  your faces, in a folder for each class, with the subject in the file name
  (happy/S01_3.png):
    skfer evaluate --dataset folder --root faces/ --group-pattern '(S\d+)_'
  your faces, named in a table with the columns file, emotion and person:
    skfer evaluate --labels labels.csv --root images/ --label-column emotion \
      --group-column person
  your copy of a published set, by its usual protocol, and by variants of it:
    skfer evaluate --dataset ck+ --root CK+/
    skfer evaluate --dataset ck+ --root CK+/ --frames 1 --neutral-first
    skfer evaluate --dataset affectnet --root AffectNet/ --align box \
      --cache-dir cache/ \
      --classes anger disgust fear happiness neutral sadness surprise
  all numbers, for a program:
    skfer evaluate --quiet --json numbers.json

`skfer datasets check NAME ROOT` tells what is in a copy of a published set.

Exit codes: 0 done, 1 the copy is not as published (`skfer datasets check`) or
some pictures could not be used (`skfer predict`, `skfer embed`), 2 something
is wrong with the call or the data, 3 skfer itself failed, 129 the terminal
has gone, 130 interrupted, 141 the reader of the output closed the pipe, 143
asked to end (SIGTERM).
"""


def add_evaluate(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "evaluate",
        help="compare all embedders on faces, drawn or your own",
        description=DESCRIPTION,
        usage="skfer evaluate [OPTION ...]",  # the whole list would hide what is wrong
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(command="evaluate")
    add_data(parser.add_argument_group("data"), subgroups=True)
    add_variants(parser.add_argument_group("variants of published sets"))
    how = parser.add_argument_group("evaluation")
    _add_protocol(how)
    _add_methods(how)
    _add_run(how)
    _add_output(parser.add_argument_group("output"))


def _add_protocol(how: Any) -> None:
    how.add_argument(
        "--protocol",
        choices=PROTOCOLS,
        help="how to split. group-fold: folds with subjects apart; subject-10fold: ten folds of "
        "subjects in order of their names; leave-one-subject-out: a fold for each; official: the "
        "training and test set of the owners. By default what is usual for the data set",
    )
    how.add_argument("--folds", type=positive, metavar="N", help="folds of group-fold (3)")


def _add_methods(how: Any) -> None:
    how.add_argument(
        "--embedders",
        type=some_of(METHODS + LOSSES),
        action="extend",
        metavar="NAMES",
        help=f"what to compare, with commas between: {','.join(METHODS)} (all of these); with the "
        "extra `metric-learning` also the losses of pytorch-metric-learning: "
        f"{','.join(LOSSES)}",
    )
    how.add_argument(
        "--classifier",
        choices=CLASSIFIERS,
        default="knn",
        help="what classifies: 5 nearest neighbors (the default), an SVM or logistic regression on "
        "the embedding, or the embedder itself (own, which PCA is left out of)",
    )
    how.add_argument(
        "--negatives",
        choices=["nearest", "fully-synthesized", "semi-synthesized", "prediction"],
        help="how triplet-center chooses what to push away (as the embedder does by default)",
    )
    add_start(how, "auto for your faces; scratch for drawn ones, which the start knows too well")
    add_label_noise(how)
    add_unlabeled(how)
    add_epochs(how)


def _add_run(how: Any) -> None:
    how.add_argument(
        "--seed", type=seed, default=0, metavar="N", help="fixes data, folds and training (0)"
    )
    how.add_argument(
        "--seeds",
        type=positive,
        default=1,
        metavar="N",
        help="train so often on each fold, with the seeds from --seed on (1)",
    )
    how.add_argument(
        "--device",
        metavar="NAME",
        help="where to train: cpu, cuda, cuda:1, mps; a GPU if there is one",
    )
    jobs = usual_jobs()
    how.add_argument(
        "--n-jobs",
        type=positive,
        default=jobs,
        metavar="N",
        help=f"trainings side by side, and threads that read pictures ({jobs})",
    )
    how.add_argument(
        "--dask",
        metavar="ADDRESS",
        help="train on the workers of the dask scheduler there, as in tcp://host:8786",
    )


def _add_output(output: Any) -> None:
    output.add_argument(
        "--table", choices=STYLES, default="text", help="how tables are written (text)"
    )
    output.add_argument(
        "--confusion", action="store_true", help="tell what each class was taken for, too"
    )
    output.add_argument(
        "--json",
        type=Path,
        metavar="FILE",
        help="write all numbers here, with what was run; - is standard output, and the table then "
        "goes to standard error",
    )
    output.add_argument(
        "--results",
        type=Path,
        metavar="FILE",
        help="keep a line for each fit here: the same call goes on where it was broken off, and "
        "computes nothing twice. By default beside the file of --json",
    )
    output.add_argument(
        "--figures",
        type=Path,
        metavar="DIR",
        help="draw embeddings and confusions into this folder (needs matplotlib)",
    )
    output.add_argument("--quiet", action="store_true", help="no progress bar")
