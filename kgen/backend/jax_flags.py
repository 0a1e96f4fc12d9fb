"""Libraries that XLA hands operations on a CPU to, where they are wrong or slow.

XNNPACK, in jaxlib 0.7.2 to 0.8.1, packs the second matrix of a product once, and knows it again by
its address: a compiled function gives what it gave before a step changed the weights in place.
YNNPACK, to which jaxlib 0.10 gives convolutions, computes those of 64 channels on one core.
"""

import os

import jax
import jaxlib

from kgen.warn import warn

_WITHOUT_XNNPACK = "--xla_cpu_use_xnnpack=false"
_WITHOUT_YNNPACK = "--xla_cpu_experimental_ynn_fusion_type="
_WRONG = ("0.7.2", "0.8.0", "0.8.1")
_SLOW = ("0.10.0", "0.10.1", "0.10.2")  # XLA stops at flags that it does not know


def set_flags():
    """Lets JAX do without them; call it before JAX computes."""
    is_wrong = jaxlib.__version__ in _WRONG
    flags = os.environ.get("XLA_FLAGS", "")
    flag = _WITHOUT_XNNPACK if is_wrong else _WITHOUT_YNNPACK
    if flag in flags or not (is_wrong or jaxlib.__version__ in _SLOW):
        return
    if not jax._src.xla_bridge.backends_are_initialized():
        os.environ["XLA_FLAGS"] = f"{flags} {flag}".strip()
    elif is_wrong and jax.default_backend() == "cpu":
        warn(
            f"Expected XLA_FLAGS={flag} in the environment before JAX computes, or kgen imported "
            f"before: else figures and samples are those of earlier weights. Received: jaxlib "
            f"{jaxlib.__version__}, which has started without it"
        )
