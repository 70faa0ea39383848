"""Where a mart's keys are, and how they are opened."""

from __future__ import annotations

from pathlib import Path

from schemas.errors import StorageError, UsageError
from stores.keys.keeper import LOCAL, FileKeeper, Keeper
from stores.keys.key import Purpose
from stores.keys.keys import Keys
from stores.keys.kms import PREFIX, KmsKeeper
from stores.keys.ring import Ring
from stores.keys.ring_file import RingFile


def default_keyring(mart: Path) -> Path:
    """``<mart>.keys`` beside the mart."""
    return mart.with_name(mart.name + ".keys")


def open_keys(where: str | Path | None, mart: Path, *, create: bool = False) -> Keys:
    """The keys at ``where``: the path of a keyring file, or ``kms:KEY_ID``; None: ``<mart>.keys``.

    Under KMS the keyring of wrapped secrets is ``<mart>.keys``, or the file after ``#`` as in ``kms:KEY_ID#PATH``. A
    keyring that a KMS key made needs no ``kms:`` to be opened. ``create`` makes what is not there.

    Raises UsageError when there is none, others can read it, or it is kept otherwise than told; IntegrityError when it
    is damaged; StorageError when it cannot be read or written; TryAgainError while KMS is not reachable.
    """
    keeper, path = _told(where, mart)
    file = RingFile(path)
    if create and not file.exists():
        _make(file, keeper or FileKeeper())
    ring = Ring.parse(file.read(), str(path))
    if keeper is not None and keeper.name != ring.keeper:
        raise UsageError(f"the keyring {path} is kept by {ring.keeper}, not by {keeper.name}: name the one that it has")
    return Keys(file, keeper or _keeper(ring.keeper))


def _told(where: str | Path | None, mart: Path) -> tuple[Keeper | None, Path]:
    if where is None:
        return None, default_keyring(mart)
    if isinstance(where, str) and where.startswith(PREFIX):
        key, _, path = where.removeprefix(PREFIX).partition("#")
        return KmsKeeper(key), Path(path) if path else default_keyring(mart)
    return None, Path(where)


def _keeper(name: str) -> Keeper:
    if name == LOCAL:
        return FileKeeper()
    if name.startswith(PREFIX):
        return KmsKeeper(name.removeprefix(PREFIX))
    raise UsageError(f"the keyring is kept by {name[:60]!r}, which this clinmart does not know: use a newer clinmart")


def _make(file: RingFile, keeper: Keeper) -> None:
    """A keyring with one key for each purpose; the first of several that make it at once does."""
    if not file.path.parent.is_dir():
        raise StorageError(f"cannot make the keyring {file.path}: there is no folder {file.path.parent}")
    with file.changing():
        if file.exists():
            return
        ring = Ring(keeper.name)
        for purpose in Purpose:
            ring = ring.with_new(purpose, keeper)
        file.replace(ring.encode())
