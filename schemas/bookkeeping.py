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
        Column("inputs", COUNTS_DTYPE, "Dispositions of HL7 v2 messages, C-CDA documents and lines of extracts."),
        Column("late", 'STRUCT(resource_type VARCHAR, "rows" BIGINT)[]', "Rows and deletes that came late, by type."),
        Column(
            "unrouted", "BIGINT", "Of these messages, those that no rule of `--routes` took, and that are kept whole."
        ),
        Column(
            "kind", "VARCHAR", "load, replay, refresh, listen or consume; null in rows of versions that only loaded."
        ),
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
        Column("trail", "VARCHAR", "Identity of the audit trail that tells of it; null in marts of older versions."),
        Column("record", "BIGINT", "Number of the trail's record of what was to be done."),
        Column("record_hash", "VARCHAR", "Hash of that record, in hex."),
        Column("versions", "VARCHAR", "Versions that are new in the mart by it, as in the audit record, in JSON."),
    ),
    "receipt": (
        Column("source", "VARCHAR", "Name of the source."),
        Column("sha256", "VARCHAR", "SHA-256 of its bytes on disk, in hex; for one of deletes, of `deletes` and that."),
        Column("size", "BIGINT", "Bytes of the partition on disk."),
        Column("uri", "VARCHAR", "The file as it was named."),
        Column("range_start", "BIGINT", "First byte of the partition in the file."),
        Column("as_of", _TIME, "Time given to its rows without `meta.lastUpdated`."),
        Column("as_of_given", "BOOLEAN", "Whether that time was told (option or manifest), not the load's start."),
        Column("lines", "BIGINT", "Lines in the partition, blank ones included."),
        Column("load_id", "VARCHAR", "The load that committed it."),
        Column("committed_at", _TIME, "When it was committed."),
        Column("resources", COUNTS_DTYPE, "Lines read, quarantined and suppressed by resource type."),
        Column("refused", "VARCHAR[]", "The `quarantine_id` of each of its lines that was quarantined then."),
        Column("held", "BIGINT", "Lines that were late and not let in; with `--late-policy merge` it is read again."),
        Column("commit_id", "VARCHAR", "The commit that brought it in."),
        Column("inputs", COUNTS_DTYPE, "Messages, documents and lines of extracts, read and quarantined."),
        Column(
            "unrouted", "BIGINT", "Of these messages, those that no rule of `--routes` took, and that are kept whole."
        ),
        Column("routes", "VARCHAR", "SHA-256 of the rules that routed its messages, in hex; null without `--routes`."),
        Column("mapping", "VARCHAR", "SHA-256 of what the mapping says of it, in hex; null unless it is an extract."),
    ),
    "object": (
        Column("source", "VARCHAR", "Name of the source."),
        Column("uri", "VARCHAR", "Address of an object that was read to its end."),
        Column("range_start", "BIGINT", "First byte of the partition in the object."),
        Column("size", "BIGINT", "Bytes of the partition."),
        Column("deletes", "BOOLEAN", "Whether it was read as one of deletes."),
        Column("etag", "VARCHAR", "What the store called its content; with that it is not read again."),
        Column("sha256", "VARCHAR", "The SHA-256 of its receipt, in hex."),
        Column("load_id", "VARCHAR", "The load that read it."),
        Column("noted_at", _TIME, "When that was noted."),
    ),
    "mapping": (
        Column("source", "VARCHAR", "Name of the source."),
        Column("entry", "VARCHAR", "Files and table of an entry of a mapping of extracts."),
        Column("number", "BIGINT", "1 for the first, one more for each change; from 2 on rows have it as version_id."),
        Column("sha256", "VARCHAR", "SHA-256 of all that the entry says, in hex."),
        Column("uri", "VARCHAR", "The mapping file as it was named."),
        Column("text", "VARCHAR", "The mapping file whole."),
        Column("load_id", "VARCHAR", "The load that first used it."),
        Column("noted_at", _TIME, "When that was committed."),
    ),
    "tombstone": (
        Column("source", "VARCHAR", "Name of the source."),
        Column("resource_type", "VARCHAR", "FHIR resource type."),
        Column("id", "VARCHAR", "Id of the resource that was deleted.", phi=True),
        Column("version_id", "VARCHAR", "Version that the delete made, where it was told."),
        Column("last_updated", _TIME, "When it was deleted; without a time of its own, when that was last told."),
        Column("last_updated_nanos", "SMALLINT", "Nanoseconds below the microsecond of `last_updated`."),
        Column("content_hash", "BLOB", "SHA-256 of what the delete says: type, id, version and time of its own."),
        Column("load_id", "VARCHAR", "The load that first told it."),
        Column(
            "superseded_by", "VARCHAR", "The load that brought a greater version; null while the resource is deleted."
        ),
    ),
    "message": (
        Column("source", "VARCHAR", "Name of the source."),
        Column("sending_application", "VARCHAR", "MSH-3 as sent."),
        Column("sending_facility", "VARCHAR", "MSH-4 as sent."),
        Column("control_id", "VARCHAR", "MSH-10: with the two above the name of the message."),
        Column("sha256", "VARCHAR", "SHA-256 of the message's bytes, in hex."),
        Column("received_at", _TIME, "When a listener had read it whole."),
        Column("load_id", "VARCHAR", "The listener's run that took it in."),
        Column("payload", "BLOB", "The message as received; null once erased, or older than its policy.", phi=True),
        Column("number", "BIGINT", "Its number among the source's messages, from 1 on."),
        Column("reason", "VARCHAR", "Why it was answered AE or stands in the quarantine; null: neither."),
    ),
    "listener": (
        Column("source", "VARCHAR", "Name of the source."),
        Column("settled", "BIGINT", "Of all its messages up to this `number` the rows are in the tables."),
        Column("load_id", "VARCHAR", "The run that made the last of them."),
        Column("updated_at", _TIME, "When that was committed."),
    ),
    "consumer": (
        Column("source", "VARCHAR", "Name of the source."),
        Column("broker", "VARCHAR", "kafka, rabbitmq or sqs."),
        Column("place", "VARCHAR", "Topic or queue."),
        Column("partition", "BIGINT", "Partition of the topic; null for a queue."),
        Column("next_offset", "BIGINT", "Offset of the first message that is not in the mart; null for a queue."),
        Column("messages", "BIGINT", "Messages that were committed, those that came again among them."),
        Column("lag", "BIGINT", "Messages that were waiting there at the last commit; null where it is not told."),
        Column("load_id", "VARCHAR", "The run that made the last commit."),
        Column("updated_at", _TIME, "When that was."),
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
        Column("event_watermark", _TIME, "Greatest `meta.lastUpdated` that rows or deletes brought with them."),
        Column("updated_at", _TIME, "When this row changed."),
        Column(
            "settled_watermark",
            _TIME,
            "The event watermark when a load last took in all it was given; less the lateness of the next load, what "
            "lies before it is late.",
        ),
        Column("lateness_seconds", "DOUBLE", "The `--lateness` of that load, in seconds."),
    ),
    "export": (
        Column("source", "VARCHAR", "Name of the source."),
        Column("scope", "VARCHAR", "What is exported: address and parameters of the `$export`, without `_since`."),
        Column(
            "read_cursor", _TIME, "`transactionTime` up to which all of it is in the mart; the next export goes on."
        ),
        Column("load_id", "VARCHAR", "The load that moved it."),
        Column("updated_at", _TIME, "When it moved."),
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
        Column(
            "state",
            "VARCHAR",
            "open; replayed: a replay took the line in; replaced: a corrected line was loaded for it; dead: given up "
            "after too many attempts.",
        ),
        Column("as_of", _TIME, "The greatest time at which the line was seen; of its row if it has no other."),
        Column(
            "resolved",
            "VARCHAR",
            "The line with its Bundle's references and id, where those differ; of an extract its columns.",
            phi=True,
        ),
        Column("attempts", "BIGINT", "How often a replay has refused it again; null: never."),
        Column("last_attempt_at", _TIME, "When a replay last ran it; `reason` and `message` are of then."),
        Column("settled_by", "VARCHAR", "The replay that took it in, or the load of the corrected line."),
        Column("settled_at", _TIME, "When that was committed."),
    ),
    "erasure": (
        Column("erasure_id", "VARCHAR", "Name of the erasure of one or several people."),
        Column("asked_at", _TIME, "When it began: from then on what is theirs is suppressed."),
        Column("finished_at", _TIME, "When the mart without them was made; null before."),
        Column("status", "VARCHAR", "pending (run it again), done, or residue (something of them is left)."),
        Column("reason", "VARCHAR", "Why, as given by `--reason`."),
        Column("people", "BIGINT", "How many Patient resources were erased, or only listed."),
        Column("certificate", "VARCHAR", "What was destroyed and checked, as signed JSON; no value of a patient."),
    ),
    "suppression": (
        Column("source", "VARCHAR", "Name of the source."),
        Column("resource_type", "VARCHAR", "FHIR resource type; `identifier` for the value of an identifier."),
        Column("key_id", "VARCHAR", "The key that the token is made with."),
        Column("token", "BLOB", "HMAC-SHA256 of source, type and id (first 16 bytes) of what must not be loaded."),
        Column("erasure_id", "VARCHAR", "The erasure that listed it (`etl.erasure`)."),
        Column("listed_at", _TIME, "When; files that were loaded before are read again when they are given again."),
    ),
    "hold": (
        Column("data_class", "VARCHAR", "Class of data that is held; null: all classes."),
        Column("source", "VARCHAR", "Source that is held; null: all sources."),
        Column("token", "BLOB", "Token of a patient who is held, as in `etl.suppression`; null: everybody."),
        Column("why", "VARCHAR", "Why, as the policy says."),
        Column("noted_at", _TIME, "When `clinmart retain` last read it in a policy."),
    ),
    "validation": (
        Column("load_id", "VARCHAR", "The load."),
        Column("source", "VARCHAR", "Name of the source."),
        Column("resource_type", "VARCHAR", "FHIR resource type; of a note on an HL7 v2 message its type."),
        Column(
            "id",
            "VARCHAR",
            "Id of the resource; of a note on a message its MSH-10; null of one on many rows.",
            phi=True,
        ),
        Column(
            "finding", "VARCHAR", "sample (fhir.resources), display (the crosswalk names the code otherwise) or note."
        ),
        Column("path", "VARCHAR", "Element, or column of it, that it is about."),
        Column("code", "VARCHAR", "Stable code of a note; for a sample the kind of fault that fhir.resources tells."),
        Column("message", "VARCHAR", "What was found, in words, without the value."),
        Column("rows", "BIGINT", "Of a note that is told once for all rows of a commit: how many; else null."),
    ),
    "unread": (
        Column("load_id", "VARCHAR", "The load."),
        Column("source", "VARCHAR", "Name of the source."),
        Column("resource_type", "VARCHAR", "FHIR resource type, or HL7 v2 segment."),
        Column("path", "VARCHAR", "An element path that no column reads, or a field that no map reads (`PID-28`)."),
        Column("rows", "BIGINT", "Sampled rows that have it; of segments all are looked at."),
        Column("sampled", "BIGINT", "Rows sampled of this type, or segments."),
    ),
    "alias": (
        Column("load_id", "VARCHAR", "The load."),
        Column("source", "VARCHAR", "Name of the source."),
        Column("resource_type", "VARCHAR", "FHIR resource type."),
        Column("column_name", "VARCHAR", "Coded column; within lists `list.column`."),
        Column("sent", "VARCHAR", "Code system as it was sent."),
        Column("canonical", "VARCHAR", "Its canonical URI, which stands in the mart."),
        Column("codings", "BIGINT", "Codings that had it, in all lines read."),
    ),
    "crosswalk": (
        Column("load_id", "VARCHAR", "The load that was given the map."),
        Column("uri", "VARCHAR", "The file as it was named."),
        Column("sha256", "VARCHAR", "SHA-256 of the file's bytes, in hex."),
        Column("url", "VARCHAR", "Canonical URL of the ConceptMap; null for CSV."),
        Column("version", "VARCHAR", "Version of the ConceptMap, or `map_version`."),
        Column("entries", "BIGINT", "Entries of the map."),
    ),
    "crosswalk_entry": (
        Column("sha256", "VARCHAR", "SHA-256 of the file that the entry stands in (`etl.crosswalk`)."),
        Column("url", "VARCHAR", "Canonical URL of the ConceptMap; null for CSV."),
        Column("version", "VARCHAR", "Version of the ConceptMap, or `map_version`."),
        Column("source_system", "VARCHAR", "Canonical URI of the code system that is mapped."),
        Column("source_version", "VARCHAR", "Version of it that the map is made for."),
        Column("source_code", "VARCHAR", "The code; null for what the map gives for codes that it does not list."),
        Column("source_display", "VARCHAR", "Display of the code, by the map."),
        Column("target_system", "VARCHAR", "Canonical URI of the code system mapped to."),
        Column("target_version", "VARCHAR", "Version of it that the map is made for."),
        Column("target_code", "VARCHAR", "The target; null where the map has none."),
        Column("target_display", "VARCHAR", "Display of the target, by the map."),
        Column("equivalence", "VARCHAR", "What the target is to the code (R4), or the code to the target (R5)."),
        Column("conditional", "BOOLEAN", "Whether it holds only together with other elements."),
    ),
    "unmapped": (
        Column("load_id", "VARCHAR", "The load."),
        Column("source", "VARCHAR", "Name of the source."),
        Column("resource_type", "VARCHAR", "FHIR resource type."),
        Column("column_name", "VARCHAR", "Coded column; within lists `list.column`."),
        Column("system", "VARCHAR", "Code system, one that the crosswalk maps from."),
        Column("code", "VARCHAR", "The code; null for all that do not look like one."),
        Column("reason", "VARCHAR", "not_listed, no_target, inexact or ambiguous."),
        Column("fields", "BIGINT", "Coded fields that have it and got no target, in all lines read."),
    ),
}

RESOURCE_COLUMNS: tuple[Column, ...] = (
    Column("type", "VARCHAR", "FHIR resource type, for types without a table of their own."),
    Column("json", "VARCHAR", "The resource whole, as received.", phi=True),
)

# HL7 v2 segments with something that no table has, as they came, so that nothing is dropped.
SEGMENT_TABLE = "hl7_segment"
SEGMENT_COLUMNS: tuple[Column, ...] = (
    Column("source", "VARCHAR", "Name of the source."),
    Column("load_id", "VARCHAR", "The load that brought it in."),
    Column("message_hash", "BLOB", "SHA-256 of the message that it stands in."),
    Column("ordinal", "INTEGER", "Its place in the message, from 1 on."),
    Column("message_type", "VARCHAR", "MSH-9.1 and 9.2, e.g. ORU_R01."),
    Column("control_id", "VARCHAR", "MSH-10."),
    Column("segment", "VARCHAR", "Name of the segment."),
    Column("text", "VARCHAR", "The segment as sent, in UTF-8.", phi=True),
    Column(
        "unread", "INTEGER[]", "Numbers of its fields that stand in no table; null where that is the whole segment."
    ),
    Column("uri", "VARCHAR", "The file."),
    Column("line", "BIGINT", "1-based line in the file."),
    Column("patient_id", "VARCHAR", "Id of the first patient's row that its message made.", phi=True),
)

# Parts of C-CDA documents that no table has, as they came, so that nothing is dropped.
SECTION_TABLE = "document_section"
SECTION_COLUMNS: tuple[Column, ...] = (
    Column("source", "VARCHAR", "Name of the source."),
    Column("load_id", "VARCHAR", "The load that brought it in."),
    Column("document_hash", "BLOB", "SHA-256 of the document that it stands in."),
    Column("ordinal", "INTEGER", "Its number among the parts of the document that stand here, from 1 on."),
    Column("document_id", "VARCHAR", "Root and extension of the document's id, with ^ between them."),
    Column("document_type", "VARCHAR", "LOINC code of the document; fragment when it is only a part of one."),
    Column("patient_id", "VARCHAR", "Id of the patient's row.", phi=True),
    Column(
        "reason",
        "VARCHAR",
        "narrative_only, unmapped, negated (it says that something is not so), none_known, null (nullFlavor), note or "
        "header.",
    ),
    Column("section_code", "VARCHAR", "LOINC code of its section."),
    Column("section_title", "VARCHAR", "Title of its section."),
    Column("template_id", "VARCHAR", "Root of its first templateId."),
    Column("element", "VARCHAR", "Name of the element."),
    Column("text", "VARCHAR", "The narrative of a section or note as plain text.", phi=True),
    Column(
        "xml", "VARCHAR", "The element whole; base64 texts above 1 MB are replaced by their size and hash.", phi=True
    ),
    Column("uri", "VARCHAR", "The file."),
    Column("line", "BIGINT", "1-based line in the file."),
)
