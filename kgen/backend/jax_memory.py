"""Memory that XLA frees on a CPU, which stays with the process for the next step.

XLA takes its temporaries anew in each step. Of the large ones glibc gives the memory back to the
system each time, which takes it in again a page at a time: a third of a DCGAN's step.
"""

import ctypes
import os
import sys

_KEPT = 2**30  # bytes; what is larger is taken from the system and given back as before
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # glibc's numbers of them


def keep_freed_memory():
    """Asks glibc to keep what is freed, unless the environment says otherwise."""
    if not sys.platform.startswith("linux") or any(n.startswith("MALLOC_") for n in os.environ):
        return
    set_option = getattr(ctypes.CDLL(None), "mallopt", None)  # which musl lacks
    if set_option is not None:
        set_option(_MMAP_THRESHOLD, _KEPT)
        set_option(_TRIM_THRESHOLD, _KEPT)
