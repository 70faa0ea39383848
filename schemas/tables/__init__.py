"""The tables of the mart, one module a resource type."""
