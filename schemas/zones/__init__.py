"""Time zones by their IANA names, from the `tzdata` package alone, so that every machine reads a time alike."""

from schemas.zones.names import known_zone
from schemas.zones.wall_clock import CYCLE, WallClock, wall_clock

__all__ = ["CYCLE", "WallClock", "known_zone", "wall_clock"]
