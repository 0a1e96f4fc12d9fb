"""TensorFlow Serving's gRPC API."""

from kgen.printable import printable
from kgen.serving.exchange import seconds_until
from kgen.serving.signatures import DTYPES, Refusal, require_outputs, require_shape, tensor

try:
    import grpc
    import tensorflow as tf
    from google.protobuf.message import DecodeError
    from tensorflow.core.framework.types_pb2 import DataType
    from tensorflow_serving.apis import get_model_metadata_pb2, predict_pb2
    from tensorflow_serving.apis.prediction_service_pb2_grpc import PredictionServiceStub
except ImportError as error:
    raise ImportError(
        f"A grpc:// address needs tensorflow-serving-api, the extra `serving` ({error})."
    ) from error

# Bytes that an answer may have: of signatures or names, and for each value; a message has no more
# than MOST_BYTES.
PLAIN_BYTES, VALUE_BYTES, MOST_BYTES = 2**20, 16, 2**31 - 1


class Grpc:
    """One model of a server.

    Args:
        address: str. "host:port".
        model: str.
        version: int or None.
    """

    def __init__(self, address, model, version):
        self._address = address
        self._model = model
        self._version = version

    def signatures(self, deadline):
        request = self._to_model(get_model_metadata_pb2.GetModelMetadataRequest())
        request.metadata_field.append("signature_def")
        answer = self._ask("GetModelMetadata", request, deadline, PLAIN_BYTES)
        signatures = get_model_metadata_pb2.SignatureDefMap()
        try:
            is_there = answer.metadata["signature_def"].Unpack(signatures)
        except DecodeError:
            is_there = False
        if not is_there:
            raise ValueError("Expected the model's signatures. Received: no signature_def")
        return {
            name: {side: _tensors(getattr(of, side)) for side in ("inputs", "outputs")}
            for name, of in signatures.signature_def.items()
            if of.inputs
        }

    def predict(self, signature, inputs, outputs, deadline, most):
        request = self._to_model(predict_pb2.PredictRequest())
        request.model_spec.signature_name = signature
        for name, rows in inputs.items():
            request.inputs[name].CopyFrom(tf.make_tensor_proto(rows))
        most = min(PLAIN_BYTES + VALUE_BYTES * most, MOST_BYTES)
        found = self._ask("Predict", request, deadline, most).outputs
        require_outputs(outputs, found)
        num = len(next(iter(inputs.values())))
        return {name: _array(name, found[name], *outputs[name], num) for name in outputs}

    def _to_model(self, request):
        request.model_spec.name = self._model
        if self._version is not None:
            request.model_spec.version.value = self._version
        return request

    def _ask(self, method, request, deadline, most):
        options = {"grpc.max_receive_message_length": most, "grpc.max_send_message_length": -1}
        # One channel a request: another waits after an error, and does not try again.
        with grpc.insecure_channel(self._address, list(options.items())) as channel:
            try:
                ask = getattr(PredictionServiceStub(channel), method)
                return ask(request, timeout=seconds_until(deadline))
            except grpc.RpcError as error:
                words = f"{error.code().name}, {printable(error.details())}"
                if error.code() == grpc.StatusCode.UNAVAILABLE:
                    raise ConnectionError(words) from error
                if error.code() == grpc.StatusCode.DEADLINE_EXCEEDED:
                    raise TimeoutError(words) from error
                raise Refusal(words) from error


def _tensors(infos):
    return {
        name: tensor(name, _type_name(info), [d.size for d in info.tensor_shape.dim])
        for name, info in infos.items()
    }


def _type_name(of):
    return DataType.Name(of.dtype) if of.dtype in DataType.values() else str(of.dtype)


def _array(name, found, dtype, shape, num):
    """The array of a message that says before how large it is."""
    require_shape(name, tuple(d.size for d in found.tensor_shape.dim), shape, num)
    if DTYPES.get(_type_name(found)) != dtype:
        raise ValueError(f"Expected {name} of {dtype}. Received: {_type_name(found)}")
    try:
        return tf.make_ndarray(found)
    except (ValueError, TypeError) as error:
        raise ValueError(
            f"Expected {name} as its shape and dtype say. Received: {printable(error)}"
        ) from error
