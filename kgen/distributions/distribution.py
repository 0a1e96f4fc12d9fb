"""What distributions of pixels share."""

from keras import ops


class Distribution:
    """p(x | parameters) of a pixel and colour, or, where `coupled`, of a pixel's colours together.

    A subclass has `parameters`, `nll`, `mean` and `output_for`; one of few levels, which
    autoregressive models draw from, `levels`, `prepare` and `draw`; another `observe`.
    """

    coupled = False
    unbounded = False  # whether parameters are of any size, so that a network cannot end in sigmoid
    uniforms = 1  # numbers that `draw` takes a pixel and colour

    def num_outputs(self, colors):
        """Numbers that a network gives for a pixel: channel i belongs to colour i mod colors."""
        return self.parameters * colors

    def observe(self, x, noise):
        """Images in [0, 1] as the network and `nll` take them: of 2 levels drawn, else rounded.

        Args:
            x: tensor (batch, height, width, channels).
            noise: `kgen.noise.Noise`.
        """
        if self.levels == 2:
            return ops.cast(ops.less(noise.uniform(ops.shape(x)), x), "float32")
        return ops.round(x * (self.levels - 1)) / (self.levels - 1)

    def get_config(self):
        """The arguments that make it, by name."""
        return {}

    @classmethod
    def from_config(cls, config):
        """The distribution that `get_config` is of."""
        return cls(**config)
