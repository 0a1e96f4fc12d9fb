"""A loop over the pixels of a row."""

from keras import ops

from kgen import backend


def scan_row(advance, state, row, period=1):
    """Runs a function over the pixels of a row, each after the one to its left.

    Args:
        advance: callable of the pixel's number modulo `period`, the state and `row` at the pixel;
            returns the next state.
        state: nest of tuples of tensors (batch, ...).
        row: nest of tuples of tensors (batch, width, ...).
        period: int, of which the width is a multiple.

    Returns:
        The state after each pixel, a nest of tensors (batch, width, ...).
    """
    tensors = _flatten(row)
    if not backend.SCAN_UNROLL:
        return _in_python(advance, state, row, tensors, period)
    width, most = tensors[0].shape[1], max(backend.SCAN_UNROLL, period)
    num = max(n for n in range(period, most + 1, period) if width % n == 0)

    def turn(states, pixels):
        before, made = _pack(state, (t[-1] for t in states)), []
        for i, pixel in enumerate(zip(*(ops.unstack(t, num) for t in pixels), strict=True)):
            before = advance(i % period, before, _pack(row, iter(pixel)))
            made.append(_flatten(before))
        states = [ops.stack(each) for each in zip(*made, strict=True)]
        return states, states

    start = [ops.stack([t] * num) for t in _flatten(state)]
    _, states = ops.scan(turn, start, [_in_turns(t, num) for t in tensors])
    return _pack(state, map(_in_a_row, states))


def _in_python(advance, state, row, tensors, period):
    states = []
    with backend.small_operations():
        for i, pixel in enumerate(zip(*(ops.unstack(t, axis=1) for t in tensors), strict=True)):
            state = advance(i % period, state, _pack(row, iter(pixel)))
            states.append(_flatten(state))
    return _pack(state, (ops.stack(each, axis=1) for each in zip(*states, strict=True)))


def _in_turns(t, num):
    """(batch, width, ...) as (width / num, num, batch, ...)."""
    width, *rest = ops.shape(t := ops.swapaxes(t, 0, 1))
    return ops.reshape(t, (width // num, num, *rest))


def _in_a_row(t):
    """(turns, num, batch, ...) as (batch, width, ...)."""
    turns, num, *rest = ops.shape(t)
    return ops.swapaxes(ops.reshape(t, (turns * num, *rest)), 0, 1)


# On PyTorch keras.tree would take as much time as the layers.
def _flatten(nest):
    if not isinstance(nest, tuple):
        return [nest]
    return [leaf for each in nest for leaf in _flatten(each)]


def _pack(like, leaves):
    if not isinstance(like, tuple):
        return next(leaves)
    return tuple(_pack(each, leaves) for each in like)
