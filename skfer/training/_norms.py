"""The running means of batch norms while a training begins."""

from dataclasses import dataclass

from torch import nn


@dataclass
class Norm:
    """A batch norm of a network that is trained."""

    module: nn.BatchNorm1d | nn.BatchNorm2d
    momentum: float
    """As it was given."""
    n_seen: int
    """Batches that it had seen before the training."""

    def warm_up(self, step: int) -> None:
        """Make its running means start as plain means of the first batches.

        With the usual momentum, a short training would leave them halfway to their arbitrary start.
        """
        self.module.momentum = max(self.momentum, 1 / (self.n_seen + step + 1))


def norms_of(network: nn.Module) -> list[Norm]:
    """Return the batch norms of a network that have a momentum."""
    return [
        Norm(module, module.momentum, int(module.num_batches_tracked))  # type: ignore[arg-type]
        for module in network.modules()
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d)
        and module.momentum
        and module.track_running_stats
    ]
