"""Embed pictures by many processes: parquet files of paths in, parquet files of embeddings out.

python embed_with_ray.py smile.skfer paths/ embeddings/ --workers 8

Each file of paths is a part, with the column "path". Started again after it was stopped, the
command leaves out the parts whose embeddings are there.
"""

import argparse
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import ray

import skfer
from skfer.datasets import DatasetError


class Embed:
    """Embeds parts. Each worker makes one of these, and so loads the model once."""

    def __init__(self, model, output):
        model = skfer.load(model)
        # `skfer train` may put a classifier behind the embedder.
        self.model = model if hasattr(model, "transform") else model[:-1]
        self.output = Path(output)

    def __call__(self, batch):
        return {"part": batch["part"], "faces": [self.embed(Path(part)) for part in batch["part"]]}

    def embed(self, part):
        """Write the embeddings of a part; return how many there are."""
        paths, Z = self.transform(pq.read_table(part)["path"].to_pylist())
        rows = pa.FixedSizeListArray.from_arrays(Z.ravel(), Z.shape[1])
        unfinished = self.output / f".{part.name}.unfinished"
        pq.write_table(pa.table({"path": paths, "embedding": rows}), unfinished)
        unfinished.replace(self.output / part.name)  # so that a part is there whole or not at all
        return len(paths)

    def transform(self, paths):
        """Return paths and embeddings, without the pictures that cannot be read."""
        try:
            return paths, self.model.transform(paths)
        except DatasetError as error:
            broken = {name for name, _ in error.problems}
            readable = [path for path in paths if path not in broken]
            if len(readable) in (0, len(paths)):
                raise
            print(error)  # names them
            return self.transform(readable)


def embed_parts(model, paths, output, workers):
    """Embed the parts that are not done, and print what is."""
    output.mkdir(parents=True, exist_ok=True)
    parts = [part for part in sorted(paths.glob("*.parquet")) if not (output / part.name).exists()]
    print("parts to do:", len(parts), flush=True)
    if not parts:
        return
    rows = ray.data.from_items(
        [{"part": str(part)} for part in parts], override_num_blocks=len(parts)
    ).map_batches(
        Embed,
        fn_constructor_args=(str(model), str(output)),
        batch_size=1,
        compute=ray.data.ActorPoolStrategy(size=workers),
        num_cpus=1,  # and so one thread of torch; with GPUs, num_gpus=1
    )
    for row in rows.iter_rows():
        print(f"{row['part']}: {row['faces']} faces", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("model", "paths", "output"):
        parser.add_argument(name, type=lambda text: Path(text).resolve())
    parser.add_argument("--workers", type=int, default=2)
    embed_parts(**vars(parser.parse_args()))
