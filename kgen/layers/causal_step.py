"""A causal layer in a loop over pixels: what it keeps, and how it advances by one."""

from keras import ops

from kgen import backend


class PointwiseStep:
    """A layer that looks at one pixel alone: a function of its channels. It keeps nothing.

    Others have these methods too. `rows` is what a layer keeps of the rows above, `left` of the
    pixels to the left, each a nest of tensors with the batch first.

    Args:
        layer: callable of tensors (batch, channels).
    """

    def __init__(self, layer):
        self.layer = layer

    def at(self, row, column):
        """The layer at pixels whose row and column have these remainders of its period."""
        return self

    def start(self, batch_size, width):
        """What is kept above the first row."""
        return ()

    def start_row(self, rows, above):
        """Prepares a row.

        Args:
            rows: what is kept of the rows above.
            above: tensor (batch, width, channels) that the layer before gives for the whole row, of
                the rows above alone; None if it gives none.

        Returns:
            `rows` with this one if it is known already, `above` for the next layer, the nest of
            tensors (batch, width, ...) that the row's pixels use, and `left` of the first pixel.
        """
        return rows, above, (), ()

    def advance(self, x, prepared, left):
        """One pixel.

        Args:
            x: tensor (batch, channels), the pixel.
            prepared: the nest of `start_row` at this pixel.
            left: what is kept of the pixels to the left.

        Returns:
            The layer's output (batch, channels), and `left` for the next pixel.
        """
        return self.layer(x), ()

    def end_row(self, rows, lefts):
        """What is kept once a row is made.

        Args:
            rows: what is kept of the rows above it.
            lefts: what `advance` returned as `left` at all its pixels, (batch, width, ...) each.
        """
        return rows


class SequenceStep(PointwiseStep):
    """Layers one after the other.

    Args:
        steps: list of steps.
    """

    def __init__(self, steps):
        self.steps = steps

    def at(self, row, column):
        return type(self)([step.at(row, column) for step in self.steps])

    def start(self, batch_size, width):
        return tuple(step.start(batch_size, width) for step in self.steps)

    def start_row(self, rows, above):
        results = []
        for step, own_rows in zip(self.steps, rows, strict=True):
            own_rows, above, prepared, left = step.start_row(own_rows, above)
            results.append((own_rows, prepared, left))
        rows, prepared, left = zip(*results, strict=True)
        return rows, above, prepared, left

    def advance(self, x, prepared, left):
        lefts = []
        for step, own_prepared, own_left in zip(self.steps, prepared, left, strict=True):
            x, own_left = step.advance(x, own_prepared, own_left)
            lefts.append(own_left)
        return x, tuple(lefts)

    def end_row(self, rows, lefts):
        return tuple(
            step.end_row(own_rows, own_lefts)
            for step, own_rows, own_lefts in zip(self.steps, rows, lefts, strict=True)
        )


class ResidualStep(SequenceStep):
    """Layers one after the other, whose input is added to their output."""

    def advance(self, x, prepared, left):
        y, left = super().advance(x, prepared, left)
        return x + y, left


class ConvolutionStep(PointwiseStep):
    """A masked convolution, of whose kernel the rows above are used once a row.

    Args:
        above: tensor (rows, width, inputs, outputs), the kernel's rows above; they begin as far to
            the left as its own row.
        here: tensor (num_left or num_left + 1, inputs, outputs), its own row, without the pixel or
            up to it.
        num_left: int. Pixels to the left that the kernel sees.
        bias: tensor (outputs,).
        activation: callable.
    """

    def __init__(self, above, here, num_left, bias, activation):
        width, self.inputs, outputs = here.shape
        self.num_rows, self.num_left = above.shape[0], num_left
        self.sees_pixel = width > num_left
        self.above = above
        self.kernel = ops.reshape(here, (-1, outputs))
        self.bias = bias
        self.activation = activation

    def start(self, batch_size, width):
        return ops.zeros((batch_size, self.num_rows, width, self.inputs), self.kernel.dtype)

    def start_row(self, rows, above):
        # The last pixel is kept in any case, for the rows below.
        kept = max(self.num_left, 1) * self.inputs
        left = ops.zeros((ops.shape(rows)[0], kept), self.kernel.dtype)
        if self.num_rows:
            num_right = self.above.shape[1] - 1 - self.num_left
            padded = ops.pad(rows, ((0, 0), (0, 0), (self.num_left, num_right), (0, 0)))
            sums = ops.conv(padded, self.above, padding="valid", data_format="channels_last")
            sums = ops.squeeze(sums, 1)
        else:
            batch, _, width, _ = ops.shape(rows)
            sums = ops.zeros((batch, width, self.kernel.shape[1]), self.kernel.dtype)
        return rows, above, sums + self.bias, left

    def advance(self, x, prepared, left):
        window = ops.concatenate([left, x], axis=-1) if self.num_left else x
        seen = window if self.sees_pixel else left
        y = self.activation(backend.linear(seen, self.kernel, prepared))
        return y, (x if self.num_left <= 1 else window[:, self.inputs :])

    def end_row(self, rows, lefts):
        if not rows.shape[1]:
            return rows
        row = lefts[..., -self.inputs :]  # the pixel itself is the last that it left
        return ops.concatenate([rows[:, 1:], row[:, None]], axis=1)
