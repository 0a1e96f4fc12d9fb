"""Asks SavedModels with the version-1 loader, where neither Keras nor kgen can be imported.

python load_v1.py FOLDER...

A folder holds `1`, the SavedModel, and `given.npz`, rows of each input; it gets `found.npz`, the
outputs of each signature by "signature.output", and these of one row alone, by "alone.", of
shuffled rows, by "shuffled.", and of the warm-up's requests, by "warmed.". Where there is a file
`threads`, "right" counts the right answers among 800 of 8 threads.
"""

import os
import sys
from concurrent.futures import ThreadPoolExecutor

if __name__ == "__main__":
    for name in ("keras", "kgen", "jax", "torch"):
        sys.modules[name] = None

import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402
from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog  # noqa: E402

tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})


def ask(session, signature, given):
    feed = {info.name: given[key] for key, info in signature.inputs.items()}
    return session.run({key: info.name for key, info in signature.outputs.items()}, feed)


def main(folder):
    given = dict(np.load(f"{folder}/given.npz", allow_pickle=True))
    some = np.random.default_rng(0).permutation(len(given["seed"]))
    ways = {"": slice(None), "alone.": slice(3, 4), "shuffled.": some}
    found = {"order": some}
    with tf.compat.v1.Session(graph=tf.Graph()) as session:
        meta = tf.compat.v1.saved_model.loader.load(session, ["serve"], f"{folder}/1")
        signatures = {name: of for name, of in meta.signature_def.items() if of.inputs}
        for name, signature in signatures.items():
            for way, rows in ways.items():
                part = {key: array[rows] for key, array in given.items()}
                for key, value in ask(session, signature, part).items():
                    found[f"{way}{name}.{key}"] = value
        warmup = f"{folder}/1/assets.extra/tf_serving_warmup_requests"
        for record in tf.compat.v1.io.tf_record_iterator(warmup):
            request = PredictionLog.FromString(record).predict_log.request
            name = request.model_spec.signature_name
            part = {key: tf.make_ndarray(value) for key, value in request.inputs.items()}
            for key, value in ask(session, signatures[name], part).items():
                found[f"warmed.{name}.{key}"] = value
        if os.path.exists(f"{folder}/threads"):

            def is_right(i):
                row = slice(i % 64, i % 64 + 1)
                part = {key: array[row] for key, array in given.items()}
                image = ask(session, signatures["generate"], part)["image"]
                return np.allclose(image, found["generate.image"][row], rtol=0, atol=1e-6)

            with ThreadPoolExecutor(8) as pool:
                found["right"] = sum(pool.map(is_right, range(800)))
    np.savez(f"{folder}/found.npz", **found)


if __name__ == "__main__":
    for folder in sys.argv[1:]:
        main(folder)
