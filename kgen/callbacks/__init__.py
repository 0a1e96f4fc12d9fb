"""What happens between the steps and the epochs of a training."""

from kgen.callbacks.backup import PREEMPTED, Backup
from kgen.callbacks.evaluate import Evaluate
from kgen.callbacks.sample_grid import SampleGrid
from kgen.callbacks.stop_on_nan import StopOnNaN
from kgen.callbacks.stuck_discriminator import StuckDiscriminator
from kgen.callbacks.tensorboard_scalars import TensorBoardScalars

__all__ = [
    "PREEMPTED",
    "Backup",
    "Evaluate",
    "SampleGrid",
    "StopOnNaN",
    "StuckDiscriminator",
    "TensorBoardScalars",
]
