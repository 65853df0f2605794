"""Pictures: one file to one array, decoding in parallel, the cache, and what is wrong with them."""

from skfer.pictures._cache import Cache, fingerprint, is_cache_file
from skfer.pictures._decode import (
    LARGEST,
    Chunk,
    check_image_size,
    check_some_left,
    decode_chunks,
    decode_images,
    first_shape,
    gather,
    image_shape,
    picture_reader,
)
from skfer.pictures._files import fault_of, open_regular, read_bytes
from skfer.pictures._foreign import unread_kind
from skfer.pictures._formats import EXTENSIONS
from skfer.pictures._npy import read_number, read_numbers
from skfer.pictures._problems import (
    N_SHOWN,
    DatasetError,
    DatasetWarning,
    Problem,
    check_on_error,
    handle,
    in_part,
    part_of,
)
from skfer.pictures._reading import (
    PATH,
    PICTURE,
    Picture,
    read_picture,
    resize,
    sides_of,
)
from skfer.pictures._upright import PictureError
from skfer.pictures._whole import NoFaceWarning, seems_photograph, warn_of_photographs

__all__ = [
    "EXTENSIONS",
    "LARGEST",
    "N_SHOWN",
    "PATH",
    "PICTURE",
    "Cache",
    "Chunk",
    "DatasetError",
    "DatasetWarning",
    "NoFaceWarning",
    "Picture",
    "PictureError",
    "Problem",
    "check_image_size",
    "check_on_error",
    "check_some_left",
    "decode_chunks",
    "decode_images",
    "fault_of",
    "fingerprint",
    "first_shape",
    "gather",
    "handle",
    "image_shape",
    "in_part",
    "is_cache_file",
    "open_regular",
    "part_of",
    "picture_reader",
    "read_bytes",
    "read_number",
    "read_numbers",
    "read_picture",
    "resize",
    "seems_photograph",
    "sides_of",
    "unread_kind",
    "warn_of_photographs",
]
