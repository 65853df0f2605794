"""Embed an array of images on disk by the workers of a dask cluster, block by block.

python embed_with_dask.py smile.skfer images.npy embeddings.npy tcp://scheduler:8786
"""

import sys
from pathlib import Path

import numpy as np
from dask import array
from distributed import Client

import skfer


def embedding_part(model):
    """Return the model without the classifier that `skfer train` may put behind its embedder."""
    return model if hasattr(model, "transform") else model[:-1]


def embed_block(model, path, block_info=None):
    """Return the embeddings of a block. Its images are read here, in the worker."""
    start, stop = block_info[None]["array-location"][0]
    return model.transform(np.load(path, mmap_mode="r")[start:stop])


def embed_array(client, model, path, rows=4096):
    """Return a dask array of the embeddings, in blocks of so many rows."""
    model = embedding_part(model)
    n_images, width = len(np.load(path, mmap_mode="r")), len(model.get_feature_names_out())
    return array.map_blocks(
        embed_block,
        client.scatter(model, broadcast=True),  # to each worker once
        str(path),
        chunks=array.core.normalize_chunks((rows, width), shape=(n_images, width)),
        dtype=np.float32,
        meta=np.empty((0, 0), dtype=np.float32),
    )


if __name__ == "__main__":
    model, images, output, address = sys.argv[1:]
    client = Client(address)
    np.save(output, embed_array(client, skfer.load(model), Path(images).resolve()).compute())
