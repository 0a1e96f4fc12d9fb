"""What distributions of pixels share."""


class Distribution:
    """p(x | parameters) of a pixel and colour, or, where `coupled`, of a pixel's colours together.

    A subclass has `parameters`, `observe`, `nll`, `mean` and `output_for`; one of few levels, which
    autoregressive models draw from, `prepare` and `draw` too.
    """

    coupled = False
    uniforms = 1  # numbers that `draw` takes a pixel and colour

    def num_outputs(self, colors):
        """Numbers that a network gives for a pixel: channel i belongs to colour i mod colors."""
        return self.parameters * colors

    def get_config(self):
        """The arguments that make it, by name."""
        return {}

    @classmethod
    def from_config(cls, config):
        """The distribution that `get_config` is of."""
        return cls(**config)
