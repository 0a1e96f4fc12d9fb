"""TensorFlow Serving's gRPC API."""

try:
    import grpc
    import tensorflow as tf
    from tensorflow_serving.apis import get_model_metadata_pb2, predict_pb2
    from tensorflow_serving.apis.prediction_service_pb2_grpc import PredictionServiceStub
except ImportError as error:
    raise ImportError(
        f"A grpc:// address needs tensorflow-serving-api, the extra `serving` ({error})."
    ) from error


class Grpc:
    """One model of a server.

    Args:
        address: str. "host:port".
        model: str.
        version: int or None.
        timeout: float, in seconds.
    """

    def __init__(self, address, model, version, timeout):
        unlimited = [(f"grpc.max_{way}_message_length", -1) for way in ("receive", "send")]
        self._service = PredictionServiceStub(grpc.insecure_channel(address, unlimited))
        self._address = address
        self._model = model
        self._version = version
        self._timeout = timeout

    def signatures(self):
        request = self._to_model(get_model_metadata_pb2.GetModelMetadataRequest())
        request.metadata_field.append("signature_def")
        answer = self._ask(self._service.GetModelMetadata, request)
        signatures = get_model_metadata_pb2.SignatureDefMap()
        answer.metadata["signature_def"].Unpack(signatures)
        return {
            name: {side: _tensors(getattr(of, side)) for side in ("inputs", "outputs")}
            for name, of in signatures.signature_def.items()
            if of.inputs
        }

    def predict(self, signature, inputs, outputs):
        request = self._to_model(predict_pb2.PredictRequest())
        request.model_spec.signature_name = signature
        for name, rows in inputs.items():
            request.inputs[name].CopyFrom(tf.make_tensor_proto(rows))
        found = self._ask(self._service.Predict, request).outputs
        return {name: tf.make_ndarray(found[name]) for name in outputs}

    def _to_model(self, request):
        request.model_spec.name = self._model
        if self._version is not None:
            request.model_spec.version.value = self._version
        return request

    def _ask(self, call, request):
        try:
            return call(request, timeout=self._timeout)
        except grpc.RpcError as error:
            if error.code() == grpc.StatusCode.UNAVAILABLE:
                raise ConnectionError(error.details()) from error
            if error.code() == grpc.StatusCode.DEADLINE_EXCEEDED:
                raise TimeoutError(
                    f"No answer from {self._address} within {self._timeout} seconds."
                ) from error
            raise ValueError(error.details()) from error


def _tensors(infos):
    return {
        name: (
            "object" if info.dtype == tf.string else tf.as_dtype(info.dtype).name,
            tuple(None if d.size < 0 else d.size for d in info.tensor_shape.dim),
        )
        for name, info in infos.items()
    }
