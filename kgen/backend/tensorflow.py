"""The seam on TensorFlow."""

import keras
import numpy as np
import tensorflow as tf

# keras.ops.moments stops the gradient of the mean, which is then missing in second derivatives.
WRONG_SECOND_DERIVATIVES = (
    keras.layers.BatchNormalization,
    keras.layers.GroupNormalization,
    keras.layers.LayerNormalization,
)

STEPS_PAST_THE_END = True  # what of a step does not depend on the batch runs without one

SCAN_UNROLL = 4  # without XLA a turn of a loop costs as much as a small network in it


class Model(keras.Model):
    """`keras.Model` whose train and test steps are written for every backend at once."""

    def train_step(self, data):
        return self.run_train_step(data)

    def test_step(self, data):
        return self.run_test_step(data)


def value_and_grad(loss_fn, variables, optimizer=None):
    """The loss and its gradients with respect to `variables` and nothing else.

    Args:
        loss_fn: callable without arguments that returns a scalar.
        variables: list of keras.Variable.
        optimizer: the optimizer that scales the loss, if it does.

    Returns:
        The unscaled loss and a list of gradients, zeros where the loss does not depend on the
        variable. Optimizers sum gradients over replicas, so each replica's are divided by
        their number.
    """
    values = [variable.value for variable in variables]
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(values)
        loss = loss_fn()
        scaled_loss = loss if optimizer is None else optimizer.scale_loss(loss)
        scaled_loss /= tf.distribute.get_strategy().num_replicas_in_sync
    gradients = tape.gradient(
        scaled_loss, values, unconnected_gradients=tf.UnconnectedGradients.ZERO
    )
    return loss, gradients


def apply_gradients(optimizer, gradients, variables):
    """Moves `variables` by one step of `optimizer`."""
    optimizer.apply(gradients, variables)


def input_gradient(fn, x):
    """D sum(fn(x)) / dx, itself differentiable with respect to variables and `x`."""
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(x)
        y = fn(x)
    return tape.gradient(y, x)


def conv2d(x, kernel, strides):
    """A convolution (batch, h, w, i) -> (batch, h / strides[0], w / strides[1], o), rounded up.

    Args:
        x: tensor, channels last.
        kernel: tensor (height, width, i, o).
        strides: pair of int.
    """
    return keras.ops.conv(x, kernel, strides, padding="same", data_format="channels_last")


def conv2d_transpose(x, kernel, strides):
    """A transposed convolution (batch, h, w, i) -> (batch, h * strides[0], w * strides[1], o).

    Args:
        x: tensor, channels last.
        kernel: tensor (height, width, o, i).
        strides: pair of int.
    """
    return keras.ops.conv_transpose(x, kernel, strides, padding="same", data_format="channels_last")


def compile_function(model, fn):
    """`fn`, which reads the variables of `model` but changes none, as a compiled function."""
    del model  # a traced function holds the variables themselves
    return tf.function(fn, reduce_retracing=True, autograph=False)


def input_pipeline(dataset):
    """A tf.data.Dataset of the same batches, read many at a time.

    Keras calls Python for each batch of a PyDataset, at up to a millisecond a call. A PyDataset
    that says `reads_in_order`, because its own order is all that counts, is read in blocks.
    """
    if not getattr(dataset, "reads_in_order", False):
        return dataset
    first = dataset[0]
    at_a_time = max(1, min(16, 2**23 // first[0].nbytes))

    def stack(batches):
        return tuple(np.stack(parts) for parts in zip(*batches, strict=True))

    def blocks():
        dataset.on_epoch_begin()
        try:
            batches = []
            for i in range(dataset.num_batches):
                batch = dataset[i]
                if batches and (len(batches) == at_a_time or batch[0].shape != batches[0][0].shape):
                    yield stack(batches)
                    batches = []
                batches.append(batch)
            yield stack(batches)
        finally:
            dataset.on_epoch_end()

    signature = tuple(tf.TensorSpec((None, None, *part.shape[1:]), part.dtype) for part in first)
    pipeline = tf.data.Dataset.from_generator(blocks, output_signature=signature).unbatch()
    pipeline = pipeline.apply(tf.data.experimental.assert_cardinality(len(dataset)))
    options = tf.data.Options()
    # The tuner's thread can miss that an epoch is over, and then sleeps for as long as it lasted.
    options.autotune.enabled = False
    return pipeline.prefetch(at_a_time).with_options(options)


def set_deterministic():
    """Makes the same steps give the same bits, at some cost in speed; call it first of all."""
    tf.config.experimental.enable_op_determinism()
