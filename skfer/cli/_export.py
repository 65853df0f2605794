"""`skfer export`."""

import argparse

from skfer.cli._output import check_writable, say
from skfer.cli._pictures import load_model
from skfer.persistence import export_onnx


def run(arguments: argparse.Namespace) -> int:
    """Write a model for other runtimes."""
    path = arguments.onnx
    check_writable(path, "--onnx", or_stdout=False, inputs=[arguments.model])
    model = load_model(arguments.model, arguments.trusted, "cpu")
    export_onnx(model, path)
    say(f"Graph: {path} ({path.stat().st_size / 2**20:.1f} MiB)")
    return 0
