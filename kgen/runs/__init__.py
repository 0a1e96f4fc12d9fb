"""A run: a folder that holds everything a training was given, wrote and reached.

- `config.json`: the model, data and settings that rebuild it
- `history.csv`: every epoch's losses
- `logs/`: TensorBoard
- `samples/`: a grid of samples after every epoch
- `checkpoint/`: the two newest backups of the exact state, in the middle of an epoch too
- `best/`: with `evaluate`, the model of the epoch that was the best by it, as `publish` writes it
- `classifier.npz`: what samples were judged by, once they were
- `model.keras`: the trained model and the whole state of its training, with what it reached
- `losses.png`, `samples.gif`: how it went
- `samples.png`, `reconstructions.png`, `codes.png`, `completions.png`, `results.json`: what it
  reached
"""

import importlib

_MODULES = {
    "Run": "kgen.runs.run",
    "compare": "kgen.runs.comparison",
    "complete": "kgen.runs.results",
    "evaluate": "kgen.runs.results",
    "export": "kgen.runs.exporting",
    "load": "kgen.runs.run",
    "nearest": "kgen.runs.sampling",
    "publish": "kgen.runs.trained",
    "reconstruct": "kgen.runs.results",
    "sample": "kgen.runs.sampling",
    "train": "kgen.runs.training",
}

__all__ = [*_MODULES]


def __getattr__(name):  # so that the command line and `export` need no Keras
    if name in _MODULES:
        return getattr(importlib.import_module(_MODULES[name]), name)
    raise AttributeError(f"module 'kgen.runs' has no attribute {name!r}")


def __dir__():
    return sorted({*globals(), *__all__})
