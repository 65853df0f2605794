"""Types of arrays as `help` shows them.

At run time numpy's own aliases are unions of many lines, which no reader of a signature needs; type
checkers see numpy's.
"""

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray
else:

    class ArrayLike:
        """Anything that numpy makes an array of."""

        __module__ = "builtins"  # shown without where it comes from

    class NDArray:
        """Numpy's array, of any type of elements."""

        def __class_getitem__(cls, item: Any) -> type:
            return np.ndarray


__all__ = ["ArrayLike", "NDArray"]
