"""Puts the rooms together; the only place that knows the orchestrator, the command line and the environment."""
