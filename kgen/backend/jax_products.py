"""Matrix products on JAX' CPU, which jaxlib 0.7.2 to 0.8.1 computes with weights of earlier steps.

XNNPACK packs the second matrix once, and knows it again by its address: a compiled function gives
what it gave before a step changed the weights in place. jaxlib 0.8.2 no longer does so.
"""

import os

import jax
import jaxlib

from kgen.warn import warn

_WRONG = ("0.7.2", "0.8.0", "0.8.1")
_WITHOUT = "--xla_cpu_use_xnnpack=false"


def mend_products():
    """Lets JAX multiply without XNNPACK where that is wrong; call it before JAX computes."""
    flags = os.environ.get("XLA_FLAGS", "")
    if jaxlib.__version__ not in _WRONG or _WITHOUT in flags:
        return
    if not jax._src.xla_bridge.backends_are_initialized():
        os.environ["XLA_FLAGS"] = f"{flags} {_WITHOUT}".strip()
    elif jax.default_backend() == "cpu":
        warn(
            f"Expected XLA_FLAGS={_WITHOUT} in the environment before JAX computes, or kgen "
            "imported before: else figures and samples are those of earlier weights. Received: "
            f"jaxlib {jaxlib.__version__}, which has started without it"
        )
