"""Embedders that answer while they learn, and those that learn in several threads."""

import inspect
import threading

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.exceptions import NotFittedError
from skorch.callbacks import Callback

from skfer.embedders.state._snapshots import on_snapshot


def in_thread(function):
    """Start a function in a thread; return the thread, and a list that gets what it raises."""
    faults = []

    def run():
        try:
            function()
        except BaseException as fault:
            faults.append(fault)

    thread = threading.Thread(target=run)
    thread.start()
    return thread, faults


def test_answers_are_those_of_a_whole_state(embedder, rows):
    """Never of weights half-way, and never a crash."""
    X, y = rows
    states = [embedder.set_params(warm_start=True).fit(X, y).transform(X)]

    def learn():
        for learn_more in (embedder.partial_fit, embedder.fit) * 2:
            learn_more(X, y)
            states.append(embedder.transform(X))

    thread, faults = in_thread(learn)
    answers = []
    while thread.is_alive():
        answers.append(embedder.transform(X))
    thread.join()
    assert not faults
    known = {state.tobytes() for state in states}
    assert len(known) == 5
    assert {answer.tobytes() for answer in answers} <= known


def test_every_answer_is_of_a_snapshot(embedder):
    """All that is asked of X but learning, and `score`, which asks the others."""
    learning = {"fit", "partial_fit", "fit_transform", "score"}
    asked = {
        name: method
        for name, method in inspect.getmembers(type(embedder), inspect.isfunction)
        if "X" in inspect.signature(method).parameters and not name.startswith("_")
    }
    assert {"transform", "fit", "partial_fit"} <= asked.keys()
    for name in asked.keys() - learning:
        code = {method.__code__ for method in _layers(asked[name])}
        assert on_snapshot(asked[name]).__code__ in code, name


def test_an_answer_is_of_the_state_when_it_was_asked():
    class Learner:
        state = "before"

        @on_snapshot
        def answer(self, learn):
            learn()
            return self.state

    learner = Learner()
    assert learner.answer(lambda: setattr(learner, "state", "after")) == "before"
    assert learner.state == "after"


def _layers(method):
    while method is not None:
        yield method
        method = getattr(method, "__wrapped__", None)


def test_predictions_while_other_classes_are_learned(embedder, rows):
    X, y = rows
    answer = getattr(embedder, "predict_proba", embedder.transform)
    few = y != "awe"
    embedder.fit(X, y)

    def learn():
        for _ in range(3):
            embedder.fit(X[few], y[few]).fit(X, y)

    thread, faults = in_thread(learn)
    while thread.is_alive():
        assert np.isfinite(answer(X)).all()
    thread.join()
    assert not faults


def test_passes_in_two_threads_all_count(embedder, rows):
    X, y = rows
    embedder.partial_fit(X, y)
    threads = [in_thread(lambda: [embedder.partial_fit(X, y) for _ in range(3)]) for _ in range(2)]
    for thread, faults in threads:
        thread.join()
        assert not faults
    assert embedder.n_iter_ == 7


def test_a_callback_is_answered_as_before(embedder, rows):
    """The embedder becomes another one at the end of a training, and not before."""
    X, y = rows
    answers = []

    class Ask(Callback):
        def on_epoch_end(self, net, **kwargs):
            answers.append(embedder.transform(X))

    with pytest.raises(NotFittedError):
        embedder.set_params(callbacks=[Ask()]).fit(X, y)
    before = embedder.set_params(callbacks=None).fit(X, y).transform(X)
    embedder.set_params(callbacks=[Ask()], lr=0.1).fit(X, y)
    for answer in answers:
        assert_array_equal(answer, before)
    assert np.abs(embedder.transform(X) - before).max() > 0
