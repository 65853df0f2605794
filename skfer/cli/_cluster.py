"""The workers of a dask cluster, for trainings side by side."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

import joblib
import numpy as np

from skfer.exceptions import ArgumentError, install_hint

_PATIENCE = 10  # seconds until a scheduler must have answered


def check_cluster(address: str | None) -> None:
    """Raise an error if a cluster is wanted that cannot be worked with, before faces are read."""
    if address is not None:
        _client(address).close()


@contextmanager
def workers_at(address: str | None, X: np.ndarray) -> Iterator[None]:
    """Let joblib run on the workers of the scheduler at an address, if there is one.

    Parameters
    ----------
    address : str or None
        As in ``tcp://host:8786``; None leaves everything as it is.
    X : ndarray
        Is sent to each worker once.

    Raises
    ------
    ArgumentError
        If no scheduler answers there, or it has no workers.
    ImportError
        If dask is not installed.
    """
    if address is None:
        yield
        return
    with (
        _client(address) as client,
        _copies_kept(client),
        joblib.parallel_config("dask", n_jobs=-1, scatter=[X]),
    ):
        yield


@contextmanager
def _copies_kept(client: Any) -> Iterator[None]:
    """Have dask keep what it has sent to each worker.

    Else it drops copies that no fit needs at the moment, and when the worker dies that has the last
    one, all fits that are to come are lost.
    """
    dropped = client.amm.running()
    client.amm.stop()
    try:
        yield
    finally:
        if dropped:
            client.amm.start()


def _client(address: str) -> Any:
    if find_spec("distributed") is None:
        call = install_hint("dask", "distributed")
        raise ImportError(f"--dask needs the package distributed: {call}.")
    from distributed import Client

    try:
        client = Client(address, timeout=_PATIENCE)
    except (OSError, ValueError, TypeError) as error:
        text = (
            "{dask} found no scheduler at {} ({}): give the address that `dask scheduler` prints."
        )
        raise ArgumentError(text, repr(address), type(error).__name__) from error
    if not client.scheduler_info()["workers"]:
        client.close()
        text = "{dask} found a scheduler at {} without workers: start some with `dask worker {}`."
        raise ArgumentError(text, repr(address), address)
    return client
