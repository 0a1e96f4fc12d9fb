"""Files that are written whole or not at all."""

import contextlib
import os


@contextlib.contextmanager
def replacing(path):
    """A path to write to, which takes the place of `path` once all is written.

    Args:
        path: str. Its folder is made if it is missing.

    Yields:
        A path beside it with the same ending.
    """
    folder, name = os.path.split(os.path.abspath(path))
    os.makedirs(folder, exist_ok=True)
    temporary = os.path.join(folder, f".tmp-{name}")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        if os.path.exists(temporary):
            os.remove(temporary)
