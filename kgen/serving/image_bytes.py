"""Image files in a served model: decoded as `kgen.data` decodes them, and encoded."""

import tensorflow as tf


def decode_images(contents, image_shape):
    """PNG or JPEG files as float32 images in [0, 1].

    They are scaled until they cover the image and cropped evenly, transparency is composited on
    white, colours are weighted into grey as Pillow does. Unlike in training, the EXIF orientation
    is not applied, and of 16-bit grey the upper 8 bits count.

    Args:
        contents: string tensor (batch,).
        image_shape: tuple (height, width, channels).

    Returns:
        Tensor (batch, height, width, channels).
    """
    height, width, channels = image_shape

    def decode(file):
        pixels = tf.cond(
            tf.io.is_jpeg(file),
            lambda: tf.io.decode_jpeg(file, dct_method="INTEGER_ACCURATE"),
            lambda: tf.io.decode_image(file, expand_animations=False),
        )
        pixels = _on_white(tf.cast(pixels, tf.int32))
        if channels == 1:
            pixels = _to_grey(pixels)
        return _cover(tf.cast(pixels, tf.float32), height, width) / 255.0

    row = tf.TensorSpec(image_shape, tf.float32)
    return tf.map_fn(decode, contents, fn_output_signature=row)


def _on_white(pixels):
    """RGB of grey or RGB pixels (height, width, 1 to 4), of which 2 and 4 end with an alpha."""
    channels = tf.shape(pixels)[-1]
    has_alpha = 1 - channels % 2
    alpha = tf.where(has_alpha == 1, pixels[..., -1:], 255)
    colors = pixels[..., : channels - has_alpha]
    # Rounded division by 255.
    colors = (colors * alpha + 255 * (255 - alpha) + 127) // 255
    return tf.broadcast_to(colors, tf.concat([tf.shape(pixels)[:2], [3]], 0))


def _to_grey(pixels):
    weights = tf.constant([19595, 38470, 7471])  # ITU-R 601-2, of 2^16
    return (tf.reduce_sum(pixels * weights, -1, keepdims=True) + 2**15) // 2**16


def _cover(image, height, width):
    given = tf.shape(image)[:2]
    size = tf.constant([height, width], tf.float32)
    scale = tf.reduce_max(size / tf.cast(given, tf.float32))
    offset = 0.5 * (size - scale * tf.cast(given, tf.float32))
    # As Pillow does, the rows first, and 8 bits between.
    steps = (
        (tf.stack([given[0], width]), [1.0, scale], [0.0, offset[1]]),
        (tf.constant([height, width]), [scale, 1.0], [offset[0], 0.0]),
    )
    images = image[None]
    for size, scales, offsets in steps:
        images = tf.raw_ops.ScaleAndTranslate(
            images=images,
            size=size,
            scale=tf.stack(scales),
            translation=tf.stack(offsets),
            kernel_type="lanczos3",
            antialias=True,
        )
        images = tf.clip_by_value(tf.round(images), 0.0, 255.0)
    return images[0]


def encode_pngs(images):
    """Images (batch, height, width, 1 or 3) in [0, 1] as PNG files, a string tensor (batch,)."""
    pixels = tf.cast(tf.round(255.0 * images), tf.uint8)
    return tf.map_fn(tf.io.encode_png, pixels, fn_output_signature=tf.string)
