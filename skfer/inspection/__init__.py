"""What a model has learned, as pictures: Displays as scikit-learn has, and grids of faces."""

from skfer.inspection._embedding import EmbeddingDisplay
from skfer.inspection._show import show_faces

__all__ = ["EmbeddingDisplay", "show_faces"]
