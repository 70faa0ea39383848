"""From chunks of bytes to raw columns."""
