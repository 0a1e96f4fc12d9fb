"""The client, against gRPC servers that do what they should not."""

import contextlib
import socket
import threading
import time
from concurrent import futures

import keras
import numpy as np
import pytest

from kgen import cli
from kgen.serving import Client
from kgen.serving.image_file import ImageFile

if keras.backend.backend() != "tensorflow":
    pytest.skip("gRPC's messages import TensorFlow", allow_module_level=True)

import grpc
import tensorflow as tf
from tensorflow.core.protobuf.meta_graph_pb2 import SignatureDef
from tensorflow_serving.apis import get_model_metadata_pb2, predict_pb2, prediction_service_pb2_grpc

IMAGES = np.array([[[[0.5], [0]]], [[[1], [0.25]]]], "float32")


def signature(**outputs):
    made = SignatureDef()
    for infos, known in ((made.inputs, {"seed": "int64"}), (made.outputs, outputs)):
        for name, of in known.items():
            dtype, *row = (of,) if isinstance(of, str) else of
            infos[name].dtype = tf.as_dtype(dtype).as_datatype_enum
            for size in (-1, *row):
                infos[name].tensor_shape.dim.add(size=size)
    return made


SIGNATURES = {
    "generate": signature(image=("float32", 1, 2, 1)),
    "generate_png": signature(png_bytes="string"),
    "two": signature(mean=("float32", 1), log_var=("float32", 1)),
}


def know(answer, context, signatures=SIGNATURES):
    """The part of a server that answers rightly when asked for metadata."""
    found = get_model_metadata_pb2.SignatureDefMap()
    for name, of in signatures.items():
        found.signature_def[name].CopyFrom(of)
    answer.metadata["signature_def"].Pack(found)


def give(**rows):
    """The part of a server that gives these arrays."""

    def play(answer, context):
        for name, array in rows.items():
            answer.outputs[name].CopyFrom(tf.make_tensor_proto(array))

    return play


class Service(prediction_service_pb2_grpc.PredictionServiceServicer):
    def __init__(self, played, known):
        self.played, self.known, self.asked = played, known, 0

    def GetModelMetadata(self, request, context):
        return self.play(self.known, get_model_metadata_pb2.GetModelMetadataResponse(), context)

    def Predict(self, request, context):
        return self.play(self.played, predict_pb2.PredictResponse(), context)

    def play(self, part, answer, context):
        self.asked += 1
        part(answer, context)
        return answer


@pytest.fixture
def serve():
    """Starts a server of two parts, of `answer` and `context`, and gives its address."""
    servers = []

    def serve(played, known=know):
        server = grpc.server(futures.ThreadPoolExecutor(2))
        serve.service = Service(played, known)
        prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(serve.service, server)
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        servers.append(server)
        return f"grpc://127.0.0.1:{port}"

    serve.servers = servers
    yield serve
    for server in servers:
        server.stop(None)


def ask(address, name="generate", **kwargs):
    return Client(address, "m", **{"retries": 0} | kwargs).predict(name, seed=[1, 2])


def test_right_answers(serve):
    np.testing.assert_array_equal(ask(serve(give(image=IMAGES)))["image"], IMAGES)
    files = np.repeat(ImageFile().example(), 2)
    address = serve(give(png_bytes=files, image=IMAGES[:1]))  # another than asked for is left
    assert list(ask(address, "generate_png")["png_bytes"]) == list(files)


def dims(*sizes, dtype="float32", **content):
    """The part of a server that says a shape, and gives what does not fill it."""
    shape = tf.TensorShape(sizes).as_proto()
    made = tf.make_tensor_proto(0, dtype)
    for name, value in content.items():
        made.ClearField("float_val")
        setattr(made, name, value)
    made.tensor_shape.CopyFrom(shape)
    return lambda answer, _: answer.outputs["image"].CopyFrom(made)


SHAPE = r"image of shape \(2, 1, 2, 1\)\. Received: \("
WRONG = {
    "rows too few": (give(image=IMAGES[:1]), SHAPE + "1, "),
    "another shape": (give(image=IMAGES.reshape(2, 2, 1, 1)), SHAPE + "2, 2, 1, 1"),
    "a terabyte of zeros": (dims(2, 10**6, 10**6, 1), SHAPE + "2, 1000000"),
    "a scalar": (dims(), SHAPE + r"\)"),
    "another dtype": (
        give(image=IMAGES.astype("float64")),
        "image of float32. Received: DT_DOUBLE",
    ),
    "words": (give(image=IMAGES.astype("str")), "image of float32. Received: DT_STRING"),
    "half its bytes": (dims(2, 1, 2, 1, tensor_content=bytes(8)), "image as its shape and dtype"),
    "no number of bytes": (dims(2, 1, 2, 1, tensor_content=bytes(3)), "image as its shape and"),
    "NaN": (give(image=IMAGES * np.nan), "finite image"),
    "above 1": (give(image=IMAGES * 255), r"image in 0.0..1.0"),
    "another output": (give(images=IMAGES), "image. Received: images"),
    "forged output": (give(**{"\x1b[2J\n": IMAGES}), r"image. Received: \\x1b\[2J\\n$"),
    "no output": (give(), "image. Received: nothing"),
}


@pytest.mark.parametrize("case", WRONG)
def test_images_that_are_none_are_refused(serve, case):
    play, message = WRONG[case]
    with pytest.raises(ValueError, match=f"answered wrongly: Expected {message}"):
        ask(serve(play))


def test_other_outputs_that_are_wrong_are_refused(serve):
    with pytest.raises(ValueError, match="png_bytes as whole PNG files.*b'GIF'"):
        ask(serve(give(png_bytes=[b"GIF", b"GIF"])), "generate_png")
    with pytest.raises(ValueError, match="log_var, mean. Received: mean"):
        ask(serve(give(mean=IMAGES[:, 0, 0])), "two")


@pytest.mark.parametrize("compression", [grpc.Compression.NoCompression, grpc.Compression.Gzip])
def test_what_is_too_long_is_not_taken(serve, compression):
    def play(answer, context):
        context.set_compression(compression)
        give(image=np.zeros((2, 1, 10**6, 1), "float32"))(answer, context)

    with pytest.raises(ValueError, match="RESOURCE_EXHAUSTED, .*larger than max"):
        ask(serve(play))


ERRORS = {
    grpc.StatusCode.UNAVAILABLE: (ConnectionError, "No answer of .* after 2 tries: "),
    grpc.StatusCode.DEADLINE_EXCEEDED: (TimeoutError, "No answer of .* in time, .*: "),
}


@pytest.mark.parametrize("code", [code for code in grpc.StatusCode if code.name != "OK"])
def test_every_status_is_said_in_one_line(serve, code):
    address = serve(lambda _, context: context.abort(code, "no\r\n\x1b[2Jkgen: all is well\u202e"))
    error, message = ERRORS.get(code, (ValueError, "refused: "))
    said = rf"{message}{code.name}, no\\r\\n\\x1b\[2Jkgen: all is well\\u202e"
    with pytest.raises(error, match=said) as caught:
        ask(address, retries=1)
    assert str(caught.value).isprintable()
    assert serve.service.asked == (3 if error is ConnectionError else 2)


def test_images_larger_than_a_message(serve):
    vast = {"generate": signature(image=("float32", 10**6, 10**6, 1))}
    address = serve(give(image=IMAGES), lambda *args: know(*args, vast))
    with pytest.raises(ValueError, match=r"of shape \(2, 1000000, 1000000, 1\)"):
        ask(address)


def test_a_server_that_fails_inside(serve):
    with pytest.raises(ValueError, match="refused: UNKNOWN, .*division by zero"):
        ask(serve(lambda *_: 1 / 0))


def test_a_server_that_hangs_is_left_at_the_deadline(serve):
    over = threading.Event()
    for played, known in ((lambda *_: over.wait(2), know), (give(), lambda *_: over.wait(2))):
        started = time.monotonic()
        with pytest.raises(TimeoutError, match="in time, with timeout=0.1 seconds"):
            ask(serve(played, known), timeout=0.1, retries=3)
        assert 0.08 < time.monotonic() - started < 1
    over.set()


def test_the_deadline_is_that_of_all_tries(serve, waits):
    unavailable = grpc.StatusCode.UNAVAILABLE
    address = serve(lambda _, context: context.abort(unavailable, "busy"))
    with pytest.raises(ConnectionError, match="after 7 tries: UNAVAILABLE, busy"):
        ask(address, timeout=10, retries=100)
    assert waits == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2]  # 6.4 more would be too late


def test_a_server_that_goes(serve):
    address = serve(lambda *_: serve.servers[0].stop(0) and time.sleep(0.1))
    with pytest.raises(ConnectionError, match="after 1 tries: UNAVAILABLE"):
        ask(address)


@pytest.mark.parametrize("words", [None, b"", b"HTTP/1.0 200 OK\r\n\r\n"])
def test_what_speaks_no_grpc(words):
    def play(server):
        with contextlib.suppress(OSError), server.accept()[0] as connection:
            connection.recv(99 if words is None else 2**16)
            connection.sendall(words or b"")
            time.sleep(0 if words else 0.3)

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=play, args=(server,), daemon=True).start()
        with pytest.raises((ConnectionError, TimeoutError), match="No answer of grpc://"):
            ask(f"grpc://127.0.0.1:{server.getsockname()[1]}", timeout=0.2)


def unpacked(answer, _):
    answer.metadata["signature_def"].value = b"\xff"
    answer.metadata["signature_def"].type_url = "type.googleapis.com/" + (
        get_model_metadata_pb2.SignatureDefMap.DESCRIPTOR.full_name
    )


@pytest.mark.parametrize(
    ("known", "message"),
    [
        (lambda *_: None, "the model's signatures. Received: no signature_def"),
        (unpacked, "the model's signatures. Received: no signature_def"),
        (lambda *args: know(*args, {"a\n": signature(x="bool")}), r"plain names. Received: a\\n"),
        (
            lambda *args: know(*args, {"a": signature(x="resource")}),
            "x of DT_BOOL.*Received: DT_RESOURCE",
        ),
    ],
)
def test_signatures_that_are_none_are_refused(serve, known, message):
    with pytest.raises(ValueError, match=f"answered wrongly: Expected {message}"):
        ask(serve(give(), known))


def test_the_command_ends_in_one_line(serve, tmp_path, capfd):
    out = str(tmp_path / "grid.png")
    command = ["kgen", "generate", "--model", "m", "--num", "2", "--out", out, "--server"]
    assert cli.main([*command, serve(give(image=IMAGES * np.nan))]) == 1
    said, err = capfd.readouterr()
    assert err.startswith("kgen: ") and err[:-1].isprintable() and "finite image" in err
    assert not said and not list(tmp_path.iterdir())
