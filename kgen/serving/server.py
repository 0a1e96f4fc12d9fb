"""A model's server, asked until a deadline, again after connection errors; answers are checked."""

import itertools
import time

from kgen.checks import number, whole_number
from kgen.serving import signatures
from kgen.serving.addresses import require_address, require_model_name

# The most seconds that a request can have: sockets count milliseconds in 31 bits.
_LONGEST = 10.0**6


class Server:
    """One model of a server, asked by REST or gRPC; the arguments are those of `Client`."""

    def __init__(self, address, model, version, timeout, retries):
        require_address(address)
        require_model_name(model)
        version = whole_number("version", version, at_least=0, optional=True)
        self._address = address
        self._timeout = min(number("timeout", timeout, above=0), _LONGEST)
        self._retries = whole_number("retries", retries, at_least=0)
        if address.startswith("grpc://"):
            from kgen.serving.grpc_api import Grpc as Api
        else:
            from kgen.serving.rest_api import Rest as Api
        self._api = Api(address.removeprefix("grpc://"), model, version)
        self._known = None

    def signatures(self):
        """Those that the model has, which the server is asked for again after an error."""
        if self._known is None:
            self._known = self._ask(self._signatures)
        return self._known

    def predict(self, known, signature, inputs):
        """What a signature answers, checked.

        Args:
            known: what `signatures` gave.
            signature: str. Its name.
            inputs: dict of arrays by name, with a row an image, at most as many as a server takes.

        Returns:
            dict of NumPy arrays by name.
        """
        return self._ask(self._predict, known, signature, inputs)

    def _signatures(self, deadline):
        found = self._api.signatures(deadline)
        signatures.require_plain_names(found)
        return found

    def _predict(self, known, signature, inputs, deadline):
        num = len(next(iter(inputs.values())))
        outputs = known[signature]["outputs"]
        most = signatures.most_values(known, signature, num)
        found = self._api.predict(signature, inputs, outputs, deadline, most)
        for name, (dtype, shape) in outputs.items():
            signatures.require_rows(name, found[name], dtype, shape, num)
        return found

    def _ask(self, call, *args):
        """A call, again after connection errors while its deadline is not over."""
        deadline = time.monotonic() + self._timeout
        for tries in itertools.count(1):
            try:
                return call(*args, deadline)
            except TimeoutError as error:
                raise TimeoutError(
                    f"No answer of {self._address} in time, with timeout={self._timeout} seconds: "
                    f"{error}"
                ) from error
            except ConnectionError as error:
                wait = 0.1 * 2 ** (tries - 1)
                if tries > self._retries or time.monotonic() + wait > deadline:
                    raise ConnectionError(
                        f"No answer of {self._address} after {tries} tries: {error}"
                    ) from error
                time.sleep(wait)
            except signatures.Refusal as error:
                raise ValueError(f"{self._address} refused: {error}{self._forget()}") from error
            except ValueError as error:
                self._forget()
                raise ValueError(f"{self._address} answered wrongly: {error}") from error

    def _forget(self):
        """Asks for the signatures anew the next time, as there may be a new version; says them."""
        known, self._known = self._known, None
        return f"; the model's signatures: {signatures.listed(known)}" if known else ""
