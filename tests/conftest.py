"""What all tests share."""

from __future__ import annotations

from hypothesis import settings

# A deadline is a timing assertion, and these say nothing about correctness on a busy machine.
settings.register_profile("clinmart", deadline=None)
settings.load_profile("clinmart")
