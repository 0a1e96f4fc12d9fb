"""TensorFlow Serving's REST API, with the standard library alone."""

import base64
import json
import urllib.parse

import numpy as np

from kgen.printable import printable
from kgen.serving.exchange import exchange
from kgen.serving.signatures import Refusal, require_outputs, tensor

# Bytes that an answer may have: of signatures or of an error, and for each value, which can have a
# line of its own with brackets around it.
PLAIN_BYTES, VALUE_BYTES = 2**22, 128
# What values of a dtype are read as, by NumPy's kinds.
_READ = {"b": "b", "i": "iu", "u": "iu", "f": "iuf"}


class Rest:
    """One model of a server.

    Args:
        address: str. "host:port", with "http://" or "https://" before it or not.
        model: str.
        version: int or None.
    """

    def __init__(self, address, model, version):
        server = address if "://" in address else f"http://{address}"
        self._url = f"{server.rstrip('/')}/v1/models/{urllib.parse.quote(model)}"
        if version is not None:
            self._url += f"/versions/{version}"

    def signatures(self, deadline):
        answer = self._ask("/metadata", None, deadline, PLAIN_BYTES)
        return _parsed(answer, _signatures)

    def predict(self, signature, inputs, outputs, deadline, most):
        body = {
            "signature_name": signature,
            "inputs": {name: _to_json(rows) for name, rows in inputs.items()},
        }
        data = json.dumps(body).encode()
        answer = self._ask(":predict", data, deadline, PLAIN_BYTES + VALUE_BYTES * most)
        found = _parsed(answer, lambda found: found["outputs"])
        if len(outputs) == 1:  # whose name the server leaves out
            found = dict.fromkeys(outputs, found)
        require_outputs(outputs, found)
        return {name: _from_json(name, found[name], dtype) for name, (dtype, _) in outputs.items()}

    def _ask(self, end, data, deadline, most):
        """The body of an answer that is no error."""
        answer = exchange(self._url + end, data, deadline, most)
        if answer.status != 200:
            raise _error(answer)
        encoding = answer.headers["Content-Encoding"] or "identity"
        if encoding != "identity":
            raise ValueError(f"Expected plain JSON. Received: {printable(encoding, 40)}")
        return answer.body


def _error(answer):
    """What another status than 200 means."""
    if 300 <= answer.status < 400:
        to = printable(answer.headers["Location"], 200)
        return Refusal(f"Expected the server's own address. Received: a redirection to {to}")
    kind = {502: ConnectionError, 503: ConnectionError, 504: TimeoutError}
    return kind.get(answer.status, Refusal)(f"HTTP {answer.status}, {error_message(answer.body)}")


def error_message(body):
    """The server's own words, from `{"error": ...}`; its escapes are not always JSON's."""
    text = body.decode(errors="replace")
    try:
        text = json.loads(text)["error"]
    except (ValueError, LookupError, TypeError, RecursionError):
        pass
    return printable(str(text).strip())


def _parsed(body, parse):
    """What is in an answer, by a function of its JSON."""
    try:
        return parse(json.loads(body))
    except (
        LookupError,
        TypeError,
        AttributeError,
        ValueError,
        ArithmeticError,
        RecursionError,
    ) as error:
        received = printable(body[:200].decode(errors="replace").strip())
        raise ValueError(
            f"Expected JSON of TensorFlow Serving. Received: {received or 'nothing'}"
        ) from error


def _signatures(answer):
    signatures = answer["metadata"]["signature_def"]["signature_def"]
    return {
        name: {side: _tensors(of[side]) for side in ("inputs", "outputs")}
        for name, of in signatures.items()
        if of["inputs"]
    }


def _tensors(infos):
    return {
        name: tensor(name, info["dtype"], [int(d["size"]) for d in info["tensor_shape"]["dim"]])
        for name, info in infos.items()
    }


def _to_json(rows):
    if rows.dtype == object:
        return [{"b64": base64.b64encode(file).decode()} for file in rows]
    return rows.tolist()


def _from_json(name, rows, dtype):
    """An array of a dtype, or of another if it came as that."""
    if dtype == "object":
        return _files(name, rows)
    try:
        array = np.asarray(rows)
    except ValueError as error:
        raise ValueError(f"Expected {name} as rows of one shape. Received: others") from error
    kind = np.dtype(dtype).kind
    if array.dtype.kind not in _READ[kind]:
        return array
    with np.errstate(over="ignore"):
        converted = array.astype(dtype)
    return converted if kind == "f" or np.array_equal(converted, array) else array


def _files(name, rows):
    try:
        return np.array([base64.b64decode(row["b64"], validate=True) for row in rows], "O")
    except (LookupError, TypeError, ValueError) as error:
        raise ValueError(
            f"Expected {name} as files in base64. Received: {printable(repr(rows)[:80])}"
        ) from error
