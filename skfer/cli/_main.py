"""From the words of a call to an exit code."""

import argparse
import contextlib
import os
import sys
import traceback
import warnings
from collections.abc import Sequence
from importlib import import_module
from typing import Any

from skfer.cli._errors import WRONG, capped, explain, in_options
from skfer.cli._output import say, warn
from skfer.cli._signals import AskedToEnd, end_workers, raised_by_signals
from skfer.cli.exit_codes import BROKEN, FAILED, INTERRUPTED, READER_GONE
from skfer.cli.options import read_arguments


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Parameters
    ----------
    argv : sequence of str, optional
        Arguments; those of the process by default.

    Returns
    -------
    int
        The exit code.
    """
    with contextlib.ExitStack() as stack:
        for name in ("stdout", "stderr"):
            if getattr(sys, name) is None:  # closed before the start, as daemons may have it
                nowhere = stack.enter_context(open(os.devnull, "w"))
                stack.callback(setattr, sys, name, None)
                setattr(sys, name, nowhere)
        # Pictures go into files: a backend that opens windows, or that of a notebook, may not be
        # there. It counts where matplotlib was not imported before.
        before = os.environ.get("MPLBACKEND")
        os.environ["MPLBACKEND"] = "Agg"
        stack.callback(_set_backend, before)
        arguments = read_arguments(argv)
        stack.enter_context(raised_by_signals())
        return _run_quietly(arguments)


def _set_backend(name: str | None) -> None:
    os.environ.pop("MPLBACKEND", None)
    if name is not None:
        os.environ["MPLBACKEND"] = name


def _run_quietly(arguments: argparse.Namespace) -> int:
    """Run the command with warnings that are a line each."""
    with warnings.catch_warnings():

        def tell(message: Warning | str, *_: Any, **__: Any) -> None:
            warn(capped(in_options(message, arguments)))

        warnings.showwarning = tell  # a line of source means nothing here
        return _run(arguments)


def _run(arguments: argparse.Namespace) -> int:
    try:
        # Only now: a command takes seconds to import.
        code = import_module(f"skfer.cli._{arguments.command}").run(arguments)
        sys.stdout.flush()  # a reader that has gone is noticed here and not at exit
        return code
    except AskedToEnd as error:
        return _ended(f"ended by {error.name}", error.code)
    except KeyboardInterrupt:
        return _ended("interrupted", INTERRUPTED)
    except BrokenPipeError:
        return _reader_gone()
    except WRONG as error:
        say(f"skfer: error: {explain(error, arguments)}", sys.stderr)
        return FAILED
    except Exception:
        traceback.print_exc()
        say("skfer: a fault of skfer: please report it with the lines above", sys.stderr)
        return BROKEN


def _ended(why: str, code: int) -> int:
    end_workers()
    with contextlib.suppress(OSError):  # the terminal may be gone
        say(f"skfer: {why}", sys.stderr)
    return code


def _reader_gone() -> int:
    # Python would complain once more when it flushes at exit.
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(nowhere, stream)
    return READER_GONE
