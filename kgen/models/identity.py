"""When two functions are the same to whoever compiles them."""

import inspect


def identity(function):
    """What makes a function another one: its code, its defaults, what it is bound to and encloses.

    A function that is defined in another is a new object in each call of that one. It is known by
    this, as long as somebody holds what it encloses.

    Args:
        function: callable.

    Returns:
        A hashable object.
    """
    if not hasattr(function, "__code__"):
        return id(function)
    enclosed = (cell.cell_contents for cell in function.__closure__ or ())
    held = (*enclosed, *(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values())
    return (function.__code__, id(getattr(function, "__self__", None)), *map(_of_value, held))


def _of_value(value):
    if inspect.isroutine(value):
        return identity(value)
    return type(value), value if isinstance(value, (bool, int, float, str)) else id(value)
