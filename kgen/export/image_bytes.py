"""Image files in a served model: decoded as `kgen.data` decodes them, and encoded."""

import tensorflow as tf

PNG = b"\x89PNG\r\n\x1a\n"
CHANNELS = (1, 3)  # of the images that become files, and files images
MAX_PIXELS = 2**25  # a small file can decode to gigabytes


def decode_images(contents, image_shape):
    """PNG or JPEG files as float32 images in [0, 1].

    They are scaled until they cover the image and cropped evenly, transparency is composited on
    white, colours are weighted into grey as Pillow does. Unlike in training, the EXIF orientation
    is not applied, and of 16 bits the upper 8 count.

    Args:
        contents: string tensor (batch,). Another file, or one of more than `MAX_PIXELS`, is an
            error.
        image_shape: tuple (height, width, channels).

    Returns:
        Tensor (batch, height, width, channels).
    """
    height, width, channels = image_shape

    def decode(file):
        pixels = _decode(file)
        given = tf.shape(pixels)[-1]
        pixels = tf.cond(given % 2 == 0, lambda: _on_white(pixels), lambda: pixels)
        if channels == 1:
            pixels = tf.cond(given > 2, lambda: _to_grey(pixels), lambda: pixels)
        else:
            pixels = tf.broadcast_to(pixels, tf.concat([tf.shape(pixels)[:2], [3]], 0))
        return tf.ensure_shape(_cover(pixels, height, width), image_shape) / 255.0

    row = tf.TensorSpec(image_shape, tf.float32)
    return tf.map_fn(decode, contents, fn_output_signature=row)


def _decode(file):
    """The pixels of a file, uint8 (height, width, 1 to 4); 2 and 4 channels end with an alpha."""
    start = tf.strings.substr(tf.strings.join([file, bytes(24)]), 0, 24)
    is_jpeg, is_png = tf.io.is_jpeg(file), tf.strings.substr(start, 0, 8) == PNG
    first = tf.io.decode_raw(tf.strings.substr(start, 0, 8), tf.uint8)  # a message is text
    message = ["Expected a PNG or JPEG file. Received one whose first bytes are", first]
    with tf.control_dependencies([tf.debugging.Assert(is_jpeg | is_png, message, summarize=8)]):
        size = tf.cond(
            is_jpeg,
            lambda: tf.io.extract_jpeg_shape(file)[:2],
            lambda: tf.io.decode_raw(tf.strings.substr(start, 16, 8), tf.int32, False),
        )
    num = tf.reduce_prod(tf.cast(size, tf.int64))
    message = [f"Expected an image file of at most {MAX_PIXELS} pixels. Received one of", size]
    with tf.control_dependencies([tf.debugging.Assert(num <= MAX_PIXELS, message)]):
        return tf.cond(
            is_jpeg,
            lambda: tf.io.decode_jpeg(file, dct_method="INTEGER_ACCURATE"),
            lambda: tf.io.decode_png(file),
        )


def _on_white(pixels):
    """Pixels without their alpha."""
    pixels = tf.cast(pixels, tf.int32)
    colors, alpha = pixels[..., :-1], pixels[..., -1:]
    return tf.cast((colors * alpha + 255 * (255 - alpha) + 127) // 255, tf.uint8)


def _to_grey(pixels):
    weights = tf.constant([19595, 38470, 7471])  # ITU-R 601-2, of 2^16
    grey = tf.reduce_sum(tf.cast(pixels, tf.int32) * weights, -1, keepdims=True)
    return tf.cast((grey + 2**15) // 2**16, tf.uint8)


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
