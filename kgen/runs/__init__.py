"""A run: a folder that holds everything a training was given, wrote and reached.

- `config.json`: the model, data and settings that rebuild it
- `history.csv`: every epoch's losses
- `logs/`: TensorBoard
- `samples/`: a grid of samples after every epoch
- `checkpoint/`: the two newest backups of the exact state, in the middle of an epoch too
- `model.keras`: the trained model
- `samples.png`, `reconstructions.png`, `codes.png`, `completions.png`, `results.json`: what it
  reached
"""

from kgen.runs.results import complete, evaluate, reconstruct, sample
from kgen.runs.run import Run, load
from kgen.runs.training import train

__all__ = ["Run", "complete", "evaluate", "load", "reconstruct", "sample", "train"]
