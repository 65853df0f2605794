"""What a model has learned, as pictures: Displays as scikit-learn has, and grids of faces."""

from skfer.inspection._attention import AttentionDisplay
from skfer.inspection._comparison import ComparisonDisplay
from skfer.inspection._embedding import EmbeddingDisplay
from skfer.inspection._label_issues import LabelIssues, label_issues
from skfer.inspection._label_issues_display import LabelIssuesDisplay
from skfer.inspection._reliability import ReliabilityDisplay
from skfer.inspection._report import report
from skfer.inspection._retrieval import RetrievalDisplay
from skfer.inspection._show import show_faces
from skfer.inspection._subclass import SubclassDisplay
from skfer.inspection._threshold import ThresholdDisplay
from skfer.inspection._training import TrainingDisplay

__all__ = [
    "AttentionDisplay",
    "ComparisonDisplay",
    "EmbeddingDisplay",
    "LabelIssues",
    "LabelIssuesDisplay",
    "ReliabilityDisplay",
    "RetrievalDisplay",
    "SubclassDisplay",
    "ThresholdDisplay",
    "TrainingDisplay",
    "label_issues",
    "report",
    "show_faces",
]
