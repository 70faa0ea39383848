"""A first mapping for a file that nobody has described: what its header and a sample say, and what they leave open."""

from transforms.draft.write import draft

__all__ = ["draft"]
