"""Numbers that a user may change while a model trains."""

import math
import numbers

import keras
import numpy as np
from keras import ops

from kgen import backend

Schedule = keras.optimizers.schedules.LearningRateSchedule


class Scalar:
    """An attribute of a layer or model: a number, or a schedule over the model's steps.

    A Python number that a compiled step reads is frozen into it. This one is kept in a variable,
    which is saved with the weights, so that `model.beta = 4.0` in a callback holds from the next
    step on. A step reads it by `current`, all others as the attribute: a number, or the schedule.

    Args:
        low: float. The least number.
        high: float. What is not reached, or the greatest number where it is infinite.
        optional: bool. None is taken too.
        above: bool. `low` is not taken itself.

    Example:
    >>> from kgen.models.scalar import Scalar
    >>> class Scaled(keras.layers.Layer):
    ...     factor = Scalar()
    >>> layer = Scaled()
    >>> layer.factor = 2.0
    >>> layer.factor
    2.0
    """

    def __init__(self, low=0.0, high=math.inf, optional=False, above=False):
        self.low = low
        self.high = high
        self.optional = optional
        self.above = above

    def __set_name__(self, owner, name):
        self.name = name

    def __get__(self, layer, owner=None):
        if layer is None:
            return self
        if self.name not in vars(layer).get("_scalars", {}):
            raise AttributeError(self.name)
        given, variable = vars(layer)["_scalars"][self.name]
        if variable is None:
            return given
        if backend.is_traced():
            raise RuntimeError(
                f"Expected {self.name} in a step as self.now({self.name!r}) or "
                f"current(layer, {self.name!r}, step), which follow its changes. Received: its "
                "number, which a compiled step would keep"
            )
        with backend.synchronized():
            value = float(ops.convert_to_numpy(variable))
        return given if np.float32(given) == np.float32(value) else value

    def __set__(self, layer, value):
        self._check(layer, value)
        scalars = vars(layer).setdefault("_scalars", {})
        if self.name not in scalars:
            variable = None
            if isinstance(value, numbers.Real):
                variable = layer.add_weight(
                    shape=(),
                    initializer=keras.initializers.Constant(float(value)),
                    dtype="float32",
                    trainable=False,
                    autocast=False,
                    name=self.name,
                )
            scalars[self.name] = value, variable
            return
        earlier, variable = scalars[self.name]
        if variable is None or not isinstance(value, numbers.Real):
            if value is not earlier:
                raise ValueError(
                    f"Expected {self.name} to stay a number, a schedule or None, as the model was "
                    f"made with. Received: {self.name}={value}, after {earlier}"
                )
            return
        with backend.synchronized():
            variable.assign(float(value))
        scalars[self.name] = value, variable

    def _check(self, layer, value):
        if isinstance(value, Schedule) or (self.optional and value is None):
            return
        is_number = isinstance(value, numbers.Real) and not isinstance(value, bool)
        is_above = is_number and (value > self.low if self.above else value >= self.low)
        if not (is_above and value < self.high):
            limits = f"in [{self.low:g}, {self.high:g})" if self.high < math.inf else "finite"
            least = f" and {'above' if self.above else 'at least'} {self.low:g}"
            at_least = "" if self.high < math.inf else least
            none = " or None" if self.optional else ""
            raise ValueError(
                f"Expected {self.name} of {layer.name} {limits}{at_least}, or a Keras schedule"
                f"{none}. Received: {self.name}={value!r}"
            )


class ScalarOf:
    """A `Scalar` of one of a model's parts, as an attribute of the model.

    Args:
        part: callable from the model to the part, or to None where the model has none.
        name: str. The part's attribute.
        absent: what the attribute is without the part.
    """

    def __init__(self, part, name, absent=None):
        self.part = part
        self.name = name
        self.absent = absent

    def __set_name__(self, owner, name):
        self.own_name = name

    def __get__(self, model, owner=None):
        if model is None:
            return self
        part = self.part(model)
        return self.absent if part is None else getattr(part, self.name)

    def __set__(self, model, value):
        part = self.part(model)
        if part is not None:
            setattr(part, self.name, value)
        elif value != self.absent:
            raise ValueError(
                f"Expected a model made with {self.own_name}, whose step depends on it. Received: "
                f"{self.own_name}={value}, after {self.absent}"
            )


def current(layer, name, step):
    """The value of a `Scalar` in a step, as a float32 tensor or None.

    Args:
        layer: the layer or model with the attribute.
        name: str. The attribute.
        step: int tensor, the steps of the model so far, for a schedule.
    """
    given, variable = vars(layer)["_scalars"][name]
    if variable is not None:
        return ops.convert_to_tensor(variable)
    return None if given is None else ops.cast(given(step), "float32")
