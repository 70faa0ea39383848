"""Whatever is done to the stored bytes of a trail is found, and the first bad record is named."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from schemas.errors import IntegrityError, StorageError
from stores.audit import Phase, Record
from stores.audit.checkpoints import Checkpoint, Checkpoints
from stores.audit.copies import FolderCopies, open_copies
from stores.audit.merkle import leaf_hash
from stores.audit.record import canonical_line, parse, render
from stores.keys import Keys, Purpose, open_keys
from tests.stores.audit.trails import WHO, chain_of, fault_of, fill

RECORDS = 6


@pytest.fixture(scope="module")
def bytes_of_one(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The only segment of a trail."""
    mart = tmp_path_factory.mktemp("trail") / "m"
    return (fill(mart, RECORDS).folder / "000001.jsonl").read_bytes()


def _put(tmp_path: Path, data: bytes) -> Path:
    folder = tmp_path / "m.audit"
    folder.mkdir(exist_ok=True)
    (folder / "000001.jsonl").write_bytes(data)
    return tmp_path / "m"


@pytest.mark.parametrize("number", range(1, RECORDS + 1))
def test_every_byte_of_a_record(bytes_of_one: bytes, tmp_path: Path, number: int) -> None:
    """Each byte of each record, its line end among them, altered, taken away or doubled."""
    lines = bytes_of_one.splitlines(keepends=True)
    before, line, after = b"".join(lines[: number - 1]), lines[number - 1], b"".join(lines[number:])
    for at in range(0, len(line), 3 if number > 1 else 1):
        head, byte, rest = line[:at], line[at : at + 1], line[at + 1 :]
        for changed in (head + bytes([byte[0] ^ 1]) + rest, head + rest, head + byte + byte + rest):
            fault = fault_of(_put(tmp_path, before + changed + after))
            assert fault is not None, (at, changed)
            place = number + changed.endswith(b"\n\n")  # an empty line stands in the place of the next record
            assert (fault.segment, fault.line, fault.number) == ("000001.jsonl", place, place)


@pytest.mark.parametrize("name", ["n", "at", "action", "phase", "who", "prev", "where", "why", "v"])
def test_every_field_with_its_hash_made_anew(bytes_of_one: bytes, tmp_path: Path, name: str) -> None:
    """Who also makes the record's own hash anew is told by the record after it, or by the place."""
    lines = bytes_of_one.splitlines()
    values = json.loads(lines[2])
    values[name] = {"n": 9, "who": {"user": "other"}, "where": {"x": 1}, "v": 2}.get(name, "0" * 64)
    body = {k: v for k, v in values.items() if k != "hash"}
    lines[2] = canonical_line(body | {"hash": leaf_hash(canonical_line(body)).hex()})
    fault = fault_of(_put(tmp_path, b"\n".join(lines) + b"\n"))
    assert fault is not None
    assert fault.number in (3, 4)


@pytest.mark.parametrize(
    ("change", "number", "said"),
    [
        (lambda lines: [*lines[:2], *lines[3:]], 3, "missing"),
        (lambda lines: [lines[0], lines[2], lines[1], *lines[3:]], 2, "missing"),
        (lambda lines: [*lines[:3], lines[2], *lines[3:]], 4, "missing"),
        (lambda lines: lines[1:], 1, "missing"),
        (lambda lines: [*lines[:3], b"\n", *lines[3:]], 4, "not JSON"),
        (lambda lines: [*lines[:3], lines[3].replace(b":", b": ", 1), *lines[4:]], 4, "not written as"),
        (lambda lines: [*lines[:3], b"[]\n", *lines[3:]], 4, "no record"),
        (lambda lines: [*lines[:3], lines[3][:-1] + b"\r\n", *lines[4:]], 4, "not"),
        (lambda _: [], 1, "empty"),
    ],
)
def test_whole_records(
    bytes_of_one: bytes, tmp_path: Path, change: Callable[[list[bytes]], list[bytes]], number: int, said: str
) -> None:
    """Records taken away, in another order, doubled, put in or written otherwise."""
    lines = bytes_of_one.splitlines(keepends=True)
    fault = fault_of(_put(tmp_path, b"".join(change(lines))))
    assert fault is not None
    assert (fault.number, said in fault.what) == (number, True), fault


def test_segments(tmp_path: Path) -> None:
    """A file that is missing, put in the place of another, or cut at its end is named."""
    trail = fill(tmp_path / "m", 9, segment_bytes=1000)
    paths = sorted(trail.folder.glob("*.jsonl"))
    kept = [path.read_bytes() for path in paths]
    paths[1].unlink()
    fault = fault_of(tmp_path / "m")
    assert fault is not None
    assert (fault.segment, fault.number) == ("000002.jsonl", 3)
    paths[1].write_bytes(kept[2])
    paths[2].write_bytes(kept[1])
    fault = fault_of(tmp_path / "m")
    assert fault is not None
    assert (fault.segment, fault.line, fault.number) == ("000002.jsonl", 1, 3)
    paths[1].write_bytes(kept[1].splitlines(keepends=True)[0])
    paths[2].write_bytes(kept[2])
    fault = fault_of(tmp_path / "m")
    assert fault is not None
    assert (fault.segment, fault.line, fault.number) == ("000003.jsonl", 1, 4)


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    """A keyring of its own."""
    return open_keys(None, tmp_path / "k", create=True)


def test_cut_tail(tmp_path: Path, keys: Keys) -> None:
    """Only a checkpoint tells of records that are gone from the end."""
    trail = fill(tmp_path / "m", 6)
    signed = Checkpoints(trail.folder).sign(trail.head(), keys)
    path = trail.folder / "000001.jsonl"
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:4]))
    assert fault_of(tmp_path / "m") is None
    fault = fault_of(tmp_path / "m", [signed])
    assert fault is not None
    assert (fault.number, "are gone" in fault.what) == (5, True)


def test_chain_written_anew(tmp_path: Path, keys: Keys) -> None:
    """A whole chain that is made again with a change is told only by checkpoints, and between which of them."""
    trail = fill(tmp_path / "m", 3)
    signed = [Checkpoints(trail.folder).sign(trail.head(), keys)]
    for _ in range(3):
        trail.append(Record("status", Phase.EVENT))
    signed.append(Checkpoints(trail.folder).sign(trail.head(), keys))
    path = trail.folder / "000001.jsonl"
    lines = path.read_bytes().splitlines()
    made, prev = lines[:3], json.loads(lines[2])["hash"]
    for number in range(4, 7):
        line, prev = render(Record("status", Phase.EVENT, why="forged"), WHO, number, "2026-01-01T00:00:00Z", prev)
        made.append(line)
    path.write_bytes(b"\n".join(made) + b"\n")
    assert fault_of(tmp_path / "m") is None
    fault = fault_of(tmp_path / "m", list(signed))
    assert fault is not None
    assert (fault.number, "records 4 to 6" in fault.what) == (4, True)


def test_another_trail(tmp_path: Path, keys: Keys) -> None:
    """A trail in the place of another is told by the other's checkpoints, unless it says so itself."""
    trail = fill(tmp_path / "m", 3)
    signed = Checkpoints(trail.folder).sign(trail.head(), keys)
    trail.restart("moved", 0)
    assert fault_of(tmp_path / "m", [signed]) is None
    for path in trail.folder.iterdir():
        path.unlink()
    fill(tmp_path / "m", 3)
    fault = fault_of(tmp_path / "m", [signed])
    assert fault is not None
    assert signed.trail in fault.what


def test_every_byte_of_a_checkpoint(tmp_path: Path, keys: Keys) -> None:
    """Any other byte of a checkpoint makes it none, or one whose signature is wrong; so does another key."""
    trail = fill(tmp_path / "m", 3)
    right = Checkpoints(trail.folder).sign(trail.head(), keys)
    assert right.fault(keys) is None
    line = Checkpoints(trail.folder).path.read_bytes()
    for at in range(len(line)):
        changed = line[:at] + bytes([line[at] ^ 1]) + line[at + 1 :]
        try:
            found = Checkpoint.decode(changed, "here")
        except IntegrityError:
            continue
        assert found.fault(keys) is not None, (at, changed)
    other = open_keys(None, tmp_path / "other", create=True)
    assert "does not have" in str(right.fault(other))
    assert "not of what it says" in str(msgspec.structs.replace(right, signature="zz").fault(keys))
    keys.rotate(Purpose.AUDIT)
    assert right.fault(keys) is None


def test_checkpoint_cut_short(tmp_path: Path, keys: Keys) -> None:
    """What a crash left of the last one is passed over; anything else that is none is told."""
    trail = fill(tmp_path / "m", 3)
    one = Checkpoints(trail.folder)
    one.sign(trail.head(), keys)
    line = one.path.read_bytes()
    one.path.write_bytes(line + line[:40])
    assert one.read() == [Checkpoint.decode(line, "")]
    one.path.write_bytes(line[:40] + b"\n" + line)
    assert ["no checkpoint" in str(found) for found in one.read()] == [True, False]


def test_copies_in_a_folder(tmp_path: Path, keys: Keys) -> None:
    """A checkpoint is kept once and never replaced; another of the same size is refused, and one altered is told."""
    trail = fill(tmp_path / "m", 3)
    right = Checkpoints(trail.folder).sign(trail.head(), keys)
    (tmp_path / "copies").mkdir()
    copies = open_copies(str(tmp_path / "copies"))
    copies.keep(right)
    copies.keep(msgspec.structs.replace(right, at="later"))
    assert copies.read() == [right]
    with pytest.raises(IntegrityError, match="otherwise than the trail"):
        copies.keep(msgspec.structs.replace(right, root="00"))
    (path,) = (tmp_path / "copies").iterdir()
    assert path.stat().st_mode & 0o777 == 0o400
    path.chmod(0o600)
    path.write_bytes(path.read_bytes()[:-9])
    assert "was altered" in str(copies.read()[0])
    with pytest.raises(StorageError, match="cannot be written"):
        FolderCopies(tmp_path / "none").keep(right)


def test_untouched(bytes_of_one: bytes, tmp_path: Path) -> None:
    """What the other tests start from has no fault."""
    assert fault_of(_put(tmp_path, bytes_of_one)) is None
    assert len(chain_of(tmp_path / "m").hashes) == RECORDS
    assert isinstance(parse(bytes_of_one.splitlines()[0]), dict)
