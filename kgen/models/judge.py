"""What an adversary says of one batch, and the gradient of that, each computed once."""

import contextlib

from kgen import backend
from kgen.models import own_losses


class Judge:
    """The logits of examples, as a function of them.

    The network is called once on the batch itself, also where penalties need its gradient there:
    their pass is the loss' own. What layers add in a call on other examples, and what batch
    normalization averages there, does not count.

    Args:
        adversary: `kgen.models.adversary.Adversary`.
        batch: sequence of tensors, what the loss is of.
        y: the condition, or None.
        training: bool.
    """

    def __init__(self, adversary, batch, y, training):
        self._adversary, self._y, self._training = adversary, y, training
        self._batch = list(batch)
        self._outputs = {}
        self._gradients = {}

    def __call__(self, x):
        """The logits (batch, 1)."""
        return self.outputs(x)[0]

    def outputs(self, x):
        """The logits, and the list of features if the network gives them."""
        if id(x) not in self._outputs:
            if not self._is_of_batch(x):
                with own_losses.aside(self._adversary.network):
                    return self._call(x)
            self._outputs[id(x)] = self._call(x)
        return self._outputs[id(x)]

    def gradient(self, x):
        """D sum(logits) / dx, (batch, ...), differentiable."""
        if not self._is_of_batch(x):
            return backend.input_gradient(self, x)
        if id(x) not in self._gradients:
            self._differentiate(x)
        return self._gradients[id(x)]

    def _differentiate(self, x):
        def call(x):
            with own_losses.apart() as own:
                outputs = self._call(x)
            return outputs[0], (outputs, own)

        is_first = id(x) not in self._outputs
        with contextlib.nullcontext() if is_first else own_losses.aside(self._adversary.network):
            gradient, (outputs, own) = backend.input_gradient(call, x, has_aux=True)
        self._gradients[id(x)] = gradient
        if is_first:
            self._outputs[id(x)] = outputs
            own_losses.add(own)

    def _call(self, x):
        return self._adversary.judge(x, self._y, self._training)

    def _is_of_batch(self, x):
        return any(x is each for each in self._batch)
