"""The names of what the history of a net has of an epoch as it is."""

INTERNAL = frozenset({"batches", "train_batch_count", "valid_batch_count"})
"""What only the net needs."""

OWN_KEYS = INTERNAL | {
    "epoch",
    "dur",
    "lr",
    "embedding_spread",
    "train_loss",
    "train_loss_best",
    "valid_loss",
    "valid_loss_best",
}
"""All of it: statistics of losses and scores have other names."""
