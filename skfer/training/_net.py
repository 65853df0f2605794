"""skorch's NeuralNet, fed by whole batches."""

import copy
import math
import time
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any, Self

import torch
from skorch import NeuralNet
from skorch.callbacks import Callback
from skorch.history import History
from torch import Tensor, nn

from skfer.exceptions import ArgumentError
from skfer.training._callbacks import (
    BATCH_EVENTS,
    has_waited,
    heard_events,
    named,
    only_watches,
    unknown_monitor,
)
from skfer.training._checkpoint import Checkpoint, KeepEachEpoch
from skfer.training._graphs import told_of_earlier_batches
from skfer.training._log import EpochLog
from skfer.training._modes import autocast
from skfer.training._module_state import on_cpu, set_state, state_of
from skfer.training._norms import Norm, norms_of, warm_up
from skfer.training._recorded import RecordedTraining
from skfer.training._replay import Part
from skfer.training._schedule import SCHEDULES
from skfer.training._source import on_device
from skfer.training._spread import spread
from skfer.training._statistics import Means
from skfer.training._stopping import ReturnToBest, StopTraining, returning_to_best
from skfer.training._world import World, find_world, norms_of_whole_batches


@dataclass
class _Run:
    """The state of one training.

    It is an object beside the net, since skorch makes setting the net's attributes slow.
    """

    n_steps: int
    norms: list[Norm]
    heard: frozenset[str]
    """The events that a callback reacts to; nothing is done for the others."""
    world: World | None
    """The processes that train together, if there are several."""
    recorded: RecordedTraining
    own: list[tuple[str, Any]] = field(default_factory=list)
    """The callbacks of the net, which are told of every epoch that is over."""
    is_touched: bool = True
    """Whether a callback may have changed something since the latest step."""
    norms_are_warm: bool = False
    step: int = 0
    epoch: int = 0
    """Number of epochs that are over."""
    epoch_start: float = 0.0
    means: Means = field(default_factory=Means)
    losses: dict[str, float] = field(default_factory=dict)
    best: dict[str, float] = field(default_factory=dict)
    embedding: Tensor | None = None

    @property
    def n_steps_alike(self) -> int:
        """How many steps are left that have the momentum of this one, if it changes no more."""
        return self.n_steps - self.step if self.norms_are_warm else 0

    @property
    def batches_are_watched(self) -> bool:
        return not self.heard.isdisjoint(BATCH_EVENTS)


class MetricNet(NeuralNet):
    """A :class:`skorch.NeuralNet` that takes :class:`Batches` instead of arrays.

    It adds a learning-rate schedule over all batches of a training, mixed precision, and a
    history with the loss, the fraction of active triplets, the spread of the embedding and
    the time of each epoch. Callbacks of skorch watch and change a training as usual; events
    that none of them reacts to cost nothing.

    Parameters
    ----------
    module : EmbeddingNet
        The network.
    criterion : Objective
        What is minimized.
    schedule : {"one-cycle", "cosine", "constant"}, default="one-cycle"
        How the learning rate moves from the first to the last batch.
    precision : {"float32", "bfloat16"}, default="float32"
        Arithmetic of the layers; weights and losses are float32.
    **kwargs : dict
        Parameters of :class:`skorch.NeuralNet`.

    See Also
    --------
    Objective : What it minimizes.

    Examples
    --------
    >>> from skfer import CrossEntropyEmbedder
    >>> from skfer.datasets import make_expressions
    >>> faces = make_expressions(3, 1, image_size=16, random_state=0)
    >>> model = CrossEntropyEmbedder(8, max_epochs=1, random_state=0)
    >>> type(model.fit(faces.images, faces.target).net_).__name__
    'MetricNet'
    """

    history: Any
    callbacks_: list[tuple[str, Any]]

    def __init__(
        self,
        module: nn.Module,
        criterion: nn.Module,
        *,
        schedule: str = "one-cycle",
        precision: str = "float32",
        **kwargs: Any,
    ) -> None:
        # skorch's callbacks divide the length of the data by it, and ours is a number of batches.
        super().__init__(module, criterion, **{"batch_size": 1} | kwargs)
        self.schedule = schedule
        self.precision = precision

    @property
    def _default_callbacks(self) -> list[tuple[str, Any]]:
        return [("print_log", EpochLog())] if self.verbose else []

    @property
    def n_steps(self) -> int:
        """Number of steps of the present training, or of the latest one."""
        return self._run.n_steps

    @property
    def progress(self) -> float:
        """Share of the present training's steps that are done, from 0 to 1."""
        return self._run.step / self._run.n_steps

    def train(
        self,
        batches: Any,
        epochs: int,
        validation: Any = None,
        callbacks: Sequence[Callback] = (),
        checkpoint: Checkpoint | None = None,
    ) -> None:
        """Train for some epochs; an interrupt is passed on.

        Parameters
        ----------
        batches : Batches
            The training data.
        epochs : int
            Number of passes.
        validation : Batches, optional
            Gives ``valid_loss`` in the history.
        callbacks : sequence of skorch callbacks, default=()
            Watch this training alone, ahead of the net's own callbacks.
        checkpoint : Checkpoint, optional
            Keeps the training after each epoch; the training goes on where it was kept.

        Raises
        ------
        ArgumentError
            If the loss or the weights are not finite.
        """
        # A backbone that comes from a fitted model may be in inference mode.
        super()._set_training(True)
        own, before = self.callbacks_, named(callbacks)
        last: list[Callback] = [ReturnToBest(c) for c in returning_to_best(before + own)]
        last += [] if checkpoint is None else [KeepEachEpoch(checkpoint)]
        self.callbacks_ = before + own + named(last)
        heard = heard_events(callback for _, callback in self.callbacks_)
        recorded = RecordedTraining(torch.device(self.device), self.precision)
        n_steps, norms = max(1, epochs * len(batches)), norms_of(self.module_)
        self._run = _Run(n_steps, norms, heard, find_world(), recorded, own)
        try:
            if self._run.world is None and not self._run.batches_are_watched:
                batches.to(self.device, and_of=validation)
            stops = self._stops_at("on_train_begin", batches)
            if checkpoint is not None and checkpoint.resume(self, batches, validation):
                checkpoint = None  # nothing is left to be done, or to be kept
                self._end_again(batches)
            else:
                self._fit_until_stopped(batches, validation, 0 if stops else epochs)
                self._stops_at("on_train_end", batches)
            self._check_weights()
            if checkpoint is not None:
                checkpoint.keep(self, batches, validation, finished=True)
        finally:
            self._run.recorded.forget()
            self.optimizer_.zero_grad()  # gradients take as much memory as the weights
            self._drop_batches(self.history[-1:])
            self.callbacks_ = own

    def _stops_at(self, event: str, batches: Any) -> bool:
        """Tell the callbacks of the begin or the end; return whether one of them stops."""
        try:
            self.notify(event, X=batches, y=None)
        except StopTraining:
            return True
        return False

    def _end_again(self, batches: Any) -> None:
        """Tell the callbacks of an end that has been before, and keep what it led to."""
        parts = (self.module_, self.criterion_)
        states = copy.deepcopy([state_of(part) for part in parts])
        self._stops_at("on_train_end", batches)
        for part, state in zip(parts, states, strict=True):
            set_state(part, state, self.device)

    def _check_weights(self) -> None:
        """Raise if the last step has led to weights that are not finite, which no loss tells."""
        weights = [*self.module_.parameters(), *self.criterion_.parameters()]
        if not bool(torch.stack([weight.isfinite().all() for weight in weights]).all()):
            self._checked(math.nan, "next")

    def _fit_until_stopped(self, batches: Any, validation: Any, epochs: int) -> None:
        whole = nullcontext() if self._run.world is None else norms_of_whole_batches(self.module_)
        try:
            with whole:
                self.fit_loop(batches, validation, epochs=epochs - self._run.epoch)
        except StopTraining:
            if "dur" not in self.history[-1]:  # it was broken off
                del self.history[-1]
        finally:
            for norm in self._run.norms:
                norm.module.momentum = norm.momentum

    def run_state(self) -> dict[str, Any]:
        """Return how far the present training is, as plain values."""
        run = self._run
        norms = [(norm.module.momentum, norm.n_seen) for norm in run.norms]
        return {"step": run.step, "epoch": run.epoch, "best": run.best, "norms": norms}

    def set_run_state(self, state: dict[str, Any]) -> None:
        """Set the present training to where another one was."""
        run = self._run
        run.step, run.epoch, run.best = state["step"], state["epoch"], state["best"]
        for norm, (momentum, n_seen) in zip(run.norms, state["norms"], strict=True):
            norm.module.momentum, norm.n_seen = momentum, n_seen

    def resume_from(self, other: Self, *, with_optimizer: bool) -> None:
        """Copy everything but the weights from another net that has the same module.

        Parameters
        ----------
        other : MetricNet
            The net to continue; it is left as it is.
        with_optimizer : bool
            Whether to copy the state of the optimizer as well as the history; an unpickled net
            has none.
        """
        self.history = History(other.history)  # copy.copy takes the epochs one by one
        if not (with_optimizer and other.initialized_):
            return
        parameters = dict(other.get_all_learnable_params())
        for name, parameter in self.get_all_learnable_params():
            state = other.optimizer_.state.get(parameters.get(name), {})
            if state:
                moved = {k: v.detach().clone().to(parameter.device) for k, v in state.items()}
                self.optimizer_.state[parameter] = moved
        if (self.callbacks, self.verbose) == (other.callbacks, other.verbose):
            # They continue too: a callback that prints a table prints its heading once.
            self.callbacks_ = other.callbacks_

    def notify(self, method_name: str, **cb_kwargs: Any) -> None:
        """Tell the callbacks that react to an event; they may stop the training."""
        getattr(self, method_name)(self, **cb_kwargs)
        if method_name not in self._run.heard:
            return
        stops = False
        for name, callback in self.callbacks_:
            if stops and method_name == "on_epoch_end" and (name, callback) not in self._run.own:
                continue  # what would be made ready for the next epoch
            self._run.is_touched |= not only_watches(callback)
            try:
                getattr(callback, method_name)(self, **cb_kwargs)
                self._run.is_touched |= not only_watches(callback)  # it may have run the network
            except StopTraining:
                if not method_name.startswith(("on_train_", "on_epoch_end")):
                    raise
                stops = True  # of the begin and the end all are told
            except KeyError as error:
                fault = unknown_monitor(callback, self.history)
                if fault is None:
                    raise
                raise fault from error
            except KeyboardInterrupt:
                if method_name != "on_epoch_end" or not has_waited(callback):
                    raise
                stops = True
        if stops:
            raise StopTraining

    def get_split_datasets(self, X: Any, y: Any = None, **fit_params: Any) -> tuple[Any, Any]:
        """Training and validation batches are given as they are."""
        return X, y

    def get_iterator(self, dataset: Any, training: bool = False) -> Any:
        """:class:`Batches` iterate by themselves."""
        return dataset

    def run_single_epoch(
        self, iterator: Any, training: bool, prefix: str, step_fn: Any, **fit_params: Any
    ) -> None:
        """Go through the batches once; the losses leave the device at the end, all at once."""
        if iterator is None:
            return
        total: Any = 0.0
        n_batches = 0
        for n_batches, batch in enumerate(iterator, 1):
            self.notify("on_batch_begin", batch=batch, training=training)
            step = step_fn(batch, **fit_params)
            loss = step["loss"].detach()
            total = loss if n_batches == 1 else total + loss
            if self._run.batches_are_watched:
                # A progress bar may show it.
                self.history.record_batch(f"{prefix}_loss", loss.item())
                self.history.record_batch(f"{prefix}_batch_size", len(batch[0]))
            self.notify("on_batch_end", batch=batch, training=training, **step)
            del step  # what autograd knows of it would hinder the next step from being recorded
        self.history.record(f"{prefix}_batch_count", n_batches)
        self._run.losses[f"{prefix}_loss"] = self._checked(float(total) / n_batches, prefix)

    @staticmethod
    def _drop_batches(epochs: list[dict[str, Any]]) -> None:
        # Their means stand for them: keeping each would make the history grow with the data.
        for epoch in epochs:
            epoch["batches"] = []

    def _checked(self, loss: float, prefix: str) -> float:
        if math.isfinite(loss):
            return loss
        raise ArgumentError(
            "The loss is {} in epoch {} ({}_loss): lower the learning rate, {lr=}, or the weights "
            "of the losses, or compute in {precision='float32'}. This training is not kept.",
            loss,
            len(self.history),
            prefix,
            lr=self.lr,
        )

    def train_step(self, batch: Any, **fit_params: Any) -> dict[str, Any]:
        """Take one optimization step, without skorch's support of closures."""
        run = self._run
        self._set_training(True)
        if run.is_touched or not run.norms_are_warm:
            run.norms_are_warm = warm_up(run.norms)
        moved = on_device(batch[0], self.device), self._on_device(batch[1])
        recorded = None if run.world or run.batches_are_watched else self._recorded_step(*moved)
        if recorded is not None:
            return recorded
        self.optimizer_.zero_grad()
        with told_of_earlier_batches(self.criterion_, self.module_):
            step = self.train_step_single(moved, **fit_params)
        if run.world is not None:
            run.world.sum_gradients(self.module_)
        if "on_grad_computed" in run.heard:
            named = list(self.get_all_learnable_params())
            self.notify("on_grad_computed", named_parameters=named, batch=batch, training=True)
        self.optimizer_.step()
        return step

    def _recorded_step(self, x: Tensor, targets: dict[str, Tensor]) -> dict[str, Any] | None:
        """Take a step that is recorded on a GPU; return None where it is not."""
        run, part = self._run, Part(self.module_, self.criterion_, self.optimizer_)
        step = run.recorded.step(part, x, targets, run.n_steps_alike, looks=run.is_touched)
        if step is None:
            return None
        run.is_touched = False
        output, loss, stats = step
        self._note(output, stats)
        return {"loss": loss, "y_pred": output}

    def _set_training(self, training: bool = True) -> None:
        # Setting the mode walks through all modules: not for every batch.
        if self.module_.training != training or self.criterion_.training != training:
            super()._set_training(training)

    def infer(self, x: Tensor, **fit_params: Any) -> Any:
        """Run the network on one batch, in the precision that was asked for."""
        x, run = on_device(x, self.device), self._run
        if run.world is None or not self.module_.training:
            output = run.recorded.output(self.module_, x, run.n_steps_alike, looks=run.is_touched)
            run.is_touched &= not self.module_.training  # else nothing was looked at
            return output
        with autocast(self.device, self.precision):
            return run.world.gathered(self.module_(x, run.world.part(len(x))), len(x))

    def get_loss(self, y_pred: Any, y_true: Any, X: Any = None, training: bool = False) -> Tensor:
        """Return the loss of one batch; in training its statistics are kept for the history."""
        targets = self._on_device(y_true)
        loss = self.criterion_(y_pred, targets.pop("labels"), **targets)
        if training:
            self._note(y_pred, self.criterion_.stats)
        return loss

    def _on_device(self, targets: Any) -> dict[str, Tensor]:
        """Return what the objective is called with, on the device."""
        named = targets if isinstance(targets, dict) else {"labels": targets}
        return {name: on_device(target, self.device) for name, target in named.items()}

    def _note(self, output: Any, stats: dict[str, Tensor]) -> None:
        """Keep of a step what the history will tell."""
        run = self._run
        run.embedding = output.embedding.detach()
        run.means.add(stats)

    def on_epoch_begin(self, net: Any, **kwargs: Any) -> None:
        """Start the clock and the sums of an epoch."""
        super().on_epoch_begin(net, **kwargs)
        run = self._run
        run.means, run.losses = Means(), {}
        run.epoch_start = time.perf_counter()

    def on_batch_begin(
        self, net: Any, batch: Any = None, training: bool = False, **kwargs: Any
    ) -> None:
        """Set the learning rate of the batch to come."""
        run = self._run
        if run.batches_are_watched:
            super().on_batch_begin(net, batch=batch, training=training, **kwargs)
        if not training:
            return
        factor = SCHEDULES[self.schedule](run.step / run.n_steps)
        for group in self.optimizer_.param_groups:
            group["lr"] = group.setdefault("initial_lr", group["lr"]) * factor
        run.step += 1

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Write the epoch's means into the history."""
        epoch, run = self.history[-1], self._run
        run.epoch += 1
        epoch.update(run.means.all())
        assert run.embedding is not None
        epoch["embedding_spread"] = spread(self.criterion_.directions(run.embedding))
        run.embedding = None
        self._drop_batches(self.history[-2:-1])
        for name, loss in run.losses.items():
            epoch[name] = loss
            epoch[f"{name}_best"] = loss <= run.best.get(name, math.inf)
            run.best[name] = min(loss, run.best.get(name, math.inf))
        epoch["lr"] = self.optimizer_.param_groups[-1]["lr"]
        epoch["dur"] = time.perf_counter() - run.epoch_start

    def __getstate__(self) -> dict[str, Any]:
        """Keep the weights, on the CPU, and the history; no device, optimizer, callback or data."""
        state = self.__dict__.copy()
        for name in ("optimizer_", "callbacks_", "callbacks", "_run"):
            state.pop(name, None)
        for name in ("module", "criterion"):
            state[name] = state[name + "_"] = on_cpu(state[name + "_"])
        state |= {"device": "cpu", "callbacks": None, "initialized_": False}
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)

    @classmethod
    def restored(
        cls, module: nn.Module, criterion: nn.Module, history: list[dict[str, Any]], **kwargs: Any
    ) -> Self:
        """Return a net as it comes out of a pickle: trained, and without an optimizer.

        Parameters
        ----------
        module, criterion : nn.Module
            The trained network and objective.
        history : list of dict
            What was recorded of each epoch.
        **kwargs : dict
            `schedule` and `precision`, as the class takes them.

        Returns
        -------
        MetricNet
        """
        net = cls(module, criterion, train_split=None, **kwargs)
        net.history_ = History(history)
        net.__dict__.update(module_=module, criterion_=criterion, initialized_=False)
        return net
