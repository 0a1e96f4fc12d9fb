"""A server on this machine that speaks TensorFlow Serving's REST and gRPC formats.

It answers from a SavedModel as the published API says, with its words for errors; it is no
TensorFlow Serving.
"""

import base64
import contextlib
import http.server
import json
import re
import threading
from concurrent import futures

import grpc
import numpy as np
import tensorflow as tf
from google.protobuf.json_format import MessageToDict
from tensorflow.core.framework import types_pb2
from tensorflow_serving.apis import get_model_metadata_pb2, predict_pb2, prediction_service_pb2_grpc

from tests.serving import c_api


class NotFoundError(Exception):
    """There is no such model."""


class Servable:
    """One version of a model. `asked` counts the requests and `rows` their images.

    Args:
        name: str.
        version: str, the SavedModel's folder.
    """

    def __init__(self, name, version):
        self.name = name
        self.signatures = c_api.signature_defs(version)
        self.session = tf.compat.v1.Session(graph=tf.Graph())
        with self.session.graph.as_default():
            tf.compat.v1.saved_model.loader.load(self.session, ["serve"], version)
        self.asked, self.rows = 0, []

    def signature(self, name):
        if name not in self.signatures:
            raise ValueError(f'Serving signature name: "{name}" not found in signature def')
        return self.signatures[name]

    def predict(self, name, given):
        of = self.signature(name)
        if given.keys() != of.inputs.keys():
            raise ValueError(f"input size does not match signature: {len(given)}!={len(of.inputs)}")
        self.rows.append(max(map(len, given.values())))
        feed = {info.name: given[key] for key, info in of.inputs.items()}
        try:
            wanted = {key: info.name for key, info in of.outputs.items()}
            return self.session.run(wanted, feed)
        except tf.errors.InvalidArgumentError as error:
            raise ValueError(error.message) from error


@contextlib.contextmanager
def rest_server(servable, before=lambda: None):
    """The address of a REST server; `before` is called with each request and may break it off."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def log_message(self, *args):
            pass

        def do_GET(self):
            self.answer(lambda: _metadata(servable, self.path))

        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.answer(lambda: _predict(servable, self.path, json.loads(body)))

        def answer(self, call):
            servable.asked += 1
            try:
                before()
                code, body = 200, json.dumps(call(), indent=4)
            except NotFoundError as error:
                code, body = 404, _error(str(error))
            except ValueError as error:
                code, body = 400, _error(str(error))
            except ConnectionAbortedError:  # without a word
                self.close_connection = True
                return
            except ConnectionRefusedError as error:
                code, body = 503, _error(str(error))
            self.send_response(code)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            with contextlib.suppress(BrokenPipeError):
                self.wfile.write(body.encode())

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _error(text):
    # C's escapes, of which JSON does not know \'.
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("'", "\\'")
    return '{ "error": "' + escaped.replace("\n", "\\n").replace("\t", "\\t") + '" }'


def _check_model(servable, path, end):
    found = re.fullmatch(r"/v1/models/([^/:]+)(?:/versions/(\d+))?" + end, path)
    if not found:
        raise ValueError(f"Malformed request: {path}")
    if found[1] != servable.name or found[2] not in (None, "1"):
        raise NotFoundError(f"Servable not found for request: Latest({found[1]})")


def _metadata(servable, path):
    _check_model(servable, path, "/metadata")
    options = {"always_print_fields_with_no_presence": True, "preserving_proto_field_name": True}
    signatures = {n: MessageToDict(of, **options) for n, of in servable.signatures.items()}
    return {
        "model_spec": {"name": servable.name, "signature_name": "", "version": "1"},
        "metadata": {"signature_def": {"signature_def": signatures}},
    }


def _predict(servable, path, body):
    _check_model(servable, path, ":predict")
    name = body.get("signature_name", "serving_default")
    inputs = servable.signature(name).inputs
    given = {k: _array(rows, inputs[k].dtype) for k, rows in body["inputs"].items() if k in inputs}
    outputs = {key: _json(key, rows) for key, rows in servable.predict(name, given).items()}
    return {"outputs": next(iter(outputs.values())) if len(outputs) == 1 else outputs}


def _array(rows, dtype):
    if dtype == types_pb2.DT_STRING:
        return np.array([base64.b64decode(row["b64"]) for row in rows], "O")
    kinds = {types_pb2.DT_FLOAT: (int, float), types_pb2.DT_INT64: int, types_pb2.DT_BOOL: bool}
    array = np.array(rows, "O")
    for value in array.ravel():
        if not isinstance(value, kinds[dtype]) or (isinstance(value, bool) != (dtype == 10)):
            raise ValueError(f"JSON Value: {value} is not of expected type: {dtype}")
    return array.astype(tf.as_dtype(dtype).as_numpy_dtype)


def _json(name, rows):
    if rows.dtype == object:
        assert name.endswith("_bytes"), name
        return [{"b64": base64.b64encode(row).decode()} for row in rows]
    # Nine digits, which give a float32 back.
    return json.loads(
        json.dumps(rows.tolist()), parse_float=lambda text: float(f"{float(text):.9g}")
    )


class _Service(prediction_service_pb2_grpc.PredictionServiceServicer):
    def __init__(self, servable, before):
        self.servable, self.before = servable, before

    def _begin(self, request, context):
        self.servable.asked += 1
        spec = request.model_spec
        try:
            self.before()
        except ConnectionError as error:
            context.abort(grpc.StatusCode.UNAVAILABLE, str(error))
        if spec.name != self.servable.name or spec.version.value not in (0, 1):
            message = f"Servable not found for request: Latest({spec.name})"
            context.abort(grpc.StatusCode.NOT_FOUND, message)

    def GetModelMetadata(self, request, context):
        self._begin(request, context)
        assert list(request.metadata_field) == ["signature_def"]
        signatures = get_model_metadata_pb2.SignatureDefMap()
        for name, of in self.servable.signatures.items():
            signatures.signature_def[name].CopyFrom(of)
        answer = get_model_metadata_pb2.GetModelMetadataResponse()
        answer.metadata["signature_def"].Pack(signatures)
        return answer

    def Predict(self, request, context):
        self._begin(request, context)
        given = {name: tf.make_ndarray(value) for name, value in request.inputs.items()}
        answer = predict_pb2.PredictResponse()
        try:
            outputs = self.servable.predict(request.model_spec.signature_name, given)
        except ValueError as error:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
        for name, rows in outputs.items():
            answer.outputs[name].CopyFrom(tf.make_tensor_proto(rows))
        return answer


@contextlib.contextmanager
def grpc_server(servable, before=lambda: None):
    """The address of a gRPC server; see `rest_server`."""
    server = grpc.server(futures.ThreadPoolExecutor(4))
    service = _Service(servable, before)
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(service, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"grpc://127.0.0.1:{port}"
    finally:
        server.stop(None).wait()
