"""How a label enters a network."""

import keras


def label_input(num_classes):
    """A label's `keras.Input` of shape () and its one-hot code of shape (num_classes,)."""
    label = keras.Input((), dtype="int32", name="label")
    # Integers go through the layer's dtype, where half precision would round them.
    encoding = keras.layers.CategoryEncoding(num_classes, output_mode="one_hot", dtype="float32")
    one_hot = encoding(label)
    return label, one_hot


def join_label(x, num_classes):
    """Concatenates a label's one-hot code to `x`, of shape (batch, features).

    Args:
        x: symbolic tensor of shape (batch, features).
        num_classes: int, or None for a network without labels.

    Returns:
        The joined tensor and the list of inputs that came with it, empty without labels.
    """
    if num_classes is None:
        return x, []
    label, one_hot = label_input(num_classes)
    return keras.layers.Concatenate()([x, one_hot]), [label]


def build(inputs, outputs, name):
    """A functional model that takes one tensor, or the list of an input and a label."""
    return keras.Model(inputs if len(inputs) > 1 else inputs[0], outputs, name=name)
