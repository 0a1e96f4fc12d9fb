"""Pictures as files: by the ending of their name, whole or not at all, refused before the work."""

import functools
import inspect
import io
import os

from kgen.whole_file import check_can_write, replacing


def save(picture, path):
    """Writes a picture in the format of the file's ending, whole or not at all.

    Args:
        picture: PIL.Image.Image.
        path: str. Its folder is made if it is missing.

    Raises:
        ValueError: the ending is none that Pillow writes.
        OSError: no file can be written there.
    """
    picture_format = check_path(path)
    with replacing(path) as temporary:
        picture.save(temporary, format=picture_format)


def check_path(path):
    """Raises, before there is a picture, what `save` would raise.

    Args:
        path: str.

    Returns:
        Pillow's name of the format.
    """
    from PIL import Image

    ending = os.path.splitext(path)[1].lower()
    picture_format = Image.registered_extensions().get(ending)
    try:
        Image.new("RGB", (1, 1)).save(io.BytesIO(), format=picture_format or "none")
    except (KeyError, OSError, ValueError) as error:
        raise ValueError(
            "Expected a file of an ending that Pillow writes here, such as .png, .jpg or .webp. "
            f"Received: path={os.fspath(path)!r}"
        ) from error
    check_can_write(path)
    return picture_format


def path_first(function):
    """Lets a function check its argument `path` before it works."""
    signature = inspect.signature(function)

    @functools.wraps(function)
    def checked(*args, **kwargs):
        path = signature.bind(*args, **kwargs).arguments.get("path")
        if path is not None:
            check_path(path)
        return function(*args, **kwargs)

    return checked
