"""Torch's modes and locks, inside and outside."""

import os
import threading
import warnings
from contextlib import nullcontext

import pytest
import torch

from skfer.training import _modes, multiplies_bfloat16, one_at_a_time, plain_modes
from skfer.training._modes import getting_ready

GAINS = "skfer.training._modes._gains_by_bfloat16"
SECONDS = "skfer.training._modes._seconds_of"


def modes():
    return (
        torch.is_grad_enabled(),
        torch.is_inference_mode_enabled(),
        torch.is_autocast_enabled("cpu"),
        torch.get_default_dtype(),
        torch.empty(0).device.type,
    )


PLAIN = (True, False, False, torch.float32, "cpu")
AMBIENT = {
    "autocast": lambda: torch.autocast("cpu", torch.bfloat16),
    "no_grad": torch.no_grad,
    "inference_mode": torch.inference_mode,
    "device": lambda: torch.device("meta"),
}


@pytest.mark.parametrize("ambient", AMBIENT.values(), ids=AMBIENT)
def test_modes_are_plain_inside_and_as_they_were_outside(ambient):
    with ambient():
        before = modes()
        assert before != PLAIN
        with plain_modes():
            assert modes() == PLAIN
            weight = torch.ones(2, requires_grad=True)
            weight.sum().backward()
            torch.set_grad_enabled(False)
        assert modes() == before
        with pytest.raises(KeyboardInterrupt), plain_modes():
            raise KeyboardInterrupt
        assert modes() == before
    assert modes() == PLAIN


def stayed_in(then):
    """Do something while another thread is inside plain modes, with float64 outside."""
    torch.set_default_dtype(torch.float64)
    entered, leave = threading.Event(), threading.Event()

    def stay():
        with plain_modes():
            entered.set()
            leave.wait(60)

    thread = threading.Thread(target=stay)
    try:
        thread.start()
        assert entered.wait(60)
        then()
        leave.set()
        thread.join()
        return torch.get_default_dtype()
    finally:
        leave.set()
        thread.join()
        torch.set_default_dtype(torch.float32)


def test_the_default_type_is_one_for_all_threads():
    """Who leaves last puts it back."""

    def enter_and_leave():
        with plain_modes():
            assert torch.get_default_dtype() == torch.float32
        assert torch.get_default_dtype() == torch.float32

    assert stayed_in(enter_and_leave) == torch.float64


def test_a_default_type_that_another_thread_sets_meanwhile_stays():
    assert stayed_in(lambda: torch.set_default_dtype(torch.float16)) == torch.float16

    def set_and_enter():
        torch.set_default_dtype(torch.float16)
        with plain_modes():
            assert torch.get_default_dtype() == torch.float32

    assert stayed_in(set_and_enter) == torch.float16
    assert stayed_in(lambda: None) == torch.float64


def fork():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # that there are threads
        return os.fork()


def ends_well(child):
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows does not fork")
@pytest.mark.parametrize("inside", [False, True])
def test_a_fork_has_the_default_type_of_the_thread_that_forks(inside):
    def forks():
        with plain_modes() if inside else nullcontext():
            child = fork()
            if child == 0:
                seen = [torch.get_default_dtype()]
                with plain_modes():
                    seen.append(torch.get_default_dtype())
                seen.append(torch.get_default_dtype())
                own = torch.float32 if inside else torch.float64
                if seen != [own, torch.float32, own]:
                    os._exit(1)
                if not inside:
                    os._exit(0)
        if child == 0:
            os._exit(int(torch.get_default_dtype() != torch.float64))
        assert ends_well(child)

    assert stayed_in(forks) == torch.float64


@pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows does not fork")
def test_a_fork_without_threads_inside_changes_nothing():
    """Though an earlier call was made with another default type."""
    stayed_in(lambda: None)
    child = fork()
    if child == 0:
        os._exit(int(torch.get_default_dtype() != torch.float32))
    assert ends_well(child)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows does not fork")
def test_a_fork_does_not_inherit_the_locks_of_other_threads():
    held, leave = threading.Event(), threading.Event()

    def hold():
        with one_at_a_time(), getting_ready():
            held.set()
            leave.wait(60)

    thread = threading.Thread(target=hold)
    thread.start()
    assert held.wait(60)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # that there are threads
        child = os.fork()
    if child == 0:
        free = all(lock().acquire(timeout=20) for lock in (one_at_a_time, getting_ready))
        os._exit(0 if free else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert not one_at_a_time().acquire(blocking=False)  # the parent's is still held
    leave.set()
    thread.join()


@pytest.mark.parametrize("flag", ["avx512_bf16", "amx_bf16", None])
def test_torch_is_asked_what_the_processor_multiplies(flag, monkeypatch):
    told = dict.fromkeys(("avx512_bf16", "amx_bf16"), False) | {"avx512_f": True}
    told |= {} if flag is None else {flag: True}
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: told, raising=False)
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: True)
    monkeypatch.setattr(GAINS, lambda: True)
    assert multiplies_bfloat16("cpu") == (flag is not None)
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    assert not multiplies_bfloat16("cpu")
    assert not multiplies_bfloat16("meta")


@pytest.mark.parametrize("native", [False, True])
def test_older_torch_is_asked_too(native, monkeypatch):
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: native, raising=False)
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: True)
    monkeypatch.setattr(GAINS, lambda: True)
    assert multiplies_bfloat16(torch.device("cpu")) == native


@pytest.mark.parametrize("ratio", [0.5, 2.0])
def test_instructions_that_are_slow_do_not_count(ratio, monkeypatch):
    told = {"avx512_bf16": True}
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: told, raising=False)
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: True)
    monkeypatch.setattr(SECONDS, lambda m: ratio if m.dtype == torch.bfloat16 else 1.0)
    _modes._gains_by_bfloat16.cache_clear()
    try:
        assert multiplies_bfloat16("cpu") == (ratio < 1)
    finally:
        _modes._gains_by_bfloat16.cache_clear()  # of seconds that were not measured


def test_products_are_timed_once_and_quickly(monkeypatch):
    calls = []
    real = _modes._seconds_of
    monkeypatch.setattr(SECONDS, lambda matrix: calls.append(real(matrix)) or calls[-1])
    _modes._gains_by_bfloat16.cache_clear()
    assert _modes._gains_by_bfloat16() == _modes._gains_by_bfloat16()
    assert len(calls) == 14
    assert all(seconds > 0 for seconds in calls)
