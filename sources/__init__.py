"""Async readers. They turn files and services into line-aligned chunks of bytes and know no columns."""
