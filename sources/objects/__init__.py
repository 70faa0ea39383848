"""Objects of S3, Google Cloud Storage and Azure as files: found, read in ranges, and written.

This package itself imports nothing heavy: a load of files pays nothing for it.
"""

from __future__ import annotations

from sources.objects.address import ObjectAddress, is_object

__all__ = ["ObjectAddress", "is_object"]
