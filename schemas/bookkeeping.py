"""The tables of schema ``etl``: what was loaded, from where, what was refused and what was found on the way."""

from __future__ import annotations

from schemas.records import DISPOSITIONS
from schemas.table import Column

_COUNTS = ", ".join(f'"{name}" BIGINT' for name in ("read", *DISPOSITIONS))
COUNTS_DTYPE = f"STRUCT(resource_type VARCHAR, {_COUNTS})[]"
_TIME = "TIMESTAMP WITH TIME ZONE"

BOOKKEEPING: dict[str, tuple[Column, ...]] = {
    "mart": (
        Column("mart_version", "BIGINT", "Version of the mart's layout."),
        Column("created_at", _TIME, "When the mart was made."),
        Column("created_by", "VARCHAR", "The clinmart version that made it."),
        Column("models", "VARCHAR", "Hash of the tables and views that the clinmart which last loaded makes."),
        Column("mart_id", "VARCHAR", "Identity of the mart; what `<mart>.tail` says of another one is not about it."),
    ),
    "load": (
        Column("load_id", "VARCHAR", "Name of the load; rows carry it."),
        Column("source", "VARCHAR", "Name of the source, as given by `--source`."),
        Column("started_at", _TIME, "When the load began."),
        Column("finished_at", _TIME, "When its last commit ended; null while it runs or after it died."),
        Column("as_of", _TIME, "Time given to rows without `meta.lastUpdated`."),
        Column("status", "VARCHAR", "running, ok, quarantined, failed, drained or lost."),
        Column("bytes", "BIGINT", "Bytes of input on disk."),
        Column("seconds", "DOUBLE", "Wall time."),
        Column("resources", COUNTS_DTYPE, "Dispositions by resource type."),
        Column("clinmart_version", "VARCHAR", "The version that ran the load."),
    ),
    "commit": (
        Column("commit_id", "VARCHAR", "Name of the commit; `<mart>.tail` knows it by the same."),
        Column("number", "BIGINT", "Its number in the mart's commits, from 1 on."),
        Column("load_id", "VARCHAR", "The load that made it."),
        Column("source", "VARCHAR", "Name of the source."),
        Column("committed_at", _TIME, "When it was made."),
        Column("receipts", "BIGINT", "Partitions that it brought in."),
        Column("options", "VARCHAR", "Options of the load that shape its rows, as a JSON object."),
        Column("note", "VARCHAR", "What became of it when it had been lost, in words; else null."),
        Column("noted_at", _TIME, "When that was decided."),
    ),
    "receipt": (
        Column("source", "VARCHAR", "Name of the source."),
        Column("sha256", "VARCHAR", "SHA-256 of the partition's bytes on disk, in hex."),
        Column("size", "BIGINT", "Bytes of the partition on disk."),
        Column("uri", "VARCHAR", "The file as it was named."),
        Column("range_start", "BIGINT", "First byte of the partition in the file."),
        Column("as_of", _TIME, "Time given to its rows without `meta.lastUpdated`."),
        Column("as_of_given", "BOOLEAN", "Whether that time was told (option or manifest), not the load's start."),
        Column("lines", "BIGINT", "Lines in the partition, blank ones included."),
        Column("load_id", "VARCHAR", "The load that committed it."),
        Column("committed_at", _TIME, "When it was committed."),
        Column("resources", COUNTS_DTYPE, "Lines read, quarantined and suppressed by resource type."),
        Column("commit_id", "VARCHAR", "The commit that brought it in."),
    ),
    "view": (
        Column("name", "VARCHAR", "Name of the view and of its table in `main`."),
        Column("resource_type", "VARCHAR", "FHIR resource type that it is made of."),
        Column("definition", "VARCHAR", "Its SQL on FHIR ViewDefinition, as JSON."),
        Column("added_at", _TIME, "When it was added; files loaded before are read again for it."),
    ),
    "watermark": (
        Column("source", "VARCHAR", "Name of the source."),
        Column("resource_type", "VARCHAR", "FHIR resource type."),
        Column(
            "read_cursor", _TIME, "Greatest time up to which the source was asked and all files were accounted for."
        ),
        Column("event_watermark", _TIME, "Greatest `last_updated` seen."),
        Column("updated_at", _TIME, "When this row changed."),
    ),
    "quarantine": (
        Column("quarantine_id", "VARCHAR", "Name of the refused line: hash of source, file, position and payload."),
        Column("load_id", "VARCHAR", "The load that refused it."),
        Column("source", "VARCHAR", "Name of the source."),
        Column("uri", "VARCHAR", "The file."),
        Column("line", "BIGINT", "1-based line in the file; the entry's number in a Bundle."),
        Column("byte_offset", "BIGINT", "Byte offset in the (decompressed) file."),
        Column("resource_type", "VARCHAR", "FHIR resource type, `Unknown` where it could not be told."),
        Column("resource_id", "VARCHAR", "Id of the resource, where it could be read.", phi=True),
        Column("reason", "VARCHAR", "Stable reason code; the documentation lists them."),
        Column("column_name", "VARCHAR", "Column or JSON path that is at fault."),
        Column("check_name", "VARCHAR", "The check that failed."),
        Column("message", "VARCHAR", "What is wrong, in words, without the value."),
        Column("payload", "BLOB", "The line as received.", phi=True),
        Column(
            "payload_bytes", "BIGINT", "Its length; more than the payload holds when the line was too long to keep."
        ),
        Column("quarantined_at", _TIME, "When it was committed."),
        Column("state", "VARCHAR", "open, replayed or dead."),
    ),
    "validation": (
        Column("load_id", "VARCHAR", "The load."),
        Column("source", "VARCHAR", "Name of the source."),
        Column("resource_type", "VARCHAR", "FHIR resource type."),
        Column("id", "VARCHAR", "Id of the resource.", phi=True),
        Column("finding", "VARCHAR", "sample (fhir.resources) or note."),
        Column("path", "VARCHAR", "Element, or column of it, that it is about."),
        Column("code", "VARCHAR", "Stable code of a note; for a sample the kind of fault that fhir.resources tells."),
        Column("message", "VARCHAR", "What was found, in words, without the value."),
    ),
    "unread": (
        Column("load_id", "VARCHAR", "The load."),
        Column("source", "VARCHAR", "Name of the source."),
        Column("resource_type", "VARCHAR", "FHIR resource type."),
        Column("path", "VARCHAR", "An element path that no column reads."),
        Column("rows", "BIGINT", "Sampled rows that have it."),
        Column("sampled", "BIGINT", "Rows sampled of this type."),
    ),
}

RESOURCE_COLUMNS: tuple[Column, ...] = (
    Column("type", "VARCHAR", "FHIR resource type, for types without a table of their own."),
    Column("json", "VARCHAR", "The resource whole, as received.", phi=True),
)
