"""How far the images of one seed are apart: over the backends, in batches, on a server's library.

    PYTHONPATH=. KERAS_BACKEND=tensorflow python benchmarks/one_seed.py write FOLDER  # jax, torch
    python benchmarks/one_seed.py compare FOLDER

Every model of the zoo with weights by a formula makes 64 images of seed 7, in one batch and in
batches of 5. `tests/models/test_contract.py` compares the SavedModels.
"""

import itertools
import os
import sys

import numpy as np

BACKENDS = ("tensorflow", "jax", "torch")


def write(folder):
    """Writes this backend's images."""
    import keras

    from tests.contract import set_weights_by_formula
    from tests.zoo import ZOO

    found = {}
    for name, case in ZOO.items():
        if case.samples:
            model = case.make(seed=0)
            set_weights_by_formula(model)
            found[name] = model.sample(64, case.y(64), seed=7)
            found[f"{name}/5"] = model.sample(64, case.y(64), seed=7, batch_size=5)
    np.savez(os.path.join(folder, f"{keras.backend.backend()}.npz"), **found)


def compare(folder):
    """Prints a row of a table a model."""
    images = {b: np.load(os.path.join(folder, f"{b}.npz")) for b in BACKENDS}
    print("| model | apart over backends | over batches | share of pixels that differ |")
    print("|---|---|---|---|")
    for name in images["torch"].files:
        if name.endswith("/5"):
            continue
        pairs = list(itertools.combinations(BACKENDS, 2))
        apart = [np.abs(images[a][name] - images[b][name]) for a, b in pairs]
        batches = [np.abs(images[b][name] - images[b][f"{name}/5"]).max() for b in BACKENDS]
        share = max(float((each > 1e-3).mean()) for each in apart)
        print(f"| {name} | {max(e.max() for e in apart):.1e} | {max(batches):.1e} | {share:.1e} |")


if __name__ == "__main__":
    {"write": write, "compare": compare}[sys.argv[1]](sys.argv[2])
