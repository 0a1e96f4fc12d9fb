"""A page to play with a model, which `kgen demo` opens: made of what the model can do.

It is served by Python's own HTTP server and asks nothing of any other machine.
"""

from kgen.demo.command import demo

__all__ = ["demo"]
