"""Which rule takes a message: by its header, before anything else of it is read."""

from __future__ import annotations

from schemas.routes import MessageDecoder, MshFields, Route, Routes
from transforms.acknowledge.header import HEADER_BYTES, codec_of

_BOM = b"\xef\xbb\xbf"
_LAST_FIELD = 12  # MSH-12


def msh_fields(message: bytes) -> MshFields:
    """What of a header the rules look at; all of it empty for bytes that begin with none."""
    start = message[:HEADER_BYTES].removeprefix(_BOM).lstrip(b"\r\n")
    segment = start.replace(b"\n", b"\r").split(b"\r", 1)[0]
    if not segment.startswith(b"MSH") or len(segment) < len("MSH|^"):
        return MshFields()
    text = segment.decode(codec_of(segment))
    fields = text.split(text[3], _LAST_FIELD)
    encoding = fields[1]
    mark = encoding[:1]

    def told(number: int) -> str:
        found = fields[number - 1] if number <= len(fields) else ""
        found = found.split(encoding[1])[0] if len(encoding) > 1 else found
        return found.replace(mark, "^") if mark else found

    kind = told(9).split("^")
    return MshFields(told(3), told(4), "^".join(kind[:2]), told(12).split("^")[0])


def route(fields: MshFields, routes: Routes) -> Route:
    """The route of messages with this header: that of the first rule that takes it, else to be kept whole."""
    for number, rule in enumerate(routes.rules, 1):
        if rule.takes(fields):
            return Route(rule.source or routes.source, rule.decoder, number, rule.zone, rule.charset)
    return Route(routes.source, MessageDecoder.KEEP, None)
