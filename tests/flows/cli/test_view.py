"""``clinmart view``: formats, exit codes, bad lines, broken views."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pytest

from flows.cli.main import main

COLUMNS = (
    {"name": "id", "path": "getResourceKey()", "type": "id"},
    {"name": "value", "path": "value.ofType(Quantity).value", "type": "decimal"},
    {"name": "rank", "path": "component.count()", "type": "integer"},
    {"name": "final", "path": "status = 'final'", "type": "boolean"},
    {"name": "note", "path": "note.first().text", "type": "string"},
    {"name": "codes", "path": "code.coding.code", "type": "code", "collection": True},
)
GOOD = (
    '{"resourceType":"Observation","id":"a","status":"final","code":{"coding":[{"code":"x"},{"code":"y"}]},'
    '"valueQuantity":{"value":1.10},"note":[{"text":"say \\"no\\", or\\nyes"}]}'
)
BARE = '{"resourceType":"Observation","id":"b"}'
OTHER = '{"resourceType":"Patient","id":"p","active":"never read"}'


@dataclass(frozen=True)
class Ran:
    """What a command came to."""

    code: int
    out: bytes
    err: str


Run = Callable[..., Ran]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]) -> Run:
    """Run ``clinmart view ...`` in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def clinmart(*arguments: str) -> Ran:
        monkeypatch.setattr(sys, "argv", ["clinmart", "view", *arguments])
        with pytest.raises(SystemExit) as left:
            main()
        captured = capfdbinary.readouterr()
        return Ran(int(left.value.code or 0), captured.out, captured.err.decode())

    return clinmart


def _view(columns: Sequence[Mapping[str, object]] = COLUMNS, resource: str = "Observation", **more: object) -> str:
    """Write a view and give the name of its file."""
    document = {"resourceType": "ViewDefinition", "resource": resource, "select": [{"column": [*columns]}], **more}
    Path("view.json").write_text(json.dumps(document))
    return "view.json"


def _lines(*lines: str, name: str = "in.ndjson") -> str:
    """Write lines and give the name of their file."""
    Path(name).write_text("".join(f"{line}\n" for line in lines))
    return name


def test_ndjson_keeps_digits_types_and_the_order_of_columns(run: Run) -> None:
    """1.10 stays 1.10 and is a number; integers, booleans, texts, lists and nulls are JSON's own."""
    ran = run("run", _view(), _lines(GOOD, OTHER, BARE))
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.decode().splitlines() == [
        '{"id":"a","value":1.10,"rank":0,"final":true,"note":"say \\"no\\", or\\nyes","codes":["x","y"]}',
        '{"id":"b","value":null,"rank":0,"final":null,"note":null,"codes":[]}',
    ]


def test_csv_is_rfc_4180(run: Run) -> None:
    """A header, CRLF, quotes only where needed, nothing for null, lists as JSON."""
    empty = BARE.replace('"b"', '"c","note":[{"text":""}]')
    ran = run("run", _view(), _lines(GOOD, BARE, empty), "--format", "csv")
    assert ran.code == 0
    assert ran.out.decode() == (
        "id,value,rank,final,note,codes\r\n"
        'a,1.10,0,true,"say ""no"", or\nyes","[""x"",""y""]"\r\n'
        "b,,0,,,[]\r\n"
        'c,,0,,"",[]\r\n'
    )
    rows = list(csv.reader(io.StringIO(ran.out.decode(), newline="")))
    assert rows[1][4:] == ['say "no", or\nyes', '["x","y"]']


def test_parquet_has_typed_columns(run: Run) -> None:
    """Numbers, booleans and lists have their type, on stdout and in a file."""
    piped = run("run", _view(), _lines(GOOD, BARE), "--format", "parquet")
    filed = run("run", "view.json", "in.ndjson", "--format", "parquet", "--out", "out.parquet")
    assert (piped.code, filed.code, filed.out) == (0, 0, b"")
    frame = pl.read_parquet(io.BytesIO(piped.out))
    assert frame.equals(pl.read_parquet("out.parquet"))
    assert dict(frame.schema) == {
        "id": pl.String,
        "value": pl.Float64,
        "rank": pl.Int64,
        "final": pl.Boolean,
        "note": pl.String,
        "codes": pl.List(pl.String),
    }
    assert frame.row(0) == ("a", 1.1, 0, True, 'say "no", or\nyes', ["x", "y"])


def test_a_tag_gives_a_decimal_its_type(run: Run) -> None:
    """``ansi/type`` decides what Parquet holds: exact numbers, or the digits as text."""
    value = {"name": "value", "path": "value.ofType(Quantity).value"}
    exact = value | {"tag": [{"name": "ansi/type", "value": "DECIMAL(9,3)"}]}
    text = value | {"name": "digits", "tag": [{"name": "ansi/type", "value": "VARCHAR"}]}
    run("run", _view((exact, text)), _lines(GOOD), "--format", "parquet", "--out", "o")
    frame = pl.read_parquet("o")
    assert frame.schema == {"value": pl.Decimal(9, 3), "digits": pl.String}
    assert frame["digits"].to_list() == ["1.10"]


@pytest.mark.parametrize("digits", ["1.10", "1e2", "-0.0", "0.00001", "12345678901234567890", "100", "7.0E-3"])
def test_digits_as_sent(run: Run, digits: str) -> None:
    """Whatever form a number has, JSON and CSV repeat it."""
    line = GOOD.replace("1.10", digits)
    assert f'"value":{digits},' in run("run", _view(), _lines(line)).out.decode()
    assert f"a,{digits},0" in run("run", "view.json", "in.ndjson", "--format", "csv").out.decode()


def test_bad_lines_are_left_out_and_counted(run: Run) -> None:
    """The good lines around bad ones come out; stderr counts by reason, without a value; the exit code is 3."""
    wrong = GOOD.replace("1.10", '"canary-1"')
    file = _lines(GOOD, '{"resourceType":"Observation","id":', wrong, '{"id":"canary-2"}', wrong, BARE)
    ran = run("run", _view(), file)
    assert ran.code == 3
    assert [json.loads(line)["id"] for line in ran.out.splitlines()] == ["a", "b"]
    assert ran.err == "clinmart: 4 lines refused: 2 wrong_type, 1 malformed_json, 1 no_resource_type\n"


def test_one_bad_line_is_said_in_the_singular(run: Run) -> None:
    """One line is no lines."""
    ran = run("run", _view(), _lines(BARE, "{"))
    assert ran.err == "clinmart: 1 line refused: 1 malformed_json\n"


def test_what_the_view_does_not_read_may_be_wrong(run: Run) -> None:
    """A view is no validator: an element that no column needs refuses nothing."""
    ran = run("run", _view(), _lines(BARE[:-1] + ',"subject":7}'))
    assert (ran.code, ran.out.count(b"\n")) == (0, 1)


def test_a_broken_view_is_one_line(run: Run) -> None:
    """Exit code 2, one line that says where, and nothing on stdout."""
    ran = run("run", _view(({"name": "a", "path": "code.codding.code"},)), _lines(GOOD))
    assert (ran.code, ran.out) == (2, b"")
    assert ran.err.count("\n") == 1
    assert "view.json: select[0].column[0] 'a'" in ran.err
    assert "codding" in ran.err


@pytest.mark.parametrize("text", ["{", "[]", '{"resource":"Observation"}', '{"resource":"Obs","select":[{}]}'])
def test_a_file_that_is_no_view(run: Run, text: str) -> None:
    """Whatever stands in the file, the answer is one line."""
    Path("v.json").write_text(text)
    for ran in (run("run", "v.json", _lines(GOOD)), run("check", "v.json")):
        assert (ran.code, ran.out, ran.err.count("\n")) == (2, b"", 1)
        assert ran.err.startswith("clinmart: v.json: ")


def test_several_values_for_one_column(run: Run) -> None:
    """The data break the view's promise: one line names the path and no value; a file is not left behind."""
    view = _view(({"name": "code", "path": "code.coding.code"},))
    ran = run("run", view, _lines(BARE, GOOD.replace('"x"', '"canary"')), "--out", "o.ndjson")
    assert (ran.code, ran.out) == (2, b"")
    assert ran.err == "clinmart: path code.coding.code: more than one item where one is expected\n"
    assert sorted(p.name for p in Path().iterdir()) == ["in.ndjson", "view.json"]


@pytest.mark.parametrize(("form", "expected"), [("ndjson", b""), ("csv", b"id,value,rank,final,note,codes\r\n")])
def test_a_type_that_does_not_occur(run: Run, form: str, expected: bytes) -> None:
    """No rows is a result: exit code 0, a header in CSV, and a word on stderr."""
    ran = run("run", _view(), _lines(OTHER), "--format", form)
    assert (ran.code, ran.out) == (0, expected)
    assert ran.err == "clinmart: no Observation among the lines read\n"


def test_an_empty_parquet_file_has_its_columns(run: Run) -> None:
    """Rows that a condition leaves out leave the columns."""
    run("run", _view(where=[{"path": "id = 'z'"}]), _lines(GOOD), "--format", "parquet", "--out", "o")
    frame = pl.read_parquet("o")
    assert frame.is_empty()
    assert frame.schema["value"] == pl.Float64()


def test_several_inputs_keep_their_order(run: Run) -> None:
    """Files in the order given, lines in their own."""
    many = [BARE.replace('"b"', f'"{n}"') for n in range(500)]
    ran = run("run", _view(({"name": "id", "path": "id"},)), _lines(*many, name="z"), _lines(GOOD), "--jobs", "3")
    assert [json.loads(line)["id"] for line in ran.out.splitlines()] == [*map(str, range(500)), "a"]


def test_resources_in_bundles(run: Run) -> None:
    """A Bundle's entries are read like lines."""
    bundle = f'{{"resourceType":"Bundle","type":"collection","entry":[{{"resource":{GOOD}}},{{"resource":{OTHER}}}]}}'
    ran = run("run", _view(), _lines(bundle, name="b.json"))
    assert (ran.code, ran.out.count(b"\n")) == (0, 1)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("view.json", "in.ndjson", "--format", "xml"), "ndjson, csv, parquet"),
        (("view.json", "in.ndjson", "--jobs", "0"), "--jobs is 0"),
        (("none.json", "in.ndjson"), "none.json cannot be read"),
        (("view.json", "none.ndjson"), "none.ndjson"),
    ],
)
def test_wrong_arguments(run: Run, arguments: tuple[str, ...], said: str) -> None:
    """One line, exit code 2."""
    _view()
    _lines(GOOD)
    ran = run("run", *arguments)
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, b"", 1)
    assert said in ran.err


def test_an_output_that_cannot_be_written(run: Run) -> None:
    """Storage is exit code 5."""
    ran = run("run", _view(), _lines(GOOD), "--out", "no/such/folder.csv")
    assert (ran.code, ran.err.count("\n")) == (5, 1)


def test_check_lists_the_columns(run: Run) -> None:
    """A right view is described: how many columns, of what, and their types."""
    ran = run("check", _view())
    assert ran.code == 0
    first, *columns = ran.out.decode().splitlines()
    assert first == "the view is right: 6 columns of Observation"
    assert columns[1].split() == ["value", "decimal", "(VARCHAR)"]
    assert columns[5].split() == ["codes", "code[]", "(VARCHAR[])"]


def test_show_prints_a_view_that_checks(run: Run) -> None:
    """What is shown for a table can be checked and run."""
    shown = run("show", "observation")
    assert shown.code == 0
    Path("o.json").write_bytes(shown.out)
    assert run("check", "o.json").code == 0
    row = json.loads(run("run", "o.json", _lines(GOOD)).out)
    assert (row["id"], row["value_number"], row["code"], row["value_type"]) == ("a", 1.1, "x", "Quantity")


def test_show_of_no_table(run: Run) -> None:
    """A name that is near another gets a hint."""
    ran = run("show", "observatoin")
    assert (ran.code, ran.out) == (2, b"")
    assert "did you mean observation?" in ran.err
