"""What is seen of a training while it goes on: bars, callbacks, which fit it is."""

import copy
import io
import pickle
import re

import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from skorch.callbacks import Callback, ProgressBar
from tqdm.auto import tqdm

from skfer import CrossEntropyEmbedder
from skfer.training import TrainingBar, _bar


class Seen(ProgressBar):
    """skorch's bar, which notes how far it came in each epoch."""

    def on_train_begin(self, net, **kwargs):
        self.seen = []

    def on_epoch_end(self, net, **kwargs):
        self.seen.append((self.pbar_.total, self.pbar_.n))
        super().on_epoch_end(net, **kwargs)


@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.parametrize("batches_per_epoch", ["auto", "count"])
def test_bar_of_skorch_comes_to_its_end(embedder, rows, batches_per_epoch, early_stopping):
    bar = Seen(batches_per_epoch)
    embedder.set_params(callbacks=[bar], early_stopping=early_stopping, validation_fraction=0.3)
    embedder.fit(*rows)
    assert len(bar.seen) == 2
    totals, counts = zip(*bar.seen, strict=True)
    assert counts[0] == counts[1] > 1
    assert totals == ((None, counts[1]) if batches_per_epoch == "count" else counts)
    assert embedder.net_.history[-1, "batches"] == []  # the history grows with epochs alone
    assert "train_batch_count" not in embedder.history_[-1]


def test_what_callbacks_are_told(embedder, rows):
    class Look(Callback):
        def on_epoch_begin(self, net, dataset_train=None, dataset_valid=None, **kwargs):
            self.length, self.valid = len(dataset_train), dataset_valid
            self.n_seen = 0

        def on_batch_end(self, net, batch=None, training=None, **kwargs):
            self.n_seen += 1
            last = net.history[-1, "batches", -1]
            assert last["train_batch_size"] == len(batch[0])
            assert last["train_loss"] == pytest.approx(kwargs["loss"].item())

        def on_epoch_end(self, net, **kwargs):
            assert net.history[-1, "train_batch_count"] == self.n_seen == self.length
            assert len(net.history[-1, "batches"]) == self.length

    look = Look()
    embedder.set_params(callbacks=[look]).fit(*rows)
    assert look.valid is None


def test_one_bar_for_a_training(embedder, rows, monkeypatch):
    assert _bar.tqdm is tqdm  # in a notebook the notebook's
    text, bars = io.StringIO(), []

    def make(**options):
        bars.append(tqdm(file=text, mininterval=0, **options))
        return bars[-1]

    monkeypatch.setattr(_bar, "tqdm", make)
    embedder.set_params(callbacks=[TrainingBar()], early_stopping=True, validation_fraction=0.3)
    embedder.fit(*rows)
    (bar,) = bars
    assert bar.n == bar.total == embedder.net_.n_steps
    assert re.search(r"batch.*train_loss=.*valid_loss=", text.getvalue())


class Ends(Callback):
    """Ends a training in its third epoch, as a killed process does."""

    only_watches = True

    def on_epoch_begin(self, net, **kwargs):
        if len(net.history) == 3:
            raise RuntimeError("killed")


def test_a_bar_goes_on_with_its_training(embedder, rows, monkeypatch, tmp_path):
    """From where it was kept; and it is full where nothing was left to do."""
    bars = []

    def make(**options):
        bars.append(tqdm(file=io.StringIO(), mininterval=0, **options))
        return bars[-1]

    monkeypatch.setattr(_bar, "tqdm", make)
    settings = {"max_epochs": 4, "checkpoint": tmp_path}
    with pytest.raises(RuntimeError, match="killed"):
        embedder.set_params(callbacks=[TrainingBar(), Ends()], **settings).fit(*rows)
    for _ in range(2):
        embedder.set_params(callbacks=[TrainingBar()]).fit(*rows)
    killed, goes_on, was_over = bars
    assert killed.n == goes_on.initial == killed.total / 2  # its speed is that of what it sees
    assert goes_on.n == was_over.n == killed.total


def test_an_embedder_with_a_bar_can_be_copied(embedder, rows):
    fitted = embedder.set_params(callbacks=[TrainingBar()]).fit(*rows)
    for copied in (clone(fitted), pickle.loads(pickle.dumps(fitted)), copy.deepcopy(fitted)):
        assert isinstance(copied.callbacks[0], TrainingBar)


def test_verbose_says_which_fit_runs(rows, capsys):
    X, y = rows
    model = CrossEntropyEmbedder(4, max_epochs=1, random_state=0, verbose=1)
    search = GridSearchCV(make_pipeline(model, KNeighborsClassifier(1)), {}, cv=2)
    search.set_params(param_grid={"crossentropyembedder__lr": [0.01, 0.02]}).fit(X, y)
    cross_validate(model, X, y, cv=2)
    said = re.findall(r"^Fit (\d+): (.*)$", capsys.readouterr().out, flags=re.M)
    numbers, texts = zip(*said, strict=True)
    assert [int(n) - int(numbers[0]) for n in numbers] == list(range(7))
    assert [re.search(r"lr=[\d.]+", text)[0] for text in texts[:4:2]] == ["lr=0.01", "lr=0.02"]
    assert texts[-1].endswith("on 20 samples of 3 classes, 1 epochs at most")


def test_partial_fit_announces_nothing(rows, capsys):
    CrossEntropyEmbedder(4, verbose=1, random_state=0).partial_fit(*rows)
    assert "Fit" not in capsys.readouterr().out
