"""Learning rates: schedules that are scaled, and those that change while a model trains."""

import keras
from keras import ops

from kgen import backend
from kgen.checks import number

Schedule = keras.optimizers.schedules.LearningRateSchedule


@keras.saving.register_keras_serializable("kgen")
class ScaledSchedule(Schedule):
    """A schedule of any kind, times a factor.

    Args:
        schedule: keras.optimizers.schedules.LearningRateSchedule, or a callable without arguments.
        factor: float.

    Example:
    >>> from kgen.models.learning_rates import ScaledSchedule
    >>> steps = keras.optimizers.schedules.PiecewiseConstantDecay([10], [0.5, 0.25])
    >>> float(ScaledSchedule(steps, 0.5)(20))
    0.125
    """

    def __init__(self, schedule, factor):
        self.schedule = schedule
        self.factor = factor

    def __call__(self, step):
        return self.factor * scheduled(self.schedule, step)

    def get_config(self):
        schedule = keras.saving.serialize_keras_object(self.schedule)
        return {"schedule": schedule, "factor": self.factor}

    @classmethod
    def from_config(cls, config):
        return cls(keras.saving.deserialize_keras_object(config["schedule"]), config["factor"])


@keras.saving.register_keras_serializable("kgen")
class AdjustableRate:
    """A schedule in an optimizer, which a compiled step can scale or replace by a number.

    The rate is  factor * schedule(step) + number,  of which factor and number are variables of the
    optimizer, saved with it. In a config it is the schedule alone. Keras calls it without arguments
    and hands a number that is set to `assign`.

    Args:
        optimizer: keras.optimizers.Optimizer with a schedule or a callable, whose rate it becomes.
    """

    def __init__(self, optimizer):
        def variable(name, initializer):
            return optimizer.add_variable(
                shape=(),
                initializer=initializer,
                dtype="float32",
                aggregation="only_first_replica",
                name=name,
            )

        self.schedule = optimizer._learning_rate
        self._optimizer = optimizer
        self._factor = variable("learning_rate_factor", "ones")
        self._number = variable("learning_rate_number", "zeros")
        optimizer.learning_rate = self

    def __call__(self):
        rate = scheduled(self.schedule, self._optimizer._iterations)
        return self._factor * rate + self._number

    def assign(self, rate):
        """Puts a number in the place of the schedule.

        Raises:
            ValueError: it is not finite, or below 0.
        """
        rate = require_rate(rate)
        with backend.synchronized():
            self._factor.assign(0.0)
            self._number.assign(rate)

    def scale(self, factor):
        """Multiplies the rate of all steps to come."""
        for variable in (self._factor, self._number):
            variable.assign(factor * variable)

    def get_config(self):
        return {"schedule": keras.saving.serialize_keras_object(self.schedule)}

    @classmethod
    def from_config(cls, config):
        """The schedule itself, for another optimizer."""
        return keras.saving.deserialize_keras_object(config["schedule"])


def scheduled(schedule, step):
    """What a schedule gives at a step, or a callable whenever it is called."""
    return schedule(step) if isinstance(schedule, Schedule) else schedule()


def innermost(optimizer):
    """The optimizer that moves variables, inside of a loss scale."""
    return getattr(optimizer, "inner_optimizer", optimizer)


def given_rate(optimizer):
    """The learning rate that an optimizer was made with: a number now, a schedule or a callable."""
    rate = innermost(optimizer)._learning_rate
    if isinstance(rate, AdjustableRate):
        return rate.schedule
    return to_float(rate) if isinstance(rate, keras.Variable) else rate


def first_rate(given):
    """The rate of the first step, as a number."""
    return given if isinstance(given, float) else to_float(scheduled(given, ops.zeros((), "int32")))


def require_rate(rate):
    """A learning rate that is set, a number or a scalar tensor: finite and at least 0, as float."""
    return number(
        "learning_rate", to_float(rate) if hasattr(rate, "__array__") else rate, at_least=0.0
    )


def to_float(x):
    """The number that a scalar tensor holds."""
    return float(ops.convert_to_numpy(x))


def make_adjustable(optimizer):
    """Lets an optimizer's learning rate be scaled and set, whatever it was made with."""
    optimizer = innermost(optimizer)
    if not isinstance(optimizer._learning_rate, (keras.Variable, AdjustableRate)):
        AdjustableRate(optimizer)


def scale(optimizer, factor):
    """Multiplies an optimizer's learning rate of all steps to come."""
    rate = innermost(optimizer)._learning_rate
    if isinstance(rate, AdjustableRate):
        rate.scale(factor)
    else:
        rate.assign(factor * rate)
