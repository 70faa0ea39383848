"""`clinmart load` of HL7 v2: the same tables, patches that wipe nothing, and no message lost without a word."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.flows.inputs import Outcome, contents, query

Clinmart = Callable[..., Outcome]

ADDRESS = "1 Main St^^Town^ST^12345"


def message(control: str, kind: str, at: str, *segments: str, charset: str = "") -> str:
    """A message, its segments ended by carriage returns."""
    head = f"MSH|^~\\&|LAB|HOSP|CLIN|HOSP|{at}||{kind}|{control}|P|2.5.1{'|' * 6 if charset else ''}{charset}"
    return "".join(f"{segment}\r" for segment in (head, *segments))


def admission(control: str, at: str, address: str = ADDRESS, name: str = "Doe^Jane") -> str:
    return message(control, "ADT^A01", at, f"PID|1||p1^^^HOSP^MR||{name}||19800102|F|||{address}", "ZPD|1|mine")


def result(control: str, at: str, value: str = "5.40", status: str = "F") -> str:
    return message(
        control,
        "ORU^R01",
        at,
        "PID|1||p1^^^HOSP^MR",
        "OBR|1|pl1|fi1|24323-8^Panel^LN|||20240301120000",
        f"OBX|1|NM|2345-7^Glucose^LN||{value}|mmol/L^^UCUM|3.9-5.6|N|||{status}|||20240301120000",
    )


@pytest.fixture
def mart(tmp_path: Path) -> Path:
    return tmp_path / "m.duckdb"


def load(clinmart: Clinmart, mart: Path, file: Path, *more: object) -> dict[str, Any]:
    """The report of a load."""
    outcome = clinmart("load", file, "--mart", mart, "--source", "lab", "--zone", "Europe/Berlin", "--json", *more)
    assert outcome.code in (0, 3), outcome.err
    report: dict[str, Any] = outcome.json
    for counts in (*report["resources"].values(), *report["inputs"].values()):
        kept = ("applied", "superseded", "duplicate", "quarantined", "suppressed")
        assert counts["read"] == sum(counts[name] for name in kept)
    return report


def written(path: Path, *messages: str, encoding: str = "utf-8") -> Path:
    path.write_bytes("".join(messages).encode(encoding))
    return path


def test_result(clinmart: Clinmart, mart: Path, tmp_path: Path) -> None:
    """Value, digits, unit, code, range, flag and times of a result, in the zone of the load."""
    report = load(
        clinmart, mart, written(tmp_path / "a.hl7", admission("1", "20240301100000"), result("2", "20240301130000"))
    )
    assert report["inputs"] == {
        kind: {"read": 1, "applied": 1, "superseded": 0, "duplicate": 0, "quarantined": 0, "suppressed": 0}
        for kind in ("ADT_A01", "ORU_R01")
    }
    assert query(
        mart,
        "SELECT code, value_number, value_literal, value_unit, unit_status, status, effective_at, effective_precision, "
        "reference_range_low_number, patient_id = (SELECT id FROM patient) FROM observation",
    ) == [("2345-7", 5.4, "5.40", "mmol/L", "ucum", "final", datetime(2024, 3, 1, 11, tzinfo=UTC), "second", 3.9, True)]
    assert query(mart, "SELECT name_family, gender, birth_date::VARCHAR, address_city, mrn FROM patient") == [
        ("Doe", "female", "1980-01-02", "Town", "p1")
    ]
    assert query(mart, "SELECT segment, text, message_type FROM hl7_segment") == [("ZPD", "ZPD|1|mine", "ADT_A01")]


def test_sparse_message_wipes_nothing_in_any_order(clinmart: Clinmart, tmp_path: Path) -> None:
    """Absent keeps, "" clears; the tables do not depend on the order, the cut or the repetition of messages."""
    stream = [
        admission("1", "20240301100000"),
        result("2", "20240301110000"),
        result("3", "20240301120000", value="6.1", status="C"),
        message("4", "ADT^A08", "20240301130000", 'PID|1||p1^^^HOSP^MR||Doe^Janet||""|F'),
        result("5", "20240301140000", value="7.0", status="C"),
    ]
    found = []
    for n in range(4):
        shuffled = [*stream, *random.Random(n).choices(stream, k=2 * (n > 0))]
        if n:
            random.Random(n).shuffle(shuffled)
        at = tmp_path / f"m{n}"
        for part, begin in enumerate(range(0, len(shuffled), 3 if n % 2 else 10)):
            load(clinmart, at, written(tmp_path / f"{n}-{part}.hl7", *shuffled[begin : begin + (3 if n % 2 else 10)]))
        found.append(contents(at) | {"main.hl7_segment": []})  # which names the file
    assert found[0] == found[1] == found[2] == found[3]
    assert query(tmp_path / "m0", "SELECT name_given, birth_date, address_city, gender FROM patient") == [
        (["Janet"], None, "Town", "female")
    ]
    assert query(tmp_path / "m0", "SELECT value_number, status FROM observation") == [(7.0, "corrected")]
    assert query(tmp_path / "m0", "SELECT count(*) FROM history.observation") == [(2,)]


def test_again_is_duplicate(clinmart: Clinmart, mart: Path, tmp_path: Path) -> None:
    """A file that is known is not read again, and its messages are counted; in another file they are no news."""
    file = written(tmp_path / "a.hl7", admission("1", "20240301100000"))
    load(clinmart, mart, file)
    before = contents(mart)
    assert load(clinmart, mart, file)["inputs"]["ADT_A01"]["duplicate"] == 1
    other = load(clinmart, mart, written(tmp_path / "b.hl7", "\r", admission("1", "20240301100000")))
    assert other["resources"]["Patient"]["duplicate"] == 1
    assert contents(mart) == before


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"MSH|^~\\", "malformed_header"),
        (b"MSH|||||||||||||", "malformed_header"),
        (b"not a message", "no_message"),
        (b"\x0bMSH|^~\\&|A|B|C|D|20240101||ADT^A01|1|P|2.5\rPID|1||x^^^H^MR", "message_cut"),
        (admission("1", "20240301", name="M\xfcller").encode("latin-1"), "charset_mismatch"),
        (message("1", "ADT^A01", "20240301", "PID|1||x||M\xfcller", charset="KLINGON").encode(), "unknown_charset"),
        (admission("1", "20240399").encode(), "invalid_time"),
    ],
)
def test_refused(clinmart: Clinmart, mart: Path, tmp_path: Path, data: bytes, reason: str) -> None:
    """With its bytes and a stable reason, exit 3; the messages around it load."""
    file = tmp_path / "a.hl7"
    good = result("9", "20240301100000").encode()
    file.write_bytes(good + data if not data.startswith(b"not") else data + b"\r" + good)
    report = load(clinmart, mart, file)
    assert report["status"] == "quarantined"
    ((found, payload),) = query(mart, "SELECT reason, payload FROM etl.quarantine")
    assert (found, bytes(payload).strip(b"\r\n\x0b")) == (reason, data.strip(b"\r\n\x0b"))
    assert query(mart, "SELECT count(*) FROM observation") == [(1,)]


@pytest.mark.parametrize(
    ("encoding", "charset", "option"),
    [("latin-1", "8859/1", None), ("latin-1", "", "8859/1"), ("gb18030", "GB 18030-2000", None), ("utf-8", "", None)],
)
def test_character_sets(
    clinmart: Clinmart, mart: Path, tmp_path: Path, encoding: str, charset: str, option: str | None
) -> None:
    """That MSH-18 names, or the user for messages that name none."""
    name = "\u7530" if encoding == "gb18030" else "M\xfcller"
    file = written(
        tmp_path / "a.hl7",
        message("1", "ADT^A01", "20240301", f"PID|1||x^^^H^MR||{name}", charset=charset),
        encoding=encoding,
    )
    load(clinmart, mart, file, *(() if option is None else ("--charset", option)))
    assert query(mart, "SELECT name_family FROM patient") == [(name,)]
    assert query(mart, "SELECT count(*) FROM etl.validation WHERE path = 'MSH-18'") == [(0,)]


@pytest.mark.parametrize(
    ("encoding", "charset", "option", "code", "read"),
    [
        ("utf-8", "ASCII", None, "charset_mismatch", "Müller"),
        ("utf-8", "UNICODE UTF-16", None, "charset_mismatch", "Müller"),
        ("utf-8", "ISO IR87", None, "charset_mismatch", "Müller"),
        ("utf-8", "8859/1", None, "charset_doubtful", "MÃ¼ller"),
        ("utf-8", "", "8859/1", "charset_doubtful", "MÃ¼ller"),
    ],
)
def test_wrong_character_set(
    clinmart: Clinmart,
    mart: Path,
    tmp_path: Path,
    encoding: str,
    charset: str,
    option: str | None,
    code: str,
    read: str,
) -> None:
    """A message that is of another set than it names is told, by its control id."""
    wrong = message("id7", "ADT^A01", "20240301", "PID|1||x^^^H^MR||Müller", charset=charset)
    right = message("id8", "ADT^A01", "20240302", "PID|1||y^^^H^MR||Muller", charset=charset)
    file = written(tmp_path / "a.hl7", right, wrong, encoding=encoding)
    load(clinmart, mart, file, *(() if option is None else ("--charset", option)))
    assert query(mart, "SELECT name_family FROM patient ORDER BY 1") == [("Muller",), (read,)]
    assert query(
        mart, "SELECT resource_type, id, finding, code FROM etl.validation WHERE path = 'MSH-18' AND source = 'lab'"
    ) == [("ADT_A01", "id7", "note", code)]


def test_formats_together(clinmart: Clinmart, mart: Path, tmp_path: Path) -> None:
    """A folder of both is told apart; --format takes one of them; an unknown charset is a usage error."""
    folder = tmp_path / "in"
    folder.mkdir()
    written(folder / "a.hl7", result("1", "20240301100000"))
    written(folder / "b.ndjson", '{"resourceType": "Patient", "id": "q"}\n')
    assert load(clinmart, mart, folder)["resources"]["Patient"]["read"] == 2
    only = load(clinmart, tmp_path / "m2", folder, "--format", "hl7v2")
    assert (only["resources"]["Patient"]["read"], "Unknown" in only["resources"]) == (1, False)
    bad = clinmart("load", folder, "--mart", mart, "--source", "x", "--charset", "nope")
    assert (bad.code, bad.err.count("\n")) == (2, 1)


def test_replay(clinmart: Clinmart, mart: Path, tmp_path: Path) -> None:
    """A refused message is run whole again: after a look at its character set it goes in; what is still bad stays."""
    wrong = admission("1", "20240301", name="M\xfcller").encode("latin-1")
    file = tmp_path / "a.hl7"
    file.write_bytes(
        wrong + admission("2", "20240301", name="B").replace("19800102", "19809999").encode() + b"\x0bMSH|^"
    )
    load(clinmart, mart, file)
    reasons = "SELECT reason, state, attempts FROM etl.quarantine ORDER BY 1"
    before = query(mart, reasons)
    assert [reason for reason, *_ in before] == ["charset_mismatch", "invalid_time", "message_cut"]
    zone = ("--zone", "Europe/Berlin")
    done = clinmart("quarantine", "replay", "--mart", mart, *zone, "--charset", "8859/1", "--json")
    assert (done.code, done.json["replayed"], done.json["open"], done.json["cut_short"]) == (3, 1, 1, 1)
    assert query(mart, reasons) == [
        ("charset_mismatch", "replayed", 0),
        ("invalid_time", "open", 1),
        ("message_cut", "open", None),
    ]
    assert query(mart, "SELECT name_family FROM patient") == [("M\xfcller",)]


def test_to_fhir(clinmart: Clinmart, mart: Path, tmp_path: Path) -> None:
    """The accepted rows as FHIR that another mart loads to the same values and that fhir.resources takes."""
    bad = admission("3", "20240301100000").replace("19800102", "19809999")
    file = written(tmp_path / "a.hl7", result("2", "20240301130000"), admission("1", "20240301100000"), bad)
    load(clinmart, mart, file, "--to-fhir", tmp_path / "fhir")
    assert {path.name.split(".")[0] for path in (tmp_path / "fhir").iterdir()} >= {"Patient", "Observation"}
    again = clinmart("load", tmp_path / "fhir", "--mart", tmp_path / "m2", "--source", "lab", "--sample", "1", "--json")
    assert (again.code, again.json["status"]) == (0, "ok"), again.out
    rows = "SELECT id, code, value_literal, value_unit, status, effective_at, patient_id FROM observation"
    assert query(mart, rows) == query(tmp_path / "m2", rows)
    (tmp_path / "file").write_bytes(b"")
    no = clinmart("load", file, "--mart", mart, "--source", "other", "--to-fhir", tmp_path / "file")
    assert (no.code, no.err.count("\n")) == (5, 1)


def test_no_zone(clinmart: Clinmart, mart: Path, tmp_path: Path) -> None:
    """Without a zone no instant is invented, and the order of messages is that of their clocks all the same."""
    for number, file in enumerate(("20240302100000", "20240301100000")):
        at = written(tmp_path / f"{number}.hl7", admission(str(number), file, name=f"N{number}"))
        assert clinmart("load", at, "--mart", mart, "--source", "lab").code == 0
    assert query(mart, "SELECT name_family FROM patient") == [("N0",)]
