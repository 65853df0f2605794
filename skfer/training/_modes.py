"""Torch's modes and generators as skfer needs them inside; outside they are the caller's again."""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from typing import Any

import torch

from skfer.validation import refusal, shown

_AUTOCAST_KINDS = [
    kind for kind in ("cpu", "cuda", "mps", "xpu") if torch.amp.is_autocast_available(kind)
]

_several_threads = False  # whether torch has computed here in more than one


@contextmanager
def plain_modes() -> Iterator[None]:
    """Run a block without what the caller may have set for all of torch.

    Inside, tensors are made on the CPU as float32 unless something else is asked for, layers
    compute in that precision, and gradients are on. Afterwards everything is as it was, also when
    an interrupt has left another mode behind; but a default type that was set meanwhile, as by
    another thread, stays.

    See Also
    --------
    seeded : The same care for torch's generators.

    Examples
    --------
    >>> import torch
    >>> from skfer.training import plain_modes
    >>> with torch.no_grad():
    ...     with plain_modes():
    ...         torch.is_grad_enabled()
    ...     torch.is_grad_enabled()
    True
    False
    """
    global _several_threads
    _several_threads = _several_threads or torch.get_num_threads() > 1
    with ExitStack() as stack:
        stack.callback(torch.set_grad_enabled, torch.is_grad_enabled())
        for kind in _AUTOCAST_KINDS:
            if torch.is_autocast_enabled(kind):
                stack.enter_context(torch.autocast(kind, enabled=False))
        if torch.is_inference_mode_enabled():
            stack.enter_context(torch.inference_mode(False))
        stack.enter_context(_FLOAT32)
        # Asked in this way, since older versions of torch tell of one kind of default only.
        if torch.empty(0).device.type != "cpu":
            stack.enter_context(torch.device("cpu"))
        torch.set_grad_enabled(True)
        yield


class _Float32:
    """Makes float32 torch's default while at least one thread needs it; it is one for them all."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._n_users = 0
        self._here = threading.local()  # how many of them this thread is
        self._before: torch.dtype | None = None  # None where nobody needs it

    def __enter__(self) -> None:
        with self._lock:
            present = torch.get_default_dtype()
            if self._n_users == 0 or present != torch.float32:  # a caller in another thread set it
                self._before = present
                self._set(torch.float32)
            self._count(1)

    def __exit__(self, *error: Any) -> None:
        with self._lock:
            self._count(-1)
            if self._n_users == 0:
                self._set_back()

    def go_on_after_fork(self) -> None:
        """Forget the threads that a forked process has not."""
        self._lock = threading.Lock()
        self._n_users = getattr(self._here, "n_users", 0)
        if self._n_users == 0:
            self._set_back()

    def _count(self, change: int) -> None:
        self._n_users += change
        self._here.n_users = getattr(self._here, "n_users", 0) + change

    def _set_back(self) -> None:
        # What a caller has set meanwhile is as it should be.
        if self._before is not None and torch.get_default_dtype() == torch.float32:
            self._set(self._before)
        self._before = None

    @staticmethod
    def _set(dtype: torch.dtype) -> None:
        if torch.get_default_dtype() != dtype:
            torch.set_default_dtype(dtype)


_FLOAT32 = _Float32()
_getting_ready = threading.Lock()
_one_at_a_time = threading.RLock()  # a callback may fit another embedder


def one_at_a_time() -> Any:
    """Return the lock of whatever draws from torch's generator: it is one for all threads.

    See Also
    --------
    seeded : Takes this lock.

    Examples
    --------
    >>> from skfer.training import one_at_a_time
    >>> with one_at_a_time():
    ...     pass  # no other thread draws from torch's generator here
    """
    return _one_at_a_time


def getting_ready() -> Any:
    """Return the lock of a network's way to its device."""
    return _getting_ready


def _go_on_after_fork() -> None:
    """Do in a forked process without the threads of its parent.

    The locks are renewed, which others may hold, and the default type is the caller's if it was
    they who needed another one. OpenMP would wait for its threads for ever, so
    that torch computes in one.
    """
    global _getting_ready, _one_at_a_time
    _one_at_a_time, _getting_ready = threading.RLock(), threading.Lock()
    _FLOAT32.go_on_after_fork()
    if _several_threads:
        torch.set_num_threads(1)


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_go_on_after_fork)


@contextmanager
def autocast(device: str | torch.device, precision: str):
    """Run layers in bfloat16 where `precision` asks for it.

    See Also
    --------
    multiplies_bfloat16 : Whether that is faster.
    run_network : Uses it.

    Examples
    --------
    >>> import torch
    >>> from skfer.training import autocast
    >>> with autocast("cpu", "float32"):
    ...     print((torch.ones(2, 2) @ torch.ones(2, 2)).dtype)
    torch.float32
    """
    if precision == "float32":
        yield
    else:
        # Without its cache, which inside the caller's own autocast would outlive a step and hold
        # weights from before it. A pass needs each weight once.
        with torch.autocast(torch.device(device).type, torch.bfloat16, cache_enabled=False):
            yield


def multiplies_bfloat16(device: str | torch.device) -> bool:
    """Whether a device multiplies bfloat16 in its hardware, and faster so than float32.

    Parameters
    ----------
    device : str or torch.device
        Of a CPU, torch is asked for the instructions that its convolutions and matrix products
        use: AVX512-BF16 or AMX-BF16. Where there are none torch computes in float32 and rounds,
        which is slower than float32. And so are AVX512-BF16 instructions on some processors that
        have them: once in a process, a few small products are timed in both arithmetics.

    Returns
    -------
    bool

    Raises
    ------
    ArgumentError
        If `device` is no device of torch.

    See Also
    --------
    autocast : Runs layers in bfloat16.

    Examples
    --------
    >>> from skfer.training import multiplies_bfloat16
    >>> multiplies_bfloat16("cpu") in (False, True)
    True
    """
    try:
        kind = torch.device(device if isinstance(device, torch.device) else str(device)).type
    except RuntimeError as error:
        raise refusal(
            "device", "must be a device of torch, such as 'cpu', got {}.", shown(device)
        ) from error
    if kind == "cuda":
        return torch.cuda.is_available() and torch.cuda.is_bf16_supported(including_emulation=False)
    return kind == "cpu" and _has_bfloat16_instructions() and _gains_by_bfloat16()


def _has_bfloat16_instructions() -> bool:
    if not torch.backends.mkldnn.is_available():
        return False
    if hasattr(torch.cpu, "get_capabilities"):
        capabilities = torch.cpu.get_capabilities()
        return any(capabilities.get(name, False) for name in ("avx512_bf16", "amx_bf16"))
    return torch.cpu._is_avx512_bf16_supported()  # torch before it told more of the processor


@cache
def _gains_by_bfloat16() -> bool:
    """Whether the CPU multiplies matrices faster in bfloat16; some milliseconds, in turns."""
    float32, bfloat16 = (
        torch.ones(384, 384, dtype=dtype, device="cpu") for dtype in (torch.float32, torch.bfloat16)
    )
    with plain_modes():
        seconds = [(_seconds_of(float32), _seconds_of(bfloat16)) for _ in range(7)]
    return min(s[1] for s in seconds) < min(s[0] for s in seconds)


def _seconds_of(matrix: torch.Tensor) -> float:
    begin = time.perf_counter()
    matrix @ matrix
    return time.perf_counter() - begin


@contextmanager
def seeded(seed: int, device: torch.device):
    """Seed torch inside the block; afterwards the caller's generators are as they were.

    Torch has one generator for all threads, so blocks in several threads run one at a time.

    See Also
    --------
    on_cpu : A copy that needs no device.

    Examples
    --------
    >>> import torch
    >>> from skfer.training import seeded
    >>> device = torch.device("cpu")
    >>> with seeded(0, device):
    ...     one = torch.rand(2)
    >>> with seeded(0, device):
    ...     print(bool((torch.rand(2) == one).all()))
    True
    """
    on_cuda = device.type == "cuda"
    with one_at_a_time(), torch.random.fork_rng([device] if on_cuda else []):
        # torch.manual_seed looks at every kind of device, which takes a millisecond.
        torch.default_generator.manual_seed(seed)
        if on_cuda:
            torch.cuda.manual_seed(seed)
        yield
