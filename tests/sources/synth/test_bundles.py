"""The same records as Bundles."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path
from typing import Any

import pytest
from fhir.resources.R4B.bundle import Bundle

from schemas.errors import UsageError
from sources.synth import SynthPlan, write_bundles, write_synth

_PLAN = SynthPlan(patients=4, seed=5)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ...]:
    """The Bundles of four patients."""
    return write_bundles(_PLAN, tmp_path_factory.mktemp("bundles") / "out")


def _bundle(path: Path) -> dict[str, Any]:
    bundle: dict[str, Any] = json.loads(path.read_bytes())
    return bundle


def test_there_is_one_for_each_patient(files: tuple[Path, ...]) -> None:
    """One Bundle a patient, collections and transactions in turn, then the Groups."""
    assert [path.name for path in files] == [
        "patient.000000.json",
        "patient.000001.json",
        "patient.000002.json",
        "patient.000003.json",
        "group.000.json",
    ]
    kinds = [_bundle(path)["type"] for path in files]
    assert kinds == ["collection", "transaction", "collection", "transaction", "collection"]
    for path in files[:-1]:
        types = [entry["resource"]["resourceType"] for entry in _bundle(path)["entry"]]
        assert types.count("Patient") == 1


def test_fhir_resources_accepts_them(files: tuple[Path, ...]) -> None:
    """The R4B model of Bundle accepts a collection, a transaction and the Groups."""
    for path in (files[0], files[1], files[-1]):
        Bundle.model_validate_json(path.read_bytes())


def test_references_resolve_within(files: tuple[Path, ...]) -> None:
    """In a patient's Bundle every reference is the fullUrl of an entry or a contained resource."""
    for path in files[:-1]:
        known = {entry["fullUrl"] for entry in _bundle(path)["entry"]}
        assert len(known) == len(_bundle(path)["entry"])
        references = set(re.findall(r'"reference":"([^"]+)"', path.read_text()))
        assert {reference for reference in references if not reference.startswith("#")} <= known
        assert all(url.startswith("urn:uuid:") for url in known)


def test_transactions_say_what_to_do(files: tuple[Path, ...]) -> None:
    """bdl-3: the entries of a transaction have requests, those of a collection have none."""
    for path in files:
        bundle = _bundle(path)
        for entry in bundle["entry"]:
            resource = entry["resource"]
            if bundle["type"] == "transaction":
                url = f"{resource['resourceType']}/{resource['id']}"
                assert entry["request"] == {"method": "PUT", "url": url}
            else:
                assert "request" not in entry


def test_they_hold_what_the_export_holds(files: tuple[Path, ...], tmp_path: Path) -> None:
    """Bundles and NDJSON hold the same resources, but for the form of the references."""
    write_synth(_PLAN, tmp_path / "export")
    exported = {
        _without_form(json.loads(line, parse_float=str))
        for path in (tmp_path / "export").glob("*.ndjson")
        for line in path.read_bytes().splitlines()
    }
    bundled = {
        _without_form(entry["resource"])
        for path in files
        for entry in json.loads(path.read_bytes(), parse_float=str)["entry"]
    }
    assert bundled == exported


def _without_form(resource: dict[str, Any]) -> str:
    """The resource with the bare ids of what it refers to; numbers keep their digits."""
    return re.sub(r'"reference": "(?:[A-Za-z]+/|urn:uuid:)', '"reference": "', json.dumps(resource))


def test_they_can_be_compressed(tmp_path: Path, files: tuple[Path, ...]) -> None:
    """A gzipped Bundle holds the same."""
    packed = write_bundles(SynthPlan(patients=1, seed=5, compress="gz"), tmp_path / "out")
    assert packed[0].name == "patient.000000.json.gz"
    assert gzip.decompress(packed[0].read_bytes()) == files[0].read_bytes()


def test_a_subset_keeps_relative_references(tmp_path: Path) -> None:
    """A reference to what is not in the Bundle stays relative, so that it can still be resolved elsewhere."""
    files = write_bundles(SynthPlan(patients=1, types={"Patient", "Encounter"}), tmp_path / "out")
    text = files[0].read_text()
    assert '"reference":"Organization/' in text
    assert '"subject":{"reference":"urn:uuid:' in text


@pytest.mark.parametrize("wrong", [{"dirty": 0.1}, {"versions": 0.1}, {"size": 1000}, {"file_bytes": 1000}])
def test_what_bundles_do_not_have_is_refused(tmp_path: Path, wrong: dict[str, Any]) -> None:
    """Faults, versions, a size and parts are for NDJSON."""
    with pytest.raises(UsageError, match="Bundles have no"):
        write_bundles(SynthPlan(**wrong), tmp_path / "out")
