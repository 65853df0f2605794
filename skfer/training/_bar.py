"""A bar that shows how far a training is."""

from typing import Any

from skorch.callbacks import Callback

from skfer._bar import tqdm


class TrainingBar(Callback):
    """Shows one bar for a whole training; in a notebook, as a widget.

    It counts batches, and tells the loss of the latest epoch.

    Parameters
    ----------
    leave : bool, default=True
        Whether the bar stays when the training is over.

    See Also
    --------
    skfer.inspection.TrainingDisplay : How a training went, afterwards.

    Examples
    --------
    >>> from skfer import CrossEntropyEmbedder
    >>> from skfer.training import TrainingBar
    >>> model = CrossEntropyEmbedder(callbacks=[TrainingBar()])
    """

    only_watches = True

    def __init__(self, leave: bool = True) -> None:
        self.leave = leave

    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
        """Show the bar."""
        self.bar_ = tqdm(total=net.n_steps, unit="batch", leave=self.leave)

    def on_epoch_begin(self, net: Any, **kwargs: Any) -> None:
        """Come to where the training is, which may go on from a checkpoint."""
        done = round(net.progress * net.n_steps)
        if done > self.bar_.n:
            self.bar_.initial = done  # not counted in the speed
            self.bar_.update(done - self.bar_.n)

    def on_batch_end(self, net: Any, training: bool = False, **kwargs: Any) -> None:
        """Count a batch that was trained on."""
        if training:
            self.bar_.update()

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Tell the losses."""
        epoch = net.history[-1]
        losses = {name: epoch[name] for name in ("train_loss", "valid_loss") if name in epoch}
        self.bar_.set_postfix(losses, refresh=False)

    def on_train_end(self, net: Any, **kwargs: Any) -> None:
        """Close the bar, which is full where nothing was left of the training."""
        self.on_epoch_begin(net)
        self.bar_.close()

    def __getstate__(self) -> dict[str, Any]:
        return {"leave": self.leave}
