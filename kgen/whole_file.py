"""Files that are written whole or not at all."""

import contextlib
import os
import re
import secrets
import tempfile


@contextlib.contextmanager
def replacing(path):
    """A path to write to, which takes the place of `path` once all is written and on the disk.

    Args:
        path: str. Its folder is made if it is missing.

    Yields:
        A path beside it with the same ending, at which there is nothing.
    """
    folder, name = os.path.split(os.path.abspath(path))
    os.makedirs(folder, exist_ok=True)
    temporary = os.path.join(folder, f".tmp-{secrets.token_hex(4)}-{name}")
    try:
        yield temporary
        flush(temporary)
        os.replace(temporary, path)
        flush(folder)
    except OSError as error:
        if error.errno is None or error.filename is not None:
            raise
        raise type(error)(error.errno, error.strerror, os.fspath(path)) from error
    finally:
        if os.path.exists(temporary):
            os.remove(temporary)


def remove_unfinished(folder, names):
    """Removes what a kill left of files that were being written, where nobody writes them now.

    Args:
        folder: str. There is nothing to remove if it is missing.
        names: str. A regular expression of the names that they would have had.
    """
    for name in os.listdir(folder) if os.path.isdir(folder) else ():
        if re.fullmatch(rf"\.tmp-[0-9a-f]{{8}}-(?:{names})", name):
            os.remove(os.path.join(folder, name))


def flush(path):
    """Lets the disk have a file, or the names in a folder: a power loss then leaves them."""
    is_folder = os.path.isdir(path)
    # Not every system opens a folder, nor every disk flushes one.
    with contextlib.suppress(OSError) if is_folder else contextlib.nullcontext():
        descriptor = os.open(path, os.O_RDONLY if is_folder else os.O_RDWR)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def check_can_write(path, what="the path of a file"):
    """Raises an OSError, before there is anything to write, where `replacing` could not.

    Args:
        path: str.
        what: str. What the error says was expected.
    """
    received = f"Received: {os.fspath(path)}"
    if os.path.isdir(path):
        raise IsADirectoryError(f"Expected {what}. {received}, which is a folder")
    check_can_hold(os.path.dirname(os.path.abspath(path)), received)


def check_can_hold(folder, received):
    """Raises an OSError where files cannot be written in a folder, which need not be there yet.

    Args:
        folder: str.
        received: str. How the error ends.
    """
    while not os.path.lexists(folder):
        folder = os.path.dirname(folder)
    if not os.path.isdir(folder):
        raise NotADirectoryError(f"Expected a folder, and {folder} is none. {received}")
    try:
        with tempfile.TemporaryDirectory(prefix=".tmp-", dir=folder):
            pass
    except OSError as error:
        raise PermissionError(
            f"Expected a folder to write in, and {folder} is none: {error.strerror}. {received}"
        ) from error
