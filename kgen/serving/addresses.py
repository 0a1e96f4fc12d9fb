"""Where a model is served."""

import re

_ADDRESS = re.compile(
    r"((https?|grpc)://)?"
    r"([^\s/:@?#\[\]]+|\[[0-9a-fA-F:.]+\])"  # a host, or an IPv6 address
    r"(:(?P<port>[0-9]{1,5}))?"
    r"(/[^\s?#]*)?"
)


def require_address(address):
    """Raises a ValueError for what is no server's address.

    Args:
        address: str.
    """
    found = isinstance(address, str) and address.isprintable() and _ADDRESS.fullmatch(address)
    if not found or int(found["port"] or 0) > 65535:
        raise ValueError(
            "Expected address as host:port, with http://, https:// or grpc:// before it or not. "
            f"Received: address={address!r:.80}"
        )


def require_model_name(model):
    """Raises a ValueError for what a server calls no model that kgen exported.

    Args:
        model: str.
    """
    if not isinstance(model, str) or not re.fullmatch(r"[\w.-]+", model):
        raise ValueError(
            "Expected model as its name on the server, of letters, digits, '_', '.' and '-'. "
            f"Received: model={model!r:.80}"
        )
