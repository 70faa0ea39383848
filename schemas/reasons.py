"""Why a line is refused: the stable codes of ``etl.quarantine`` and of :class:`schemas.records.Rejection`."""

from __future__ import annotations

from enum import StrEnum
from typing import Self


class Reason(StrEnum):
    """A stable reason code; ``meaning`` says it in words for reports and the data dictionary.

    A code is never renamed and never used for a second meaning: users filter quarantine by it.
    """

    meaning: str

    def __new__(cls, code: str, meaning: str) -> Self:
        """Make the member whose value is ``code``."""
        member = str.__new__(cls, code)
        member._value_ = code
        member.meaning = meaning
        return member

    # The line as bytes and as JSON.
    MALFORMED_JSON = (
        "malformed_json",
        "The line is not JSON: cut short, a trailing comma, NaN, other text.",
    )
    INVALID_UTF8 = "invalid_utf8", "The line holds bytes that are not UTF-8."
    INVALID_UNICODE = "invalid_unicode", "A string holds half of a surrogate pair, which no text can hold."
    NUL_CHARACTER = (
        "nul_character",
        "A string holds the character U+0000, which FHIR R4 forbids.",
    )
    NOT_AN_OBJECT = "not_an_object", "The line is JSON, but null, a list, a number or a string: no resource."
    TOO_DEEP = "too_deep", "Lists or objects are nested deeper than any resource has reason to be."
    DUPLICATE_KEY = "duplicate_key", "An object names the same key twice, so that its meaning is not sure."
    LINE_TOO_LONG = "line_too_long", "The line is longer than the reader's limit; only its beginning is kept."
    UNDECODABLE = "undecodable", "The record could not be decoded, and no narrower reason could be told."

    # HL7 v2 messages as bytes.
    NO_MESSAGE = "no_message", "The bytes are part of no HL7 v2 message: none begins in them with MSH."
    MESSAGE_CUT = "message_cut", "The frame of the message is not closed, so that the message may be cut short."
    BATCH_COUNT = (
        "batch_count",
        "The batch or file segment tells another number of messages or batches than there are.",
    )
    BATCH_NOT_CLOSED = "batch_not_closed", "The batch or file has no trailer, so that messages of it may be missing."
    MALFORMED_HEADER = (
        "malformed_header",
        "MSH is too short, or its delimiters cannot be told from each other or from text (HL7 v2.9 2.5.4).",
    )
    CHARSET_MISMATCH = (
        "charset_mismatch",
        "The message holds bytes that are not of the character set that MSH-18 or --charset names.",
    )
    REJECTED_BY_RULE = "rejected_by_rule", "A rule of --routes rejects messages with such a header."
    UNKNOWN_CHARSET = "unknown_charset", "MSH-18 names a character set that is not known; name it with --charset."

    # C-CDA documents as bytes and as XML.
    MALFORMED_XML = "malformed_xml", "The document is not XML: cut short, a bracket that is not closed, other text."
    DOCTYPE = (
        "doctype",
        "The document has a DOCTYPE, through which entities could change or hide its text; CDA has no use for one.",
    )
    UNDECLARED_PREFIX = "undeclared_prefix", "An element or attribute has a prefix that no namespace is declared for."
    XML_TOO_DEEP = "xml_too_deep", "Elements stand deeper within each other than documents have reason to."
    XML_TEXT_TOO_LONG = "xml_text_too_long", "A text or attribute of the document has more than 10 MB."
    NO_DOCUMENT = "no_document", "The XML is no ClinicalDocument of CDA and no part of one."
    DOCUMENT_TOO_LONG = (
        "document_too_long",
        "The document is longer than the reader's limit; only its beginning is kept.",
    )

    # Rows of extracts as text, by what their mapping says.
    RAGGED_LINE = "ragged_line", "The line has more or fewer fields than the header has columns."
    MALFORMED_RECORD = (
        "malformed_record",
        "A quote on the line is not closed or stands within a field, or a carriage return does, so that its fields "
        "cannot be told.",
    )
    WRONG_ENCODING = "wrong_encoding", "The line holds bytes that are not of the character set that the mapping names."
    MISSING_KEY = "missing_key", "A column of which the row's id is made is empty, so that it could not be found again."
    NOT_A_NUMBER = (
        "not_a_number",
        "The text is no number as the mapping says that numbers are written (decimal, thousands).",
    )
    DATE_FORMAT = "date_format", "The text is no date or time of any of the formats that the mapping gives."
    AMBIGUOUS_DATE = "ambiguous_date", "The text is another date by each of two formats that the mapping gives."
    NOT_IN_LOOKUP = "not_in_lookup", "The lookup of the mapping has no entry for the text."

    # Which resource it is.
    NO_RESOURCE_TYPE = "no_resource_type", "The object has no resourceType."
    UNKNOWN_RESOURCE_TYPE = "unknown_resource_type", "The resourceType is not a type of FHIR R4."
    NO_ID = "no_id", "The resource has no id, so that its row could not be found again."
    INVALID_ID = "invalid_id", "The id is not 1 to 64 letters, digits, hyphens and dots (FHIR R4 2.24.0.1)."

    # Its elements.
    WRONG_TYPE = (
        "wrong_type",
        "An element has another JSON type than FHIR gives it: text for a number.",
    )
    REQUIRED_MISSING = "required_missing", "An element that FHIR R4 requires is not there."
    CODE_NOT_IN_VALUE_SET = "code_not_in_value_set", "A code is not in the value set that FHIR R4 requires."
    INVALID_FORMAT = "invalid_format", "A primitive breaks the pattern of its FHIR type."
    INVALID_TIME = "invalid_time", "A date or time does not exist, or has a time of day without an offset."
    INVALID_REFERENCE = "invalid_reference", "A reference is of a form that FHIR does not know."
    NUMBER_OUT_OF_RANGE = "number_out_of_range", "A number is too great for a double, as 1e400 is."
    OUT_OF_RANGE = "out_of_range", "A number is outside the range that its element allows."
    RULE_VIOLATED = "rule_violated", "A rule over several elements is broken, such as obs-6 or per-1."
    VIEW_VIOLATED = (
        "view_violated",
        "A view of the mart cannot make its rows of the resource, which is in the other tables all the same.",
    )
    SAMPLE_INVALID = "sample_invalid", "fhir.resources refuses the resource; a reason only with --sample 1."

    # What says that a resource was deleted.
    CONDITIONAL_DELETE = (
        "conditional_delete",
        "The delete names its resources by a search, which only the server that it was sent to can resolve.",
    )
    INVALID_DELETE = (
        "invalid_delete",
        "The delete does not name a resource by type and id, or something that is no delete stands where only deletes "
        "are expected.",
    )

    # Its place among the other versions.
    LATE = (
        "late",
        "The row's time lies before the event watermark and the late policy is quarantine.",
    )


_BY_CODE = {reason.value: reason for reason in Reason}


def reason_of(code: str) -> Reason:
    """The reason with this code; KeyError when there is none."""
    return _BY_CODE[code]
