"""Requests with which TensorFlow Serving warms a version up before it answers others."""

import os

import numpy as np
import tensorflow as tf

from kgen.export.image_bytes import encode_pngs


def write_warmup(folder, name, served, image_shape):
    """Writes `assets.extra/tf_serving_warmup_requests`: of each signature a request of one image.

    Args:
        folder: str. The SavedModel.
        name: str. The model's name on the server.
        served: dict of the signatures' concrete functions by name.
        image_shape: tuple (height, width, channels).

    Returns:
        bool, whether tensorflow-serving-api is installed, without which nothing is written.
    """
    try:
        from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog
    except ImportError:
        return False
    black = encode_pngs(tf.zeros((1, *image_shape))).numpy()
    extra = os.path.join(folder, "assets.extra")
    os.makedirs(extra)
    with tf.io.TFRecordWriter(os.path.join(extra, "tf_serving_warmup_requests")) as file:
        for signature, function in served.items():
            log = PredictionLog()
            request = log.predict_log.request
            request.model_spec.name, request.model_spec.signature_name = name, signature
            for key, spec in function.structured_input_signature[1].items():
                row = np.zeros((1, *spec.shape[1:]), spec.dtype.as_numpy_dtype)
                value = black if spec.dtype == tf.string else row
                request.inputs[key].CopyFrom(tf.make_tensor_proto(value, spec.dtype))
            file.write(log.SerializeToString())
    return True
