"""How the networks are trained: batches, schedules and skorch."""

from skfer.training._averaging import AverageWeights
from skfer.training._bar import TrainingBar
from skfer.training._checkpoint import Checkpoint
from skfer.training._data import TrainingData
from skfer.training._inference import run_network
from skfer.training._modes import (
    autocast,
    multiplies_bfloat16,
    one_at_a_time,
    plain_modes,
    seeded,
)
from skfer.training._module_state import on_cpu
from skfer.training._net import MetricNet
from skfer.training._objective import Objective
from skfer.training._pictures import PictureSource
from skfer.training._sampling import BalancedBatchSampler, ShuffledBatchSampler, SubsetSampler
from skfer.training._schedule import SCHEDULES, find_schedule
from skfer.training._source import (
    Batches,
    ImageSource,
    RowSource,
    SamplePart,
    Source,
    release_pages,
)
from skfer.training._spread import spread
from skfer.training._stopping import StopAtBest, StopTraining, restart_stopping
from skfer.training._world import World, find_world

__all__ = [
    "SCHEDULES",
    "AverageWeights",
    "BalancedBatchSampler",
    "Batches",
    "Checkpoint",
    "ImageSource",
    "MetricNet",
    "Objective",
    "PictureSource",
    "RowSource",
    "SamplePart",
    "ShuffledBatchSampler",
    "Source",
    "StopAtBest",
    "StopTraining",
    "SubsetSampler",
    "TrainingBar",
    "TrainingData",
    "World",
    "autocast",
    "find_schedule",
    "find_world",
    "multiplies_bfloat16",
    "on_cpu",
    "one_at_a_time",
    "plain_modes",
    "release_pages",
    "restart_stopping",
    "run_network",
    "seeded",
    "spread",
]
