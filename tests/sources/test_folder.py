"""What paths, folders, globs and manifests mean."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from schemas.errors import IntegrityError, StorageError, UsageError
from sources.folder import read_manifest, select

DATA = b'{"resourceType":"Patient","id":"a"}\n'


def _make(root: Path, *names: str, content: bytes = DATA) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def _manifest(path: Path, *output: str, time: str = "2024-01-01T00:00:00Z", **others: list[str]) -> Path:
    members = {key: [{"url": url} for url in urls] for key, urls in {"output": list(output), **others}.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"transactionTime": time, **members}))
    return path


def _names(root: Path, paths: tuple[str, ...]) -> list[str]:
    return [os.path.relpath(path, root) for path in paths]


@pytest.fixture
def as_nobody() -> Iterator[None]:
    """Run as a user without rights where the tests run as root; as anyone else nothing is needed."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_a_folder_is_searched_through_and_sorted(tmp_path: Path) -> None:
    """All data names at any depth, by path; hidden files and folders and other names stay out."""
    _make(tmp_path, "b.ndjson", "a/z.json", "a/b/c.jsonl.gz", "A.JSON", "c.ndjson.zst")
    _make(tmp_path, ".hidden.ndjson", ".git/x.json", "readme.txt", "b.csv", "b.ndjson.bz2", "manifest.json")
    found = select([tmp_path])
    assert _names(tmp_path, found.files) == ["A.JSON", "a/b/c.jsonl.gz", "a/z.json", "b.ndjson", "c.ndjson.zst"]
    assert _names(tmp_path, found.ignored) == ["b.csv", "b.ndjson.bz2", "manifest.json", "readme.txt"]


def test_inputs_keep_their_order_and_come_once(tmp_path: Path) -> None:
    """A file that two inputs or a link lead to is read once, at its first place."""
    _make(tmp_path, "a.ndjson", "b.ndjson")
    (tmp_path / "link.ndjson").symlink_to("a.ndjson")
    found = select([str(tmp_path / "b.ndjson"), tmp_path, tmp_path / "x" / ".." / "b.ndjson"])
    assert _names(tmp_path, found.files) == ["b.ndjson", "a.ndjson"]


def test_paths_are_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker elsewhere must find them."""
    _make(tmp_path, "a.ndjson")
    monkeypatch.chdir(tmp_path)
    assert select(["a.ndjson"]).files == select(["."]).files == (str(tmp_path / "a.ndjson"),)


def test_a_named_file_is_data_whatever_its_name(tmp_path: Path) -> None:
    """Hidden, without extension, or with another's."""
    _make(tmp_path, ".x", "dump", "a.txt")
    found = select([tmp_path / ".x", tmp_path / "dump", tmp_path / "a.txt"])
    assert _names(tmp_path, found.files) == [".x", "dump", "a.txt"]


def test_linked_folders_are_entered_once(tmp_path: Path) -> None:
    """Also when they lead back to where they are."""
    _make(tmp_path, "in/a.ndjson", "out/b.ndjson")
    (tmp_path / "in/back").symlink_to(tmp_path / "in")
    (tmp_path / "in/more").symlink_to(tmp_path / "out")
    assert _names(tmp_path, select([tmp_path / "in"]).files) == ["in/a.ndjson", "in/more/b.ndjson"]


def test_globs(tmp_path: Path) -> None:
    """Searched like a folder: data names, sorted, at any depth with **, folders whole."""
    _make(tmp_path, "p2.ndjson", "p1.ndjson", "q.ndjson", "p.txt", "d/p3.ndjson", "d/q.json")
    assert _names(tmp_path, select([f"{tmp_path}/p*"]).files) == ["p1.ndjson", "p2.ndjson"]
    assert _names(tmp_path, select([f"{tmp_path}/**/p*.ndjson"]).files) == ["d/p3.ndjson", "p1.ndjson", "p2.ndjson"]
    assert _names(tmp_path, select([f"{tmp_path}/?"]).files) == ["d/p3.ndjson", "d/q.json"]


def test_a_glob_of_other_names_means_them(tmp_path: Path) -> None:
    """Parts without extension, say; with data names among them the others stay out."""
    _make(tmp_path, "part-0", "part-1", "x/part-2", "x/part-3.ndjson")
    assert _names(tmp_path, select([f"{tmp_path}/part-*"]).files) == ["part-0", "part-1"]
    assert _names(tmp_path, select([f"{tmp_path}/x/part-*"]).files) == ["x/part-3.ndjson"]


def test_a_path_with_the_signs_of_a_glob(tmp_path: Path) -> None:
    """A file of that very name comes first."""
    _make(tmp_path, "a[1].ndjson", "a1.ndjson")
    assert _names(tmp_path, select([tmp_path / "a[1].ndjson"]).files) == ["a[1].ndjson"]


def test_manifests_are_never_data(tmp_path: Path) -> None:
    """By name, or by content under any name; a file called manifest.json that is none is still no
    resource."""
    _make(tmp_path, "a.ndjson", "sub/b.ndjson")
    _manifest(tmp_path / "export-1.json", "a.ndjson")
    (tmp_path / "sub/manifest.json").write_text('{"name":"a web page"}')
    found = select([tmp_path])
    assert _names(tmp_path, found.files) == ["a.ndjson", "sub/b.ndjson"]
    assert [manifest.uri for manifest in found.manifests] == [str(tmp_path / "export-1.json")]


def test_a_manifest_stands_for_its_files(tmp_path: Path) -> None:
    """In its order, beside it, and no others."""
    _make(tmp_path, "b.ndjson", "a.ndjson.gz", "sub/c.ndjson", "other.ndjson", "gone.ndjson")
    manifest = _manifest(tmp_path / "m", "b.ndjson", "sub/c.ndjson", "http://h/x/a.ndjson", deleted=["gone.ndjson"])
    named = manifest.rename(tmp_path / "m.json")
    found = select([named])
    assert _names(tmp_path, found.files) == ["b.ndjson", "sub/c.ndjson", "a.ndjson.gz"]
    assert [file.name for file in found.manifests[0].deleted] == ["gone.ndjson"]


def test_deleted_and_error_files_are_no_data(tmp_path: Path) -> None:
    """In a folder and in a glob, even one that does not match the manifest; those of deletes stand apart."""
    _make(tmp_path, "a.ndjson", "del.ndjson", "err.ndjson")
    _manifest(tmp_path / "manifest.json", "a.ndjson", deleted=["del.ndjson"], error=["err.ndjson"])
    for inputs in (tmp_path, f"{tmp_path}/*.ndjson", tmp_path / "manifest.json"):
        found = select([inputs])
        assert _names(tmp_path, found.files) == ["a.ndjson"]
        assert _names(tmp_path, found.deletes) == ["del.ndjson"]
    assert _names(tmp_path, select([tmp_path / "del.ndjson"]).files) == ["del.ndjson"]


def test_files_of_deletes_by_name(tmp_path: Path) -> None:
    """They alone are enough; one that is in a folder of inputs too is taken once, as one of deletes."""
    _make(tmp_path, "in/a.ndjson", "in/gone.ndjson", "gone.csv")
    found = select([tmp_path / "in"], [tmp_path / "in/gone.ndjson", tmp_path / "gone.csv", tmp_path / "gone.csv"])
    assert _names(tmp_path, found.files) == ["in/a.ndjson"]
    assert _names(tmp_path, found.deletes) == ["in/gone.ndjson", "gone.csv"]
    assert select([], [tmp_path / "gone.csv"]).files == ()
    for wrong, what in ((tmp_path / "in", "is a folder"), (tmp_path / "none", "no such file of deletes")):
        with pytest.raises(UsageError, match=what):
            select([], [wrong])


def test_missing_deletes_are_refused(tmp_path: Path) -> None:
    """An export without its files of deletes would leave rows that are gone."""
    _make(tmp_path, "a.ndjson")
    manifest = _manifest(tmp_path / "manifest.json", "a.ndjson", deleted=["del.ndjson"])
    for inputs in (tmp_path, manifest):
        with pytest.raises(IntegrityError, match=r"of 2 files listed, 1 missing: del\.ndjson"):
            select([inputs])


@pytest.mark.parametrize("named", [True, False])
def test_an_export_with_missing_files_is_refused(tmp_path: Path, named: bool) -> None:
    """By its manifest or its folder: the message names what is not there."""
    _make(tmp_path, "a.ndjson")
    manifest = _manifest(tmp_path / "manifest.json", "a.ndjson", *(f"b{n}.ndjson" for n in range(5)))
    what = r"of 6 files listed, 5 missing: b0.ndjson, b1.ndjson, b2.ndjson, \.\.\.; nothing was loaded"
    with pytest.raises(IntegrityError, match=what):
        select([manifest if named else tmp_path])
    assert _names(tmp_path, select([f"{tmp_path}/*.ndjson"]).files) == ["a.ndjson"]


def test_an_export_of_which_nothing_is_there(tmp_path: Path) -> None:
    """A manifest alone is refused; beside files it does not list it only tells the time."""
    _manifest(tmp_path / "manifest.json", "a.ndjson")
    with pytest.raises(IntegrityError, match=r"1 missing: a.ndjson"):
        select([tmp_path])
    _make(tmp_path, "renamed.ndjson")
    assert _names(tmp_path, select([tmp_path]).files) == ["renamed.ndjson"]
    with pytest.raises(IntegrityError, match=r"1 missing: a.ndjson"):
        select([tmp_path / "manifest.json"])


def test_an_export_without_files_is_nothing_to_load_and_no_fault(tmp_path: Path) -> None:
    """Nothing has changed since the last export."""
    manifest = _manifest(tmp_path / "manifest.json")
    assert select([manifest]).files == select([tmp_path]).files == ()


def test_a_cut_manifest_is_refused(tmp_path: Path) -> None:
    """Not passed over: the files it lists would be unknown."""
    _make(tmp_path, "a.ndjson")
    (tmp_path / "manifest.json").write_text('{"transactionTime":"2024-01-01T00:00:00Z","output":[{"url"')
    with pytest.raises(IntegrityError, match=r"manifest.json: this manifest is not whole"):
        select([tmp_path])


def test_a_large_manifest_is_read_whole(tmp_path: Path) -> None:
    """Its members may come in any order, the time behind a long list."""
    path = tmp_path / "x.json"
    output = [{"type": "Patient", "url": f"Patient.{n:06}.ndjson"} for n in range(3000)]
    path.write_text(json.dumps({"output": output, "transactionTime": "2024-01-01T00:00:00Z"}))
    manifest = read_manifest(str(path))
    assert manifest is not None
    assert len(manifest.output) == 3000


USAGE = {
    "missing": r"missing: there is no such file or folder",
    "readme/x": r"readme/x: there is no such file or folder",
    "empty": r"empty: this folder holds nothing to load; looked for files named \*\.ndjson",
    "other": r"other: this folder holds nothing to load",
    "none*": r"none\*: nothing matches this pattern",
    "pipe": r"pipe: is a pipe, socket or device, not a file",
    "socket": r"socket: is a pipe, socket or device, not a file",
    "piped": r"piped/x\.json: is a pipe",
    "dangling": r"dangling: this link leads to no file",
    "dangled": r"dangled/x\.ndjson: this link leads to no file",
}


@pytest.mark.parametrize("name", list(USAGE))
def test_what_cannot_be_loaded_is_one_clear_error(tmp_path: Path, name: str) -> None:
    """One line that names the path and what it is."""
    for folder in ("empty", "piped", "dangled"):
        (tmp_path / folder).mkdir()
    _make(tmp_path, "other/readme.txt")
    _make(tmp_path, "readme")
    os.mkfifo(tmp_path / "pipe")
    os.mkfifo(tmp_path / "piped/x.json")
    (tmp_path / "dangling").symlink_to("nowhere")
    (tmp_path / "dangled/x.ndjson").symlink_to("nowhere")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.path.relpath(tmp_path / "socket"))  # the name of a socket must be short
        with pytest.raises(UsageError, match=USAGE[name]) as caught:
            select([tmp_path / name])
    assert "\n" not in str(caught.value)


def test_no_inputs() -> None:
    """Nothing named is a mistake too."""
    with pytest.raises(UsageError, match="nothing to load was named"):
        select([])


def test_a_name_that_is_not_text(tmp_path: Path) -> None:
    """It could not be kept in a receipt."""
    path = os.fsencode(tmp_path) + b"/\xff.ndjson"
    with open(path, "wb") as file:  # noqa: PTH123 - a path of bytes
        file.write(DATA)
    with pytest.raises(UsageError, match=r"udcff.ndjson': this file name is not UTF-8"):
        select([tmp_path])


def test_a_folder_that_may_not_be_entered(tmp_path: Path, as_nobody: None) -> None:
    """Not "there is no such folder": the system's own reason is in the message."""
    closed = tmp_path / "closed"
    if os.getuid() != 0:  # else tmp_path itself is closed to nobody
        closed.mkdir(mode=0)
    with pytest.raises(StorageError, match=r"closed.* cannot be read: Permission denied"):
        select([closed / "a.ndjson"])
