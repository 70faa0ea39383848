"""``clinmart synth``: clinical records that nobody lived, to try, test and measure the loader with.

The same :class:`SynthPlan` gives the same bytes on any machine. Codes are real (see ``terms/NOTICE.txt``),
people are not.
"""

from sources.synth.bundles import write_bundles
from sources.synth.extracts import write_extracts
from sources.synth.plan import TYPES, SynthPlan, SynthReport
from sources.synth.write import write_synth

__all__ = ["TYPES", "SynthPlan", "SynthReport", "write_bundles", "write_extracts", "write_synth"]
