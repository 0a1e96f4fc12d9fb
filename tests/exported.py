"""Models of any backend as SavedModels, and what these answer: one TensorFlow process for all.

python -m tests.exported FOLDER...: a folder holds `model.keras` and `given.npz`, rows of each input
of its signatures; it gets `1`, the SavedModel, and `found.npz`, the outputs by "signature.output"
as the version-1 loader has them. Signatures of files are tried in tests/serving.
"""

import os
import subprocess
import sys

import keras
import numpy as np

from tests import own_models  # noqa: F401 - some are of its classes
from tests.contract import set_weights_by_formula

ROWS = 6
VERBS = {"generate": "sample", "generate_codes": "sample"}  # others are called as their signature
ARGUMENTS = {"image": "images"}  # of verbs, as the inputs, by another name


class Exported:
    """A model with weights by a formula, rows of its inputs, and what its SavedModel answers.

    `found` has, by signature, dicts of outputs by name.
    """

    def __init__(self, case, folder):
        self.case = case
        self.folder = folder
        folder.mkdir()
        self.model = case.make(seed=0)
        set_weights_by_formula(self.model)
        self.model.save(folder / "model.keras")
        self.inputs = {name: set(of) for name, (_, of) in self.model.signatures().items()}
        fields = {k: v for _, of in self.model.signatures().values() for k, v in of.items()}
        self.given = case.rows(fields, ROWS)
        self.condition = getattr(case.condition, "input_name", None)
        if case.condition is not None:
            self.given[self.condition] = case.y(ROWS)
        np.savez(folder / "given.npz", **self.given)
        self.found = {}

    def load_answers(self):
        for key, value in np.load(self.folder / "found.npz").items():
            signature, output = key.split(".")
            self.found.setdefault(signature, {})[output] = value

    def answer_of_verb(self, signature):
        """The model's own answer to a signature's inputs, a list of arrays."""
        arguments = {ARGUMENTS.get(k, k): self.given[k] for k in self.inputs[signature]}
        if self.condition is not None:
            arguments["labels"] = self.given[self.condition]
        verb = getattr(self.model, VERBS.get(signature, signature))
        if verb.__name__ == "sample":
            arguments["num"] = ROWS
        if verb.__name__ == "complete":
            return [verb(copies=1, **arguments)[:, 0]]
        answer = verb(**arguments)
        if isinstance(answer, dict):
            return [answer[name] for name in sorted(answer)]
        if isinstance(answer, tuple):  # mean and log_var, as the alphabet has the outputs
            return list(answer)[::-1]
        return [answer]


def export(cases, root):
    """Dict of `Exported` by name."""
    made = {case.name: Exported(case, root / case.name) for case in cases}
    command = [sys.executable, "-m", "tests.exported"]
    done = subprocess.run(
        [*command, *(str(each.folder) for each in made.values())],
        env=os.environ | {"KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    for each in made.values():
        each.load_answers()
    return made


def answer(folder):
    """Writes the SavedModel of a folder and what it answers."""
    import tensorflow as tf

    from kgen.export.saved_model import write

    model = keras.saving.load_model(f"{folder}/model.keras", compile=False)
    write(model, f"{folder}/1", os.path.basename(folder))
    given, found = dict(np.load(f"{folder}/given.npz")), {}
    with tf.compat.v1.Session(graph=tf.Graph()) as session:
        meta = tf.compat.v1.saved_model.loader.load(session, ["serve"], f"{folder}/1")
        for name in model.signatures():
            signature = meta.signature_def[name]
            feed = {
                info.name: given[key].astype(tf.as_dtype(info.dtype).as_numpy_dtype)
                for key, info in signature.inputs.items()
            }
            wanted = {key: info.name for key, info in sorted(signature.outputs.items())}
            for key, value in session.run(wanted, feed).items():
                found[f"{name}.{key}"] = value
    np.savez(f"{folder}/found.npz", **found)


if __name__ == "__main__":
    import tensorflow as tf

    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    for folder in sys.argv[1:]:
        answer(folder)
