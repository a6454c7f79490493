"""The seam on a local disk (POSIX): durable by fsync of file and folder, atomic by link and renameat2."""
from __future__ import annotations

import ctypes
import errno
import fcntl
import hashlib
import os
import secrets
import shutil
from collections.abc import Sequence
from contextlib import suppress

from sparkkit.errors import UsageError
from sparkkit.storage.seam import Found, above

NOREPLACE, EXCHANGE = 1, 2
"""The flags of renameat2(2)."""

_HERE = -100
_UNABLE = (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM)
_REFUSED = (errno.ENOENT, errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR)


def _find_renameat2() -> ctypes._NamedFuncPointer | None:
    with suppress(OSError, AttributeError):
        return ctypes.CDLL(None, use_errno=True).renameat2
    return None


_renameat2 = _find_renameat2()


def real_path(path: str) -> str:
    """The path of a target by which it can be published: links are followed.

    Raises:
        UsageError: it is a mount point, which nothing can be put in the place of.
    """
    found = os.path.realpath(path)
    if os.path.ismount(found):
        raise UsageError(f"{path} is a mount point, which can't be replaced as a whole", reason="mount_point",
                         hint="write to a folder below it")
    return found


class LocalStore:
    """Paths of this machine. Where the kernel or the filesystem has no renameat2 (NFS, FAT, macOS), `exchange` says False, and
    `rename` looks and moves in two steps, between which only a stranger to the protocol could come.
    """

    renames, links, threads = True, True, 1

    @property
    def exchanges(self) -> bool:
        """Whether the kernel has renameat2; the filesystem may still be without."""
        return _renameat2 is not None

    def list(self, folder: str) -> Sequence[str]:
        """The names in a folder, sorted, those of folders with a `/` at their end."""
        try:
            with os.scandir(folder) as entries:
                return tuple(sorted(e.name + "/" * e.is_dir() for e in entries))
        except (FileNotFoundError, NotADirectoryError):
            return ()

    def read(self, path: str) -> Found | None:
        """A small file, whole."""
        try:
            file = os.open(path, os.O_RDONLY)
        except (FileNotFoundError, NotADirectoryError):
            return None
        try:
            return _found(file)
        finally:
            os.close(file)

    def put_if_absent(self, path: str, data: bytes) -> bool:
        """Writes a hidden file beside, and gives it the name by a hard link: the first link wins."""
        self.make_folder(_parent(path))
        partial = _write_beside(path, data)
        try:
            os.link(partial, path)
        except FileExistsError:
            return False
        finally:
            os.unlink(partial)
        _sync(_parent(path))
        return True

    def replace_if_unchanged(self, path: str, data: bytes, version: str) -> str | None:
        """Replaces the file under a lock on its inode, which dies with its process; never waits for another's.

        Where the filesystem has no such locks (some NFS) it goes without: one writer is all that is promised.
        """
        try:
            file = os.open(path, os.O_RDONLY)
        except FileNotFoundError:
            return None
        try:
            _lock(file)
            if _found(file).version != version or os.fstat(file).st_ino != os.stat(path).st_ino:
                return None
            os.rename(_write_beside(path, data), path)
            _sync(_parent(path))
            return _version(data)
        except (BlockingIOError, FileNotFoundError):
            return None
        finally:
            os.close(file)

    def rename(self, old: str, new: str) -> bool:
        """Moves a file or folder, never over something."""
        code = _rename(old, new, NOREPLACE)
        if code in _UNABLE:
            code = errno.EEXIST if os.path.lexists(new) else _rename(old, new, 0)
        return _moved(code, old, new)

    def duplicate(self, old: str, new: str) -> bool:
        """Nothing asks for it: there is `rename`.

        Raises:
            OSError: always.
        """
        raise OSError(f"{old} is not copied to {new}: it can be renamed")

    def exchange(self, one: str, other: str) -> bool:
        """Swaps two folders in one step."""
        code = _rename(one, other, EXCHANGE)
        return code not in _UNABLE and _moved(code, one, other)

    def link(self, old: str, new: str) -> None:
        """A hard link; a folder that is made for it is as private as the one that the file is in."""
        if not os.path.isdir(_parent(new)):
            self.make_folder(_parent(new))
            shutil.copymode(_parent(old), _parent(new))
        os.link(old, new)

    def delete(self, path: str) -> None:
        """Deletes a file or a whole folder; does not follow links."""
        with suppress(FileNotFoundError):
            if os.path.islink(path) or not os.path.isdir(path):
                os.unlink(path)
                return
            for name in self.list(path):
                self.delete(f"{path}/{name.rstrip('/')}")
            os.rmdir(path)

    def make_folder(self, path: str) -> None:
        """Makes a folder and those above it, each durable."""
        if os.path.isdir(path):
            return
        self.make_folder(_parent(path))
        with suppress(FileExistsError):
            os.mkdir(path)
        _sync(_parent(path))

    def persist(self, folder: str) -> None:
        """Syncs every file and folder below, and the folder itself."""
        for name in self.list(folder):
            path = f"{folder}/{name.rstrip('/')}"
            (self.persist if name.endswith("/") else _sync)(path)
        _sync(folder)


def _moved(code: int, old: str, new: str) -> bool:
    """Whether a rename that ended with this errno was made, and made durable; False where there is nothing to move, or no place."""
    if code in _REFUSED:
        return False
    if code:
        raise OSError(code, os.strerror(code), old, None, new)
    for folder in sorted({_parent(old), _parent(new)}):
        _sync(folder)
    return True


def _rename(old: str, new: str, flag: int) -> int:
    """The errno of a rename, 0 when it was made."""
    if flag and _renameat2 is not None:
        return ctypes.get_errno() if _renameat2(_HERE, os.fsencode(old), _HERE, os.fsencode(new), flag) else 0
    if flag:
        return errno.ENOSYS
    try:
        os.rename(old, new)
    except OSError as error:
        return error.errno or errno.EIO
    return 0


def _write_beside(path: str, data: bytes) -> str:
    folder, _, name = path.rpartition("/")
    partial = f"{folder}/.{name}.{secrets.token_hex(4)}.tmp"
    file = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        left = memoryview(data)
        while left:
            left = left[os.write(file, left):]
        os.fsync(file)
    except OSError:
        os.unlink(partial)
        raise
    finally:
        os.close(file)
    return partial


def _lock(file: int) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in (errno.ENOLCK, *_UNABLE):
            raise


def _found(file: int) -> Found:
    parts = iter(lambda: os.read(file, 1 << 20), b"")
    data = b"".join(parts)
    return Found(data, _version(data))


def _version(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _sync(path: str) -> None:
    file = os.open(path, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def _parent(path: str) -> str:
    return above(path) or "/"
