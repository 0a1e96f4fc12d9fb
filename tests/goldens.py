"""The images of one seed, which are the same on every backend.

python -m tests.goldens writes `goldens.json` anew: two images of each model of the zoo whose
weights are by a formula, on whichever backend this is.
"""

import json
import pathlib

import numpy as np

from tests.contract import set_weights_by_formula
from tests.zoo import ZOO

FILE = pathlib.Path(__file__).with_name("goldens.json")


def images_of(case, model):
    """The first two images of five, (2, height, width, channels), of a model of the case."""
    set_weights_by_formula(model)
    return model.sample(5, case.y(5), seed=7)[:2]


def read():
    """Dict of arrays by the models' names."""
    goldens = json.loads(FILE.read_text())
    return {
        name: np.array(values).reshape(2, *ZOO[name].image_shape)
        for name, values in goldens.items()
    }


def write():
    rows = []
    for name, case in ZOO.items():
        if case.samples:
            images = images_of(case, case.make(seed=0))
            values = [round(float(value), 6) for value in images.ravel()]
            rows.append(f"{json.dumps(name)}: {json.dumps(values, separators=(',', ':'))}")
    FILE.write_text("{\n" + ",\n".join(rows) + "\n}\n")


if __name__ == "__main__":
    write()
