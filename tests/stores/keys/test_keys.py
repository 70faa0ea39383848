"""The keyring file: what it lets through, what it refuses, and what rotation and destruction leave."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from schemas.errors import IntegrityError, StorageError, UsageError
from stores.keys import Keys, Purpose, Signature, Tag, Wrapped, default_keyring, open_keys
from stores.keys.envelope import new_data_key, open_data_key, seal, unseal
from stores.keys.keys import verify_ed25519


@pytest.fixture
def mart(tmp_path: Path) -> Path:
    return tmp_path / "mart.duckdb"


@pytest.fixture
def keys(mart: Path) -> Keys:
    return open_keys(None, mart, create=True)


def _file(mart: Path) -> Path:
    return default_keyring(mart)


def test_a_new_keyring_is_its_owners_alone_whatever_the_umask(mart: Path) -> None:
    """0600 even when the umask takes nothing away or all."""
    for mask in (0o000, 0o777):
        before = os.umask(mask)
        try:
            open_keys(None, mart, create=True).rotate(Purpose.SIGN)
        finally:
            os.umask(before)
        assert stat.S_IMODE(_file(mart).stat().st_mode) == 0o600


def test_every_purpose_has_a_key_of_its_own(keys: Keys) -> None:
    """Six purposes, six secrets."""
    assert [facts.purpose for facts in keys.describe()] == list(Purpose)
    assert len({keys.current(purpose).secret for purpose in Purpose}) == len(Purpose)
    assert all(len(keys.current(purpose).secret) == 32 for purpose in Purpose)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o601, 0o620])
def test_a_keyring_that_others_can_reach_is_refused(mart: Path, keys: Keys, mode: int) -> None:
    """Any right of group or world; the message says which mode and what to do."""
    _file(mart).chmod(mode)
    with pytest.raises(UsageError, match=rf"mode {mode:04o}.*chmod 600"):
        open_keys(None, mart)


def test_a_keyring_that_is_not_there_is_named(mart: Path) -> None:
    """And is not made unless asked for."""
    with pytest.raises(UsageError, match=r"there is no keyring .*mart\.duckdb\.keys"):
        open_keys(None, mart)
    assert not _file(mart).exists()
    with pytest.raises(StorageError, match="no folder"):
        open_keys(mart.parent / "nowhere" / "keys", mart, create=True)


def test_secrets_are_in_no_description(mart: Path, keys: Keys) -> None:
    """Neither in what is told of keys nor in their representation."""
    secrets = [json.loads(_file(mart).read_bytes())["keys"][n]["secret"] for n in range(len(Purpose))]
    told = repr(keys.describe()) + repr(keys.current(Purpose.SIGN)) + keys.where
    assert not any(secret in told for secret in secrets)
    assert repr(keys.current(Purpose.SIGN).secret) not in told


@pytest.mark.parametrize("damage", [b"", b"{}", b"not json", b'{"layout":1,"keeper":"file","keys":[{}]}'])
def test_a_damaged_keyring_is_an_integrity_error(mart: Path, keys: Keys, damage: bytes) -> None:
    """Its bytes are in no message."""
    _file(mart).write_bytes(damage)
    with pytest.raises(IntegrityError, match="damaged or no keyring"):
        open_keys(None, mart)


def test_a_damaged_secret_and_a_doubled_key_are_integrity_errors(mart: Path, keys: Keys) -> None:
    """A secret of another length would sign with what is left of it."""
    ring = json.loads(_file(mart).read_bytes())
    whole = json.dumps(ring)
    ring["keys"][0]["secret"] = ring["keys"][0]["secret"][:8]
    _file(mart).write_text(json.dumps(ring))
    with pytest.raises(IntegrityError, match=r"sign-1-.* is damaged"):
        open_keys(None, mart).current(Purpose.SIGN)
    ring = json.loads(whole)
    ring["keys"].append(ring["keys"][0])
    _file(mart).write_text(json.dumps(ring))
    with pytest.raises(IntegrityError, match="twice"):
        open_keys(None, mart)


def test_tags_verify_after_a_rotation_by_another_process(mart: Path, keys: Keys) -> None:
    """Each of two holders of the keyring sees what the other made, without opening it again."""
    other = open_keys(None, mart)
    old = keys.mac(Purpose.SIGN, b"chunk")
    rotated = other.rotate(Purpose.SIGN)
    new = keys.mac(Purpose.SIGN, b"chunk")
    assert (rotated.version, new.key_id) == (2, rotated.key_id)
    assert old.tag != new.tag
    for holder in (keys, other):
        assert holder.verify(Purpose.SIGN, b"chunk", old)
        assert holder.verify(Purpose.SIGN, b"chunk", new)
        assert not holder.verify(Purpose.SIGN, b"chunK", new)
        assert not holder.verify(Purpose.SIGN, b"chunk", Tag(old.key_id, new.tag))


def test_a_wrong_keyring_is_told_from_a_wrong_tag(tmp_path: Path, keys: Keys) -> None:
    """Ids are random: no other keyring has the key. Nor does a key serve another purpose than its own."""
    other = open_keys(tmp_path / "other", tmp_path / "m", create=True)
    with pytest.raises(IntegrityError, match="has no key 'sign-1-"):
        other.verify(Purpose.SIGN, b"chunk", keys.mac(Purpose.SIGN, b"chunk"))
    with pytest.raises(IntegrityError, match="for sign"):
        keys.verify(Purpose.SIGN, b"chunk", keys.mac(Purpose.MASK, b"chunk"))


def test_destroyed_keys_are_gone_for_all_holders(mart: Path, keys: Keys) -> None:
    """The secret is in no byte of the folder, another holder forgets it, and that it was there stays."""
    other = open_keys(None, mart)
    tag = other.mac(Purpose.SIGN, b"chunk")
    secret = json.loads(_file(mart).read_bytes())["keys"][0]["secret"].encode()
    with pytest.raises(UsageError, match="rotate sign first"):
        keys.destroy(tag.key_id)
    keys.rotate(Purpose.SIGN)
    descriptor = os.open(_file(mart), os.O_RDONLY)  # the old bytes, which no name leads to any more
    done = keys.destroy(tag.key_id)
    assert secret not in os.read(descriptor, 100_000)
    os.close(descriptor)
    assert (done.state, done.key_id) == ("destroyed", tag.key_id)
    assert done.destroyed_at
    assert all(secret not in path.read_bytes() for path in mart.parent.iterdir())
    for holder in (keys, other):
        with pytest.raises(IntegrityError, match="was destroyed at"):
            holder.verify(Purpose.SIGN, b"chunk", tag)
    assert keys.destroy(tag.key_id) == done
    with pytest.raises(UsageError, match="no key 'sign-9'"):
        keys.destroy("sign-9")


def test_signatures_outlive_their_private_key(keys: Keys) -> None:
    """The public key stays, and needs no keyring."""
    made = keys.sign(b"checkpoint")
    keys.rotate(Purpose.AUDIT)
    keys.destroy(made.key_id)
    assert keys.verify_signature(b"checkpoint", made)
    assert not keys.verify_signature(b"checkpoinT", made)
    assert not keys.verify_signature(b"checkpoint", Signature(made.key_id, made.signature[:-1]))
    assert verify_ed25519(keys.public_key(made.key_id), b"checkpoint", made.signature)
    assert not verify_ed25519(b"short", b"checkpoint", made.signature)
    with pytest.raises(IntegrityError, match="that signs"):
        keys.public_key(keys.current(Purpose.SIGN).key_id)


def test_wrapped_secrets_open_by_their_key_and_context_alone(keys: Keys) -> None:
    """After a rotation too; not when any byte was altered."""
    wrapped = keys.wrap(b"secret", b"load 1")
    keys.rotate(Purpose.WRAP)
    assert keys.unwrap(wrapped, b"load 1") == b"secret"
    assert b"secret" not in wrapped.sealed
    with pytest.raises(IntegrityError):
        keys.unwrap(wrapped, b"load 2")
    for place in range(len(wrapped.sealed)):
        flipped = bytes(byte ^ (n == place) for n, byte in enumerate(wrapped.sealed))
        with pytest.raises(IntegrityError, match="altered"):
            keys.unwrap(Wrapped(wrapped.key_id, flipped), b"load 1")
    keys.destroy(wrapped.key_id)
    with pytest.raises(IntegrityError, match="destroyed"):
        keys.unwrap(wrapped, b"load 1")


def test_envelopes_open_by_their_data_key_alone(keys: Keys) -> None:
    """Its name and the context are bound to what it sealed."""
    key = new_data_key(keys, "load 1")
    sealed = seal(key, b"payload", b"row 7")
    again = open_data_key(keys, "load 1", key.wrapped)
    assert unseal(again, sealed, b"row 7") == b"payload"
    assert b"payload" not in sealed
    assert repr(key.secret) not in repr(key)
    with pytest.raises(IntegrityError):
        open_data_key(keys, "load 2", key.wrapped)
    for wrong, data, context in (
        (again, sealed, b"row 8"),
        (new_data_key(keys, "load 1"), sealed, b"row 7"),
        (again, sealed[:-1], b"row 7"),
        (again, b"payload", b"row 7"),
        (again, b"", b"row 7"),
    ):
        with pytest.raises(IntegrityError, match="was sealed for load 1"):
            unseal(wrong, data, context)


def test_a_keyring_that_cannot_be_written_stays_whole(mart: Path, keys: Keys, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that is full: StorageError, and the old keyring is there."""
    before = _file(mart).read_bytes()

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(StorageError, match="cannot be written: No space left"):
        keys.rotate(Purpose.SIGN)
    assert _file(mart).read_bytes() == before
    assert not list(mart.parent.glob("*.new"))
