"""Message brokers: where messages come from, and where it is said that they are safe."""

from __future__ import annotations

from sources.brokers.broker import Broker, BrokerLimits, Delivery

__all__ = ["Broker", "BrokerLimits", "Delivery"]
