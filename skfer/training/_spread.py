"""How far apart the embeddings of a batch are."""

import torch
from torch import Tensor


def spread(features: Tensor) -> float:
    """Return the share of the features' squared norm in which samples differ; 0 if all coincide.

    Parameters
    ----------
    features : Tensor of shape (n, embedding_dim)
        Embeddings of one batch.

    Returns
    -------
    float
        Between 0 and 1.

    See Also
    --------
    skfer.EmbeddingCollapseWarning : What ``fit`` says where it is near 0.

    Examples
    --------
    >>> import torch
    >>> from skfer.training import spread
    >>> spread(torch.ones(4, 2)), spread(torch.tensor([[1.0], [-1.0]]))
    (0.0, 1.0)
    """
    lengths = [
        torch.linalg.vector_norm(points) for points in (features, features - features.mean(0))
    ]
    whole, centered = torch.stack(lengths).tolist()
    # Rounding may take it a little above 1.
    return min((centered / whole) ** 2, 1.0) if whole > 0 else 0.0
