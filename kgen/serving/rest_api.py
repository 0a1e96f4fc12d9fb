"""TensorFlow Serving's REST API, with the standard library alone."""

import base64
import http.client
import json
import urllib.error
import urllib.request

import numpy as np

DTYPES = {
    "DT_BOOL": "bool",
    "DT_FLOAT": "float32",
    "DT_INT32": "int32",
    "DT_INT64": "int64",
    "DT_STRING": "object",
}


class Rest:
    """One model of a server.

    Args:
        address: str. "host:port", with "http://" or "https://" before it or not.
        model: str.
        version: int or None.
        timeout: float, in seconds.
    """

    def __init__(self, address, model, version, timeout):
        server = address if "://" in address else f"http://{address}"
        self._url = f"{server.rstrip('/')}/v1/models/{model}"
        if version is not None:
            self._url += f"/versions/{version}"
        self._timeout = timeout

    def signatures(self):
        answer = self._ask("/metadata")
        signatures = answer["metadata"]["signature_def"]["signature_def"]
        return {
            name: {side: _tensors(of[side]) for side in ("inputs", "outputs")}
            for name, of in signatures.items()
            if of["inputs"]
        }

    def predict(self, signature, inputs, outputs):
        body = {
            "signature_name": signature,
            "inputs": {name: _to_json(rows) for name, rows in inputs.items()},
        }
        found = self._ask(":predict", body)["outputs"]
        if len(outputs) == 1:  # whose name the server leaves out
            found = dict.fromkeys(outputs, found)
        return {
            name: _from_json(found[name], dtype, shape) for name, (dtype, shape) in outputs.items()
        }

    def _ask(self, end, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self._url + end, data)
        try:
            with urllib.request.urlopen(request, timeout=self._timeout) as response:
                return json.load(response)
        except urllib.error.HTTPError as error:
            text = error.read().decode(errors="replace")
            if error.code == 503:
                raise ConnectionError(text) from error
            raise ValueError(error_message(text)) from error
        except (urllib.error.URLError, http.client.HTTPException, ConnectionError) as error:
            reason = getattr(error, "reason", error)
            if isinstance(reason, TimeoutError):
                raise self._too_slow() from error
            raise ConnectionError(str(reason)) from error
        except TimeoutError as error:
            raise self._too_slow() from error

    def _too_slow(self):
        return TimeoutError(f"No answer from {self._url} within {self._timeout} seconds.")


def error_message(text):
    """The server's own words, from `{"error": ...}`; its escapes are not always JSON's."""
    try:
        return json.loads(text)["error"]
    except (ValueError, KeyError, TypeError):
        return text.strip()


def _tensors(infos):
    return {
        name: (DTYPES[info["dtype"]], tuple(_size(d) for d in info["tensor_shape"]["dim"]))
        for name, info in infos.items()
    }


def _size(dimension):
    size = int(dimension["size"])
    return None if size < 0 else size


def _to_json(rows):
    if rows.dtype == object:
        return [{"b64": base64.b64encode(file).decode()} for file in rows]
    return rows.tolist()


def _from_json(found, dtype, shape):
    if dtype == "object":
        return np.array([base64.b64decode(file["b64"]) for file in found], "O")
    return np.array(found, dtype).reshape(-1, *shape[1:])
