"""The pixels themselves."""

from kgen.metrics.features.extractor import Extracted, Features


class Pixels(Features):
    """The pixels, in [0, 1], as features: what a likelihood sees, and no more.

    Example:
    >>> images = np.arange(8, dtype="uint8").reshape(2, 2, 2, 1)
    >>> kgen.metrics.features.Pixels().extract(images).features.shape
    (2, 4)
    """

    name = "pixels"

    def check_alike(self, *shapes):
        sizes = sorted({tuple(shape[1:]) for shape in shapes})
        if len(sizes) > 1:
            raise ValueError(
                "Expected images of one size, to compare their pixels. Received: images of "
                f"{' and of '.join(map(str, sizes))}"
            )

    def extract_batch(self, x, batch_size):
        return Extracted(x.reshape(len(x), -1))
