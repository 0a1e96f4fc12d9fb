"""Images of a served model, as a picture."""

from kgen import pictures
from kgen.checks import whole_number
from kgen.pictures.grids import in_rows
from kgen.printable import printable
from kgen.serving.client import Client


def generate(
    server: str = "localhost:8501",
    model: str | None = None,
    num: int = 64,
    labels: tuple[int, ...] | None = None,
    seed: int | None = None,
    timeout: float = 60.0,
    out: str = "generated.png",
) -> str:
    """Writes a grid of images that a served model generates.

    Args:
        server: str. "host:port" of TensorFlow Serving's REST API, or "grpc://host:port".
        model: str. The model's name on the server.
        num: int. How many images, of several classes about so many, as rows are whole.
        labels: sequence of int. The classes of a conditional model, a row each.
        seed: int. The same seed gives the same images, those of `kgen sample`.
        timeout: float. Seconds for a request of up to 64 images, tries again and waits included.
        out: str. The picture.

    Returns:
        The path of the file.
    """
    if not model:
        raise ValueError(f"Expected the model's name on {server}. Received: model={model}")
    num = whole_number("num", num)
    pictures.check_path(out)
    columns = None
    if labels:
        labels, columns = in_rows(labels, num)
        num = len(labels)
    images = Client(server, model, timeout=timeout).generate(num, labels, seed=seed)
    pictures.grid(images, columns, path=out)
    print(f"Wrote {printable(out)}")
    return out
