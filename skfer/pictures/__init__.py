"""Pictures: one file to one array, decoding in parallel, the cache, and what is wrong with them."""

from skfer.pictures._cache import Cache, fingerprint, is_cache_file
from skfer.pictures._decode import (
    Chunk,
    Reader,
    check_image_size,
    check_some_left,
    decode_chunks,
    decode_images,
    file_reader,
    first_shape,
    gather,
    image_shape,
)
from skfer.pictures._npy import read_number
from skfer.pictures._problems import (
    N_SHOWN,
    DatasetError,
    DatasetWarning,
    Problem,
    check_on_error,
    drop_repeats,
    handle,
    in_part,
    part_of,
)
from skfer.pictures._reading import EXTENSIONS, PictureError, plain_picture, read_file

__all__ = [
    "EXTENSIONS",
    "N_SHOWN",
    "Cache",
    "Chunk",
    "DatasetError",
    "DatasetWarning",
    "PictureError",
    "Problem",
    "Reader",
    "check_image_size",
    "check_on_error",
    "check_some_left",
    "decode_chunks",
    "decode_images",
    "drop_repeats",
    "file_reader",
    "fingerprint",
    "first_shape",
    "gather",
    "handle",
    "image_shape",
    "in_part",
    "is_cache_file",
    "part_of",
    "plain_picture",
    "read_file",
    "read_number",
]
