"""The client, against REST servers and proxies that answer what they should not."""

import base64
import gzip
import os
import time

import numpy as np
import pytest

from kgen import cli
from kgen.serving import Client
from kgen.serving.image_file import ImageFile
from tests.serving.rest_parts import ask, http, info, metadata, outputs, signature

pytestmark = pytest.mark.anywhere

BLACK = ImageFile().example()[0]  # a PNG file


def test_right_answers(serve):
    images = [[[[0.5], [0]]], [[[1], [0.25]]]]
    found = ask(serve(outputs(images)))["image"]
    assert found.dtype == "float32"
    np.testing.assert_array_equal(found, images)
    assert ask(serve(outputs([7, -7])), name="count")["number"].tolist() == [7, -7]
    files = [{"b64": base64.b64encode(BLACK).decode()}] * 2
    assert list(ask(serve(outputs(files)), name="generate_png")["png_bytes"]) == [BLACK, BLACK]
    found = ask(serve(outputs({"mean": [[1e9], [0]], "log_var": [[-1], [2]]})), name="two")
    assert found["mean"].tolist() == [[1e9], [0]] and found["log_var"].tolist() == [[-1], [2]]
    chunks = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10\r\n"
    chunks += b'{"outputs":[3,4]\r\n1\r\n}\r\n0\r\n\r\n'
    assert ask(serve(chunks), name="count")["number"].tolist() == [3, 4]


SHAPE = r"image of shape \(2, 1, 2, 1\)\. Received: \("
WRONG = {
    "rows too few": ([[[[0], [0]]]], SHAPE + "1, "),
    "rows too many": ([[[[0], [0]]]] * 3, SHAPE + "3, "),
    "no rows": ([], SHAPE + r"0,\)"),
    "another shape": ([[[[0], [0], [0]]]] * 2, SHAPE + "2, 1, 3"),
    "no channels": ([[[0, 0]]] * 2, SHAPE + r"2, 1, 2\)"),
    "ragged": ([[[[0], [0]]], [[[0]]]], "image as rows of one shape"),
    "NaN": ([[[[0], [float("nan")]]]] * 2, "finite image"),
    "infinity": ([[[[0], [float("inf")]]]] * 2, "finite image"),
    "beyond float32": ([[[[0], [1e300]]]] * 2, "finite image"),
    "above 1": ([[[[0], [255]]]] * 2, r"image in 0.0..1.0. Received: image in 0.0..255"),
    "below 0": ([[[[0], [-0.5]]]] * 2, "image in 0.0..1.0"),
    "words": ([[[["0"], ["1"]]]] * 2, "image of float32. Received: <U1"),
    "nothing": ([[[[None], [None]]]] * 2, "image of float32. Received: object"),
    "truth": ([[[[True], [False]]]] * 2, "image of float32. Received: bool"),
    "a word": ("\x1b[2J", SHAPE + r"\)"),
    "by a name": ({"image": [0]}, SHAPE + r"\)"),
}


@pytest.mark.parametrize("case", WRONG)
def test_images_that_are_none_are_refused(serve, case):
    rows, message = WRONG[case]
    with pytest.raises(ValueError, match=f"answered wrongly: Expected {message}"):
        ask(serve(outputs(rows)))


PNG = "png_bytes as whole PNG files"
BASE64 = "png_bytes as files in base64"


@pytest.mark.parametrize(
    ("name", "rows", "message"),
    [
        ("generate_png", [{"b64": "AAAA"}] * 2, rf"{PNG}.*\[0\]=b'\\x00\\x00\\x00'"),
        ("generate_png", [{"b64": base64.b64encode(BLACK[:-9]).decode()}] * 2, PNG),
        ("generate_png", [{"b64": "AAAA"}], r"png_bytes of shape \(2,\)\. Received: \(1,\)"),
        ("generate_png", [{"b64": "A*AAA"}] * 2, BASE64),
        ("generate_png", ["AAAA"] * 2, BASE64),
        ("generate_png", {"b64": "AAAA"}, BASE64),
        ("generate_png", 7, BASE64),
        ("count", [0.5, 1], "number of int32. Received: float64"),
        ("count", [2**40, 1], "number of int32. Received: int64"),
        ("count", [10**30, 1], "number of int32. Received: object"),
        ("two", {"mean": [[0], [0]]}, r"log_var, mean. Received: mean"),
        ("two", {}, "log_var, mean. Received: nothing"),
        ("two", {"mean": [[0], [0]], "log_var": [[0], [float("nan")]]}, "finite log_var"),
    ],
)
def test_other_outputs_that_are_wrong_are_refused(serve, name, rows, message):
    with pytest.raises(ValueError, match=f"answered wrongly: Expected {message}"):
        ask(serve(outputs(rows)), name=name)


JSON = "answered wrongly: Expected JSON of TensorFlow Serving. Received: "
NO_ANSWERS = {
    "a list": (http([]), JSON + r"\[\]"),
    "an empty object": (http({}), JSON + "{}"),
    "null": (http(None), JSON + "null"),
    "an error": (http({"error": "no"}), JSON),
    "nothing": (http(b""), JSON + "nothing"),
    "deep": (http(b'{"outputs":' + b"[" * 10**5 + b"]" * 10**5 + b"}"), JSON),
    "many digits": (http(b'{"outputs":[' + b"1" * 5000 + b"]}"), JSON),
    "half of it": (b'HTTP/1.0 200 OK\r\n\r\n{"outputs": [[0.5', JSON + r'{"outputs": \[\[0.5'),
    "a page": (
        http(b"<html>\n<b>Sign in</b>", head="Content-Type: text/html\r\n"),
        JSON + r"<html>\\n<b>",
    ),
    "no text": (http(b'\xff\xfe{"outputs":[]}'), JSON),
    "compressed": (
        http(gzip.compress(b'{"outputs":[]}'), head="Content-Encoding: gzip\r\n"),
        "answered wrongly: Expected plain JSON. Received: gzip",
    ),
}


@pytest.mark.parametrize("case", NO_ANSWERS)
def test_what_is_no_answer_is_said(serve, case):
    answer, message = NO_ANSWERS[case]
    with pytest.raises(ValueError, match=message):
        ask(serve(answer))
    with pytest.raises(ValueError, match=message):
        ask(serve(known=answer))


@pytest.mark.parametrize("status", [204, 400, 401, 404, 413, 429, 500])
def test_other_statuses_are_refusals(serve, status):
    words = b'{"error": "no\\r\\nkgen: all is well\\u001b[2K\\u202e"}'
    with pytest.raises(ValueError) as caught:
        ask(serve(http(words, f"{status} x")))
    said = "" if status == 204 else r"no\r\nkgen: all is well\x1b[2K\u202e"
    assert f"refused: HTTP {status}, {said}; the model's signatures: count, " in str(caught.value)


ENDLESS = {"dim": [{"size": float("inf")}]}
UNLIKE = {
    "no names": [],
    "a dtype": {"generate": signature(image=info("DT_VARIANT", 1))},
    "a size": {"generate": signature(image=info("DT_FLOAT", "many"))},
    "no end": {"generate": signature(image=info("DT_FLOAT") | {"tensor_shape": ENDLESS})},
    "no shape": {"generate": signature(image={"dtype": "DT_FLOAT"})},
    "no outputs": {"generate": {"inputs": {"seed": info("DT_INT64")}}},
    "words": {"generate": "image"},
}


@pytest.mark.parametrize("case", UNLIKE)
def test_signatures_that_are_none_are_refused(serve, case):
    with pytest.raises(ValueError, match=JSON):
        ask(serve(known=http(metadata(UNLIKE[case]))))


def test_names_that_forge_a_line_are_refused(serve):
    for known in ({"a\nb": signature()}, {"generate": signature(**{"\x1b[2J": info("DT_BOOL")})}):
        with pytest.raises(ValueError, match=r"Expected plain names. Received: (a\\nb|\\x1b\[2J)"):
            ask(serve(known=http(metadata(known))))


def test_signatures_of_another_model(serve):
    known = {
        "generate": signature(logits=info("DT_FLOAT", 3)),
        "decode": {"inputs": {"z": info("DT_FLOAT")}, "outputs": {"image": info("DT_FLOAT")}},
        "encode": {"inputs": {"image": info("DT_FLOAT")}, "outputs": {"code": info("DT_FLOAT")}},
        "complete": {"inputs": {"mask": info("DT_BOOL")}, "outputs": {}},
    }
    client = Client(serve(known=http(metadata(known))).address, "m")
    with pytest.raises(ValueError, match="image of generate of m. Received: its outputs logits"):
        client.generate(1)
    with pytest.raises(ValueError, match=r"z of shape \(num\)"):
        client.decode([[0, 0]])
    with pytest.raises(ValueError, match=r"image of shape \(num\)"):
        client.encode(np.zeros((1, 2, 2, 1)))
    with pytest.raises(ValueError, match=r"mask of shape \(num\)|1 mask"):
        client.complete(np.zeros((1, 2, 2, 1)), np.ones((2, 2), bool))


@pytest.mark.parametrize("answer", [http(b"", "404 Not Found"), http({})])
def test_the_signatures_are_asked_for_anew_after_an_error(serve, answer):
    server = serve(answer)
    client = Client(server.address, "m", retries=0)
    for _ in range(2):
        with pytest.raises(ValueError, match="refused|answered wrongly"):
            client.generate(1)
    assert server.asked == 4


PLAYS = {
    "wrong rows": outputs([[[[0], [0]]]]),
    "NaN": outputs([[[[float("nan")], [0]]]] * 2),
    "no outputs": http({}),
    "escapes": http(b'{"error": "\\u001b[2J\\nkgen: Wrote grid.png"}', "400 Bad Request"),
    "a page": http(b"<html>\r\n\x1b[2J</html>", "502 Bad Gateway"),
    "half": b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{",
    "silence": lambda _: time.sleep(1),
    "a report of TensorFlow's": lambda _: os.write(2, b"I0000 ready\n"),
}


@pytest.mark.parametrize("case", PLAYS)
def test_the_command_ends_in_one_line(serve, case, tmp_path, capfd):
    out = str(tmp_path / "grid.png")
    command = ["kgen", "generate", "--model", "m", "--num", "2", "--timeout", "0.1", "--out", out]
    assert cli.main([*command, "--server", serve(PLAYS[case]).address]) == 1
    said, err = capfd.readouterr()
    assert err.startswith("kgen: ") and err.endswith("\n") and err[:-1].isprintable()
    assert not said and not list(tmp_path.iterdir())
