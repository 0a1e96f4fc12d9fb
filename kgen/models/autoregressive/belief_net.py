"""What the belief nets of dense layers share."""

import math

from keras import ops

from kgen.models.autoregressive.autoregressive_model import AutoregressiveModel
from kgen.networks import OrderedNetwork


class BeliefNet(AutoregressiveModel):
    """An autoregressive model whose network is a `kgen.networks.OrderedNetwork`.

    Of several orders each step takes the next, the likelihood is that of their mixture, and a
    sample is of one of them.
    """

    network_classes = (OrderedNetwork,)
    default_batch_size = 100

    def adapt(self, images):
        """Starts the outputs' biases at what gives the mean image.

        With all other weights at 0 the pixels would be independent. Call it once, before training.

        Args:
            images: array (num, height, width, channels), floats in [0, 1] or integers in 0..255,
                or batches of them such as `kgen.data.load("digits").train`, of which the first
                10,000 images count.
        """
        outputs = self.distribution.output_for(self.mean_image(images))
        self.network.start_outputs_at(outputs)
        self.averaged().start_outputs_at(outputs)

    def _nll(self, x, y, training=False):
        num = len(self.network.orders)
        if training:
            return self._nll_in(self.steps % num, x, y, training)
        log_p = [-self._nll_in(order, x, y) for order in range(num)]
        return math.log(num) - ops.logsumexp(ops.stack(log_p), axis=0)

    def _nll_in(self, order, x, y, training=False):
        network = self.network if training else self.averaged()
        outputs = network(self.join(2.0 * x - 1.0, y), order=order, training=training)
        return self.distribution.nll(x, ops.cast(outputs, "float32"))


def listed(order):
    """An order as a config holds it."""
    return None if order is None else [int(each) for each in order]
