"""Data that the workers of a cluster read from a disk that they share."""

from typing import Any

from skfer.exceptions import ArgumentError, install_hint
from skfer.validation import shown


def share_memmaps(client: Any) -> None:
    """Have dask send memory maps as the paths of their files, to workers that share the disk.

    Without it dask sends all that a memory map holds to each worker, where it has to fit into
    memory. From this call on, a map that is scattered, as by ``parallel_config("dask",
    scatter=[X, y])``, is opened by each worker itself, for reading, if it lies in its file as it is
    in memory: one from ``numpy.load(path, mmap_mode="r")``, or a slice of its first axis. Other
    arrays travel as before. It holds for this process, and for the workers that the scheduler has
    and will have.

    A file must stay as it is while workers read it. dask counts pages of files that a worker has
    read as its memory: start workers without a limit (``memory_limit=0``) if X is larger.

    Parameters
    ----------
    client : distributed.Client
        Knows the scheduler. The workers find skfer, and the files by the same paths.

    Raises
    ------
    ArgumentError
        If `client` is no client of dask.
    ImportError
        If dask is not installed (extra ``dask``).

    See Also
    --------
    skfer.embedders.BaseEmbedder : Takes a memory map as X, and reads it batch by batch.

    Examples
    --------
    >>> import numpy as np
    >>> from distributed import Client
    >>> from skfer.model_selection import share_memmaps
    >>> with Client(processes=False, dashboard_address=None) as client:
    ...     share_memmaps(client)
    """
    try:
        from distributed import Client

        from skfer.model_selection._dask_memmaps import SendsPaths, register
    except ImportError as error:
        hint = install_hint("dask", "distributed")
        raise ImportError(f"share_memmaps needs the package distributed: {hint}.") from error
    if not isinstance(client, Client):
        raise ArgumentError("{client} must be a distributed.Client, got {}.", shown(client))
    client.register_plugin(SendsPaths())
    register()  # last, when the workers understand
