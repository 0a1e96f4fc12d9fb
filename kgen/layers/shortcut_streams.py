"""The two streams of PixelCNN++, with short-cuts across scales."""

import keras
from keras import ops

from kgen import backend
from kgen.layers.causal_step import PointwiseStep
from kgen.layers.convolution import Conv2DTranspose
from kgen.layers.masked_conv2d import MaskedConv2D
from kgen.layers.shifted_conv2d import ShiftedConv2D
from kgen.layers.shortcut_block import ShortcutBlock


@keras.saving.register_keras_serializable("kgen")
class ShiftedStem(keras.layers.Layer):
    """The first layer of PixelCNN++: what is above a pixel, and what is above and to its left.

    A channel of ones beside the image tells its border from black. A pixel's own colours are not
    seen, none of them by another.

    Args:
        filters: int. Channels of each stream.

    Call:
        image: tensor (batch, height, width, channels).

    Returns:
        Both streams (batch, height, width, filters): that of all before the pixel, and that of the
        rows above.

    Reference: Salimans et al., PixelCNN++: Improving the PixelCNN with Discretized Logistic Mixture
    Likelihood and Other Modifications, 2017. https://arxiv.org/abs/1701.05517
    """

    mask = "A"
    sees_colors = False

    def __init__(self, filters, **kwargs):
        super().__init__(**kwargs)
        self.filters = filters
        self.above = ShiftedConv2D(filters, (2, 3), dtype=self.dtype_policy)
        self.before = MaskedConv2D(filters, 3, "A", dtype=self.dtype_policy)

    def build(self, image_shape, above_shape=None, code_shape=None):
        shape = (*image_shape[:-1], image_shape[-1] + 1)
        self.above.build(shape)
        self.before.build(shape)

    def call(self, image, above=None, code=None):
        x = with_ones(image)
        rows = ops.pad(x[:, :-1], ((0, 0), (1, 0), (0, 0), (0, 0)))
        return self.before(x), self.above(rows)

    def compute_output_shape(self, image_shape, above_shape=None, code_shape=None):
        shape = (*image_shape[:-1], self.filters)
        return shape, shape

    def step(self, code=None):
        """The layer in a loop over pixels, with its weights as they are now."""
        return StemStep(self)

    def get_config(self):
        return super().get_config() | {"filters": self.filters}


def with_ones(x):
    """A channel of ones beside the others."""
    return ops.concatenate([x, ops.ones_like(x[..., :1])], axis=-1)


class StemStep(PointwiseStep):
    """A `ShiftedStem` in a loop over pixels, which keeps two rows of the image."""

    def __init__(self, stem):
        self.stem = stem
        self.before = stem.before.step()

    def start(self, batch_size, width):
        shape = (batch_size, 2, width, self.before.inputs)
        return ops.zeros(shape, self.before.kernel.dtype)

    def start_row(self, rows, above):
        _, _, sums, left = self.before.start_row(rows[:, 1:], None)
        return rows, self.stem.above.of_rows(rows)[:, 0], sums, left

    def advance(self, x, prepared, left):
        return self.before.advance(with_ones(x), prepared, left)

    def end_row(self, rows, lefts):
        return self.before.end_row(rows, lefts)


@keras.saving.register_keras_serializable("kgen")
class ShortcutStreams(keras.layers.Layer):
    """Residual blocks at several scales, down to the coarsest and up again, with short-cuts.

    Each output of the way down, the first among them, is a short-cut into a block of the way up.
    The stream of the rows above goes by itself, and into each block of the other.

    Args:
        filters: int. Channels of each stream.
        blocks: int. Residual blocks of a scale on the way down.
        scales: int. The first is that of the image, each further one of half the height and width,
            which are multiples of 2 ** (scales - 1). Defaults to 3.
        dropout: float in [0, 1), of the blocks. Defaults to 0.

    Call:
        x: tensor (batch, height, width, filters), the stream of all before a pixel.
        above: tensor of that shape, the stream of the rows above.
        code: the condition's code (batch, n), or None.

    Returns:
        Both streams.

    Reference: Salimans et al., PixelCNN++: Improving the PixelCNN with Discretized Logistic Mixture
    Likelihood and Other Modifications, 2017. https://arxiv.org/abs/1701.05517
    """

    def __init__(self, filters, blocks, scales=3, dropout=0.0, **kwargs):
        super().__init__(**kwargs)
        self.filters = filters
        self.blocks = blocks
        self.scales = scales
        self.rate = dropout
        self.period = 2 ** (scales - 1)
        policy = {"dtype": self.dtype_policy}
        same = {"padding": "same", "data_format": "channels_last"}
        kernels = (2, 2), (2, 3)  # of the stream of all before a pixel, of that of the rows above

        def pairs(num):
            return [
                [ShortcutBlock(filters, kernel, dropout, **policy) for kernel in kernels]
                for _ in range(num)
            ]

        self.down = [pairs(blocks) for _ in range(scales)]
        self.up = [pairs(blocks + (scale < scales - 1)) for scale in range(scales)]
        self.smaller = [
            [ShiftedConv2D(filters, kernel, strides=2, **policy) for kernel in kernels]
            for _ in range(scales - 1)
        ]
        self.larger = [
            [Conv2DTranspose(filters, kernel, 2, **same, **policy) for kernel in kernels]
            for _ in range(scales - 1)
        ]

    def build(self, x_shape, above_shape, code_shape=None):
        batch, height, width, filters = x_shape
        for scale in range(self.scales):
            factor = 2**scale
            shape = (batch, height // factor, width // factor, filters)
            both = (*shape[:-1], 2 * filters)
            for before, above in self.down[scale]:
                before.build(shape, shape, code_shape)
                above.build(shape, None, code_shape)
            for before, above in self.up[scale]:
                before.build(shape, both, code_shape)
                above.build(shape, shape, code_shape)
            if scale < self.scales - 1:
                for layer in (*self.smaller[scale], *self.larger[scale]):
                    layer.build(shape)

    def call(self, x, above, code=None, training=False):
        xs, aboves = [x], [above]
        for scale in range(self.scales):
            for of_x, of_above in self.down[scale]:
                above = of_above(above, None, code, training=training)
                x = of_x(x, above, code, training=training)
                xs.append(x)
                aboves.append(above)
            if scale < self.scales - 1:
                to_x, to_above = self.smaller[scale]
                x, above = to_x(x), to_above(above)
                xs.append(x)
                aboves.append(above)
        x, above = xs.pop(), aboves.pop()
        for scale in reversed(range(self.scales)):
            if scale < self.scales - 1:
                to_x, to_above = self.larger[scale]
                x, above = to_x(x), to_above(above)
            for of_x, of_above in self.up[scale]:
                above = of_above(above, aboves.pop(), code, training=training)
                skip = ops.concatenate([above, xs.pop()], axis=-1)
                x = of_x(x, skip, code, training=training)
        return x, above

    def compute_output_shape(self, x_shape, above_shape, code_shape=None):
        return x_shape, above_shape

    def step(self, code=None):
        """The layer in a loop over pixels, with its weights as they are now."""
        return StreamsStep(self, code)

    def get_config(self):
        return super().get_config() | {
            "filters": self.filters,
            "blocks": self.blocks,
            "scales": self.scales,
            "dropout": self.rate,
        }


class StreamsStep(PointwiseStep):
    """`ShortcutStreams` in a loop over pixels.

    A scale has work where row and column are multiples of its size. What a pixel of it gives to the
    four that it covers waits for them: a number to the right, and a row below. What is kept of a
    scale is a tuple: of its blocks down, its blocks up, the way to the coarser scale, and the way
    back from there.
    """

    def __init__(self, streams, code, steps=None, row=0, column=0):
        self.streams, self.code = streams, code
        self.steps = steps or [
            (
                [x.step(code) for x, _ in streams.down[scale]],
                [x.step(code) for x, _ in streams.up[scale]],
                streams.smaller[scale][0].step() if scale < streams.scales - 1 else None,
                FourPixels(streams.larger[scale][0]) if scale < streams.scales - 1 else None,
            )
            for scale in range(streams.scales)
        ]
        sizes = [2**scale for scale in range(streams.scales)]
        self.num_in_row = sum(row % size == 0 for size in sizes)  # scales that have work
        self.num_here = min(self.num_in_row, sum(column % size == 0 for size in sizes))

    def at(self, row, column):
        return StreamsStep(self.streams, self.code, self.steps, row, column)

    def start(self, batch_size, width):
        streams, rows = self.streams, []
        dtype, filters = streams.compute_dtype, streams.filters
        for scale, (down, up, smaller, _) in enumerate(self.steps):
            width_here = width // 2**scale
            of_x = [
                tuple(step.start(batch_size, width_here) for step in each) for each in (down, up)
            ]
            of_above = [
                tuple(above.start_of_rows(batch_size, width_here) for _, above in pairs)
                for pairs in (streams.down[scale], streams.up[scale])
            ]
            if smaller is not None:
                waiting = ops.zeros((batch_size, width_here, filters), dtype)
                of_x += [smaller.start(batch_size, width_here), waiting]
                of_above += [waiting[:, None], waiting]
            rows.append((tuple(of_x), tuple(of_above)))
        return tuple(rows)

    def start_row(self, rows, above):
        streams, code = self.streams, self.code
        rows_of_x, rows_of_above = (
            [list(each) for each in both] for both in zip(*rows, strict=True)
        )
        prepared = [[(), (), (), ()] for _ in range(self.num_in_row)]
        left = [[(), (), (), ()] for _ in range(self.num_in_row)]
        skips = [above]

        def go_through(scale, part, above, shortcuts):
            pairs = (streams.down, streams.up)[part][scale]
            of_above, of_x = [], []
            for i, (_, block) in enumerate(pairs):
                skip = None if shortcuts is None else shortcuts.pop()
                above, kept = block.of_row(above, skip, code, rows_of_above[scale][part][i])
                of_above.append(kept)
                of_x.append(self.steps[scale][part][i].start_row(rows_of_x[scale][part][i], above))
                if shortcuts is None:
                    skips.append(above)
            rows_of_above[scale][part] = tuple(of_above)
            kept, _, prepared[scale][part], left[scale][part] = zip(*of_x, strict=True)
            rows_of_x[scale][part] = kept
            return above

        for scale in range(self.num_in_row):
            above = go_through(scale, 0, above, None)
            if scale == streams.scales - 1:
                continue
            seen = ops.concatenate([rows_of_above[scale][2], above[:, None]], axis=1)
            rows_of_above[scale][2] = seen[:, 1:]
            rows_of_x[scale][2], _, prepared[scale][2], left[scale][2] = self.steps[scale][
                2
            ].start_row(rows_of_x[scale][2], None)
            if scale + 1 < self.num_in_row:
                above = streams.smaller[scale][1].of_rows(seen)[:, 0]
                skips.append(above)
        if self.num_in_row == streams.scales:
            above = skips.pop()
        for scale in reversed(range(self.num_in_row)):
            if scale + 1 < self.num_in_row:
                two = streams.larger[scale][1](above[:, None])
                above, rows_of_above[scale][3] = two[:, 0], two[:, 1]
                left[scale][3] = ops.tile(ops.zeros_like(above[:, 0]), (1, 4))
            elif scale < streams.scales - 1:
                above, prepared[scale][3] = rows_of_above[scale][3], rows_of_x[scale][3]
            above = go_through(scale, 1, above, skips)
        rows = zip(map(tuple, rows_of_x), map(tuple, rows_of_above), strict=True)
        prepared = tuple(_spread(tuple(each), 2**scale) for scale, each in enumerate(prepared))
        return tuple(rows), above, prepared, tuple(map(tuple, left))

    def advance(self, x, prepared, left):
        left, filters, top = [list(each) for each in left], self.streams.filters, self.num_here - 1
        skips = [x]

        def go_through(scale, part, x, shortcuts):
            kept = []
            for step, own, own_left in zip(
                self.steps[scale][part], prepared[scale][part], left[scale][part], strict=True
            ):
                skip = () if shortcuts is None else (shortcuts.pop(),)
                x, own_left = step.advance(x, own, own_left, *skip)
                kept.append(own_left)
                if shortcuts is None:
                    skips.append(x)
            left[scale][part] = tuple(kept)
            return x

        for scale in range(self.num_here):
            x = go_through(scale, 0, x, None)
            before, smaller = left[scale][2], self.steps[scale][2]
            if smaller is not None:
                left[scale][2] = x
            if scale < top:
                x, _ = smaller.advance(x, prepared[scale][2], before)
                skips.append(x)
        if self.num_here == self.streams.scales:
            x = skips.pop()
        for scale in reversed(range(self.num_here)):
            if scale < top:
                left[scale][3] = self.steps[scale][3](x)
                x = left[scale][3][:, :filters]
            elif scale + 1 < self.num_in_row:
                x = left[scale][3][:, filters : 2 * filters]
            elif scale < self.streams.scales - 1:
                x = prepared[scale][3]
            x = go_through(scale, 1, x, skips)
        return x, tuple(map(tuple, left))

    def end_row(self, rows, lefts):
        ended = list(rows)
        for scale in range(self.num_in_row):
            (down, up, *ways), of_above = rows[scale]
            of_x = []
            for part, own in enumerate((down, up)):
                steps = self.steps[scale][part]
                own_lefts = _thinned(lefts[scale][part], 2**scale)
                of_x.append(
                    tuple(
                        step.end_row(*each)
                        for step, *each in zip(steps, own, own_lefts, strict=True)
                    )
                )
            if ways:
                smaller = self.steps[scale][2]
                of_x.append(smaller.end_row(ways[0], _thinned(lefts[scale][2], 2**scale)))
                waiting = ways[1]
                if scale + 1 < self.num_in_row:
                    four = lefts[scale][3][:, :: 2 ** (scale + 1)]
                    waiting = ops.reshape(four[..., four.shape[-1] // 2 :], ops.shape(waiting))
                of_x.append(waiting)
            ended[scale] = tuple(of_x), of_above
        return tuple(ended)


class FourPixels:
    """A transposed convolution of 2x2 and strides of 2, of one pixel: four, side by side.

    Args:
        layer: `kgen.layers.Conv2DTranspose`.
    """

    def __init__(self, layer):
        kernel = ops.cast(layer.kernel, layer.compute_dtype)  # (2, 2, outputs, inputs)
        self.kernel = ops.transpose(ops.reshape(kernel, (-1, kernel.shape[-1])))
        self.bias = ops.tile(ops.cast(layer.bias, layer.compute_dtype), 4)

    def __call__(self, x):
        return backend.linear(x, self.kernel, self.bias)


def _spread(nest, num):
    """Each column so many times."""
    if isinstance(nest, tuple):
        return tuple(_spread(each, num) for each in nest)
    return nest if num == 1 else ops.repeat(nest, num, axis=1)


def _thinned(nest, num):
    """One column of so many."""
    if isinstance(nest, tuple):
        return tuple(_thinned(each, num) for each in nest)
    return nest[:, ::num]
