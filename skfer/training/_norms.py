"""The running means of batch norms while a training begins."""

from dataclasses import dataclass

from torch import nn

_WARM_BATCHES = 11
"""In so many the momentum of a norm falls to what it was given."""


@dataclass
class Norm:
    """A batch norm of a network that is trained."""

    module: nn.BatchNorm1d | nn.BatchNorm2d
    momentum: float
    """As it was given."""
    n_before: int
    """Batches that it had seen before the training."""
    n_seen: int = 0
    """Batches of this training; none while it is frozen."""

    def warm_up(self) -> bool:
        """Set the momentum of the batch to come, and return whether it is the given one for good.

        Running means so start as plain means of the first batches. With the usual momentum, a
        short training would leave them halfway to their arbitrary start.
        """
        if not self.module.training:
            return True
        is_warm = self.n_seen >= _WARM_BATCHES
        share = 0.0 if is_warm else 1 / (self.n_before + self.n_seen + 1)
        self.module.momentum = max(self.momentum, share)
        self.n_seen += 1
        return is_warm


def norms_of(network: nn.Module) -> list[Norm]:
    """Return the batch norms of a network that have a momentum."""
    return [
        Norm(module, module.momentum, int(module.num_batches_tracked))  # type: ignore[arg-type]
        for module in network.modules()
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d)
        and module.momentum
        and module.track_running_stats
    ]


def warm_up(norms: list[Norm]) -> bool:
    """Warm up all norms for the batch to come; return whether those that learn are warm."""
    are_warm = [norm.warm_up() for norm in norms]
    return all(are_warm)
