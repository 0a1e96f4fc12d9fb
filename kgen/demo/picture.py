"""The control that takes an image, and a hole in it."""

import base64
import binascii
import os
import tempfile

from kgen.data.images import decode, read_header
from kgen.data.names import reason_of
from kgen.demo.controls import Control

MAX_PIXELS = 2**25  # of an image file, as on a server


class Picture(Control):
    """An image, painted or from a file, of the size that a field says.

    Args:
        name: str.
        field: `kgen.fields.Image`.
        sources: tuple of "test" and "sample". Where the page can take one from.
        has_hole: bool. A part of it is hidden, which is painted too: it is read as an image and a
            mask.
    """

    kind = "picture"

    def __init__(self, name, field, sources=(), has_hole=False, **kwargs):
        super().__init__(name, {}, **kwargs)
        self.field = field
        self.sources = sources
        self.has_hole = has_hole

    def describe(self):
        height, width, channels = self.field.shape
        return super().describe() | {
            "height": height,
            "width": width,
            "grey": channels == 1,
            "sources": self.sources,
            "hole": self.has_hole,
        }

    def read(self, value):
        parts = value if isinstance(value, dict) else {}
        image = self.of_file(_contents(parts.get("image"), self.label))
        if not self.has_hole:
            return image
        hidden = self._decoded(_contents(parts.get("mask"), "the hole"), 1)[..., 0] > 127
        if not hidden.any():
            raise ValueError(
                "Expected a hole: paint over the pixels that the model is to fill in. Received: "
                "none hidden"
            )
        return image, hidden

    def of_file(self, contents):
        """The pixels of an image file, scaled and cropped as in training.

        Args:
            contents: bytes.

        Returns:
            uint8 (height, width, channels).
        """
        return self._decoded(contents, self.field.shape[-1])

    def _decoded(self, contents, channels):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "image")
            with open(path, "wb") as file:
                file.write(contents)
            try:
                height, width, _ = read_header(path)
                if height * width > MAX_PIXELS:
                    raise ValueError(
                        f"it is of {height}x{width} pixels, and at most {MAX_PIXELS:,} are read: "
                        "scale it down"
                    )
                return decode(path, channels, self.field.shape[:2])
            except Exception as error:  # Decoders raise anything from OSError to SyntaxError.
                raise ValueError(
                    f"Expected {self.label} as an image file. Received one that cannot be read: "
                    f"{reason_of(error)}"
                ) from error


def _contents(url, label):
    """The bytes of a data URL."""
    try:
        head, _, encoded = url.partition(",")
        if not head.endswith(";base64"):
            raise ValueError
        return base64.b64decode(encoded, validate=True)
    except (AttributeError, ValueError, binascii.Error):
        raise ValueError(f"Expected {label} as a data URL. Received: {url!r:.80}") from None
