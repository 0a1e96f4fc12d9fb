"""Requests with which TensorFlow Serving warms a version up before it answers others."""

import os

import tensorflow as tf


def write_warmup(folder, name, functions, examples):
    """Writes `assets.extra/tf_serving_warmup_requests`: of each signature a request of one image.

    Args:
        folder: str. The SavedModel.
        name: str. The model's name on the server.
        functions: dict of the signatures' concrete functions by name.
        examples: dict of a row of each input, by its name, by the signature's name.

    Returns:
        bool, whether tensorflow-serving-api is installed, without which nothing is written.
    """
    try:
        from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog
    except ImportError:
        return False
    extra = os.path.join(folder, "assets.extra")
    os.makedirs(extra)
    with tf.io.TFRecordWriter(os.path.join(extra, "tf_serving_warmup_requests")) as file:
        for signature, function in functions.items():
            log = PredictionLog()
            request = log.predict_log.request
            request.model_spec.name, request.model_spec.signature_name = name, signature
            for key, spec in function.structured_input_signature[1].items():
                row = examples[signature][key]
                request.inputs[key].CopyFrom(tf.make_tensor_proto(row, spec.dtype))
            file.write(log.SerializeToString())
    return True
