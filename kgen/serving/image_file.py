"""An image as a file, in place of its pixels."""

import base64

import numpy as np

from kgen import fields

STARTS = {"PNG": b"\x89PNG\r\n\x1a\n", "JPEG": b"\xff\xd8\xff"}
_PNG_END = b"IEND\xaeB`\x82"
_BLACK = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR42mNgAAAAAgAB5Sfe/AAAAABJRU5ErkJggg=="
)


class ImageFile(fields.Field):
    """PNG and JPEG files as bytes, of any size; the model scales what is in them."""

    dtype = "object"
    what = "image_bytes"

    def describe(self):
        return f"{' or '.join(STARTS)} files as bytes"

    def example(self, num=1):
        return np.array([base64.b64decode(_BLACK)] * num, "O")

    def get_config(self):
        return {}

    def _as_array(self, array, name):
        return np.asarray(array, "O")

    def _check_values(self, array, name):
        for i, file in enumerate(array):
            if not isinstance(file, bytes) or not self._is_one(file):
                raise ValueError(
                    f"Expected {name} as {self.describe()}. Received: {name}[{i}]={file!r:.40}"
                )

    def _is_one(self, file):
        return file.startswith(tuple(STARTS.values()))


class PngFile(ImageFile):
    """Whole PNG files as bytes."""

    what = "png_bytes"

    def describe(self):
        return "whole PNG files as bytes"

    def _is_one(self, file):
        return file.startswith(STARTS["PNG"]) and file.endswith(_PNG_END)
