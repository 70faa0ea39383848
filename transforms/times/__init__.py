"""Times as columns: FHIR `date`, `dateTime`, `instant` and `time`, HL7 v2 DTM and TS, and local time of extracts.

Whole columns are parsed at once. No time of day is ever invented: a date or partial date has no instant. Fractions of a
second are cut to microseconds, never rounded. A leap second (`:60`) is the first instant of the next minute. Dates are
those of the proleptic Gregorian calendar, years 1 to 9999.
"""

from transforms.times.bracketed import bracketed_times
from transforms.times.clock import fhir_clocks
from transforms.times.columns import FIELDS
from transforms.times.fhir import fhir_times
from transforms.times.flags import raised
from transforms.times.hl7v2 import hl7v2_times
from transforms.times.local import local_times

__all__ = ["FIELDS", "bracketed_times", "fhir_clocks", "fhir_times", "hl7v2_times", "local_times", "raised"]
