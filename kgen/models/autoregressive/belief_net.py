"""What the belief nets of dense layers share."""

from kgen.models.autoregressive.autoregressive_model import AutoregressiveModel
from kgen.networks import OrderedNetwork


class BeliefNet(AutoregressiveModel):
    """An autoregressive model whose network is a `kgen.networks.OrderedNetwork`."""

    network_class = OrderedNetwork
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
        self.averaged.start_outputs_at(outputs)


def listed(order):
    """An order as a config holds it."""
    return None if order is None else [int(each) for each in order]
