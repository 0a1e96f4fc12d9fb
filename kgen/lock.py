"""A folder that one process at a time writes in."""

import contextlib
import errno
import os
import socket

from kgen.warn import warn

NAME = ".lock"

_UNSUPPORTED = {errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EINVAL}


@contextlib.contextmanager
def locked(folder, doing):
    """Keeps others that ask for it out of a folder; the system frees it when this process dies.

    On a disk without locks, as some network disks are, it warns and keeps nobody out.

    Args:
        folder: str. Made if it is missing.
        doing: str. What others do there, as "trains", for the error.

    Raises:
        BlockingIOError: another has it.
    """
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, NAME)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        try:
            _take(descriptor)
        except (BlockingIOError, PermissionError):
            raise BlockingIOError(
                f"Expected a folder in which no other process {doing}. Received: {folder}, where "
                f"{_holder(descriptor)} does. Wait for it, or take another folder."
            ) from None
        except OSError as error:
            if error.errno not in _UNSUPPORTED:
                raise
            warn(f"{folder} cannot be locked ({error}): see to it that no other process {doing}.")
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"process {os.getpid()} on {socket.gethostname()}".encode())
        try:
            yield
        finally:
            with contextlib.suppress(OSError):
                _free(descriptor)  # which a fork of this process may have too
    finally:
        os.close(descriptor)


def was_left(folder):
    """Whether a folder was `locked` by a process that is dead."""
    try:
        descriptor = os.open(os.path.join(folder, NAME), os.O_RDWR)
    except OSError:
        return False
    try:
        _take(descriptor)
        return True
    except OSError:
        return False
    finally:
        os.close(descriptor)


def _holder(descriptor):
    try:
        os.lseek(descriptor, 0, os.SEEK_SET)
        return os.read(descriptor, 200).decode() or "another"
    except (OSError, ValueError):
        return "another"


try:
    import fcntl
except ImportError:  # Windows
    import msvcrt

    _BYTE = 2**20  # behind what is written, as others cannot read what is locked

    def _take(descriptor):
        os.lseek(descriptor, _BYTE, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        os.lseek(descriptor, 0, os.SEEK_SET)

    def _free(descriptor):
        os.lseek(descriptor, _BYTE, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)

else:

    def _take(descriptor):
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def _free(descriptor):
        fcntl.flock(descriptor, fcntl.LOCK_UN)
