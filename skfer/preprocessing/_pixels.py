"""Numbers of any kind as the pixels of a picture."""

from typing import Any

import numpy as np

from skfer._typing import NDArray
from skfer.pictures import PictureError


def as_pixels(image: NDArray[Any]) -> NDArray[Any]:
    """Return an array of plain numbers as uint8, and one of anything else as it is.

    Embedders standardize each image, so that they take any range of numbers. A picture that is cut
    and resized is of 8 bits: numbers up to 1 are taken for shares of 255, up to 255 for pixels.

    Raises
    ------
    PictureError
        If the numbers are neither.
    """
    if image.dtype == np.uint8 or image.dtype.kind not in "iuf":
        return image
    low, high = (image.min(), image.max()) if image.size else (0, 0)
    if not (low >= 0 and high <= 255):  # nan is neither
        raise PictureError(
            f"image must be uint8, or hold numbers from 0 to 1 or to 255, got {image.dtype} from "
            f"{low:g} to {high:g}: scale to 0..255 and use astype('uint8')."
        )
    is_share = image.dtype.kind == "f" and high <= 1
    return np.rint(image * 255 if is_share else image).astype(np.uint8)
