"""The Inception network that Frechet inception distances and inception scores are defined by."""

import keras

# Of each block: its branches, each a sequence of convolutions (name, channels, kernel size) or, as
# its last, a list of two that stand side by side; what it pools by; the channels that the pooled
# have, None where they stay as they are; and the strides of each branch's last.


def _a(pooled):
    return (
        [("branch1x1", 64, 1)],
        [("branch5x5_1", 48, 1), ("branch5x5_2", 64, 5)],
        [("branch3x3dbl_1", 64, 1), ("branch3x3dbl_2", 96, 3), ("branch3x3dbl_3", 96, 3)],
    ), ("mean", pooled, 1)


def _c(inner):
    wide, high = (1, 7), (7, 1)
    return (
        [("branch1x1", 192, 1)],
        [("branch7x7_1", inner, 1), ("branch7x7_2", inner, wide), ("branch7x7_3", 192, high)],
        [
            ("branch7x7dbl_1", inner, 1),
            ("branch7x7dbl_2", inner, high),
            ("branch7x7dbl_3", inner, wide),
            ("branch7x7dbl_4", inner, high),
            ("branch7x7dbl_5", 192, wide),
        ],
    ), ("mean", 192, 1)


def _e(pooling):
    def both(name):
        return [(f"{name}a", 384, (1, 3)), (f"{name}b", 384, (3, 1))]

    return (
        [("branch1x1", 320, 1)],
        [("branch3x3_1", 384, 1), both("branch3x3_2")],
        [("branch3x3dbl_1", 448, 1), ("branch3x3dbl_2", 384, 3), both("branch3x3dbl_3")],
    ), (pooling, 192, 1)


_B = (
    (
        [("branch3x3", 384, 3)],
        [("branch3x3dbl_1", 64, 1), ("branch3x3dbl_2", 96, 3), ("branch3x3dbl_3", 96, 3)],
    ),
    ("max", None, 2),
)

_D = (
    (
        [("branch3x3_1", 192, 1), ("branch3x3_2", 320, 3)],
        [
            ("branch7x7x3_1", 192, 1),
            ("branch7x7x3_2", 192, (1, 7)),
            ("branch7x7x3_3", 192, (7, 1)),
            ("branch7x7x3_4", 192, 3),
        ],
    ),
    ("max", None, 2),
)

_BLOCKS = {
    "Mixed_5b": _a(32),
    "Mixed_5c": _a(64),
    "Mixed_5d": _a(64),
    "Mixed_6a": _B,
    "Mixed_6b": _c(128),
    "Mixed_6c": _c(160),
    "Mixed_6d": _c(160),
    "Mixed_6e": _c(192),
    "Mixed_7a": _D,
    "Mixed_7b": _e("mean"),
    "Mixed_7c": _e("max"),  # as the graph of 2015 has it, and no paper
}


def inception():
    """The Inception graph of December 2015, whose weights are all 0 until they are set.

    It differs from the InceptionV3 of Keras and torchvision: a layer that pools by the maximum, and
    1,008 classes.

    Returns:
        keras.Model from images (batch, 299, 299, 3) in about [-1, 1] to the list of features
        (batch, 2048), at least 0, and logits (batch, 1008) without their bias, as the inception
        score takes them. A convolution's layers are named `Mixed_5b-branch1x1-conv` and `-bn`.

    Reference: Szegedy et al., Rethinking the Inception Architecture for Computer Vision, 2015.
    https://arxiv.org/abs/1512.00567
    """
    layers = keras.layers

    def unit(x, name, channels, kernel_size, strides=1, padding="valid"):
        x = layers.Conv2D(
            channels,
            kernel_size,
            strides,
            padding=padding,
            use_bias=False,
            kernel_initializer="zeros",
            name=f"{name}-conv",
        )(x)
        return layers.ReLU()(layers.BatchNormalization(epsilon=1e-3, name=f"{name}-bn")(x))

    def block(x, name, branches, pooling):
        how, pooled, strides = pooling
        padding = "same" if strides == 1 else "valid"
        ends = []
        for branch in branches:
            y = x
            for step in branch:
                if isinstance(step, list):
                    sides = [unit(y, f"{name}-{part}", *rest, 1, "same") for part, *rest in step]
                    y = layers.Concatenate()(sides)
                    continue
                part, *rest = step
                last = (strides, padding) if step is branch[-1] else (1, "same")
                y = unit(y, f"{name}-{part}", *rest, *last)
            ends.append(y)
        pool = layers.AveragePooling2D if how == "mean" else layers.MaxPooling2D
        y = pool(3, strides, padding)(x)
        ends.append(y if pooled is None else unit(y, f"{name}-branch_pool", pooled, 1))
        return layers.Concatenate()(ends)

    inputs = keras.Input((299, 299, 3))
    x = unit(inputs, "Conv2d_1a_3x3", 32, 3, 2)
    x = unit(x, "Conv2d_2a_3x3", 32, 3)
    x = unit(x, "Conv2d_2b_3x3", 64, 3, padding="same")
    x = layers.MaxPooling2D(3, 2)(x)
    x = unit(x, "Conv2d_3b_1x1", 80, 1)
    x = unit(x, "Conv2d_4a_3x3", 192, 3)
    x = layers.MaxPooling2D(3, 2)(x)
    for name, (branches, pooling) in _BLOCKS.items():
        x = block(x, name, branches, pooling)
    features = layers.GlobalAveragePooling2D()(x)
    logits = layers.Dense(1008, use_bias=False, kernel_initializer="zeros", name="fc")(features)
    return keras.Model(inputs, [features, logits], name="inception")
