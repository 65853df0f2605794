"""`skfer export`."""

import argparse

from skfer.cli._output import check_writable, say
from skfer.persistence import export_onnx, load, load_expression_model


def run(arguments: argparse.Namespace) -> int:
    """Write a model for other runtimes."""
    path = arguments.onnx
    check_writable(path, "--onnx", or_stdout=False, inputs=[arguments.model])
    ready = arguments.model is None
    model = load_expression_model() if ready else load(arguments.model, device="cpu")
    export_onnx(model, path)
    say(f"Graph: {path} ({path.stat().st_size / 2**20:.1f} MiB)")
    return 0
