"""librdkafka's mock cluster: real Kafka protocol on loopback, with faults by request.

It is in the library that the Python client brings along, and is driven by its C functions. It has groups, offsets and
several brokers, and keeps messages in memory; it has no authorization, no TLS and no retention, so those are not tested
with it.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import confluent_kafka

FETCH, METADATA, OFFSET_COMMIT, JOIN_GROUP = 1, 3, 8, 11  # API keys of the protocol
NOT_LEADER, COORDINATOR_AWAY, REBALANCING, ILLEGAL_GENERATION, TRANSPORT = 6, 15, 27, 22, -195  # error codes


class MockCluster:
    """A cluster of so many brokers."""

    def __init__(self, brokers: int) -> None:
        folder = Path(confluent_kafka.__file__).parent.parent / "confluent_kafka.libs"
        self._lib = ctypes.CDLL(str(next(folder.glob("librdkafka-*"))))
        self._declare()
        said = ctypes.create_string_buffer(512)
        conf = self._lib.rd_kafka_conf_new()
        self._lib.rd_kafka_conf_set(conf, b"log_level", b"0", said, 512)
        self._client = self._lib.rd_kafka_new(0, conf, said, 512)  # a producer, which owns the cluster
        assert self._client, said.value
        self._cluster = self._lib.rd_kafka_mock_cluster_new(self._client, brokers)
        self.hosts = self._lib.rd_kafka_mock_cluster_bootstraps(self._cluster).decode()

    @property
    def url(self) -> str:
        """Its address."""
        return f"kafka://{self.hosts}"

    def topic(self, name: str, partitions: int = 1) -> None:
        """Make a topic."""
        assert not self._lib.rd_kafka_mock_topic_create(self._cluster, name.encode(), partitions, 1)

    def fail(self, api: int, *errors: int) -> None:
        """Answer the next requests of a kind with these errors; ``TRANSPORT`` closes the connection instead."""
        found = (ctypes.c_int * len(errors))(*errors)
        self._lib.rd_kafka_mock_push_request_errors_array(self._cluster, api, len(errors), found)

    def down(self, broker: int) -> None:
        """Stop a broker, numbered from 1 on."""
        assert not self._lib.rd_kafka_mock_broker_set_down(self._cluster, broker)

    def up(self, broker: int) -> None:
        """Start it again; messages are still there."""
        assert not self._lib.rd_kafka_mock_broker_set_up(self._cluster, broker)

    def put(self, topic: str, messages: Sequence[bytes], partition: int = 0) -> None:
        """Produce messages."""
        producer = confluent_kafka.Producer({"bootstrap.servers": self.hosts, "log_level": 0})
        for message in messages:
            producer.produce(topic, message, partition=partition)
        assert not producer.flush(30)

    def committed(self, topic: str, group: str, partitions: int = 1) -> list[int]:
        """What a group has committed, -1001 for nothing."""
        consumer = confluent_kafka.Consumer({"bootstrap.servers": self.hosts, "group.id": group, "log_level": 0})
        wanted = [confluent_kafka.TopicPartition(topic, number) for number in range(partitions)]
        try:
            return [one.offset for one in consumer.committed(wanted, timeout=30)]
        finally:
            consumer.close()

    def read(self, topic: str, count: int) -> list[tuple[bytes, dict[str, bytes]]]:
        """The first messages of a topic's only partition, with their headers."""
        told = {"bootstrap.servers": self.hosts, "group.id": "reader", "log_level": 0}
        consumer = confluent_kafka.Consumer(told)
        consumer.assign([confluent_kafka.TopicPartition(topic, 0, 0)])
        try:
            found = consumer.consume(count, timeout=30)
            return [(one.value(), dict(one.headers() or ())) for one in found if one.error() is None]
        finally:
            consumer.close()

    def close(self) -> None:
        """End it."""
        self._lib.rd_kafka_mock_cluster_destroy(self._cluster)
        self._lib.rd_kafka_destroy(self._client)

    def _declare(self) -> None:
        lib, pointer = self._lib, ctypes.c_void_p
        for name, answer, arguments in (
            ("rd_kafka_conf_new", pointer, []),
            ("rd_kafka_conf_set", ctypes.c_int, [pointer, ctypes.c_char_p, ctypes.c_char_p, pointer, ctypes.c_size_t]),
            ("rd_kafka_new", pointer, [ctypes.c_int, pointer, ctypes.c_char_p, ctypes.c_size_t]),
            ("rd_kafka_destroy", None, [pointer]),
            ("rd_kafka_mock_cluster_new", pointer, [pointer, ctypes.c_int]),
            ("rd_kafka_mock_cluster_destroy", None, [pointer]),
            ("rd_kafka_mock_cluster_bootstraps", ctypes.c_char_p, [pointer]),
            ("rd_kafka_mock_topic_create", ctypes.c_int, [pointer, ctypes.c_char_p, ctypes.c_int, ctypes.c_int]),
            ("rd_kafka_mock_broker_set_down", ctypes.c_int, [pointer, ctypes.c_int32]),
            ("rd_kafka_mock_broker_set_up", ctypes.c_int, [pointer, ctypes.c_int32]),
            (
                "rd_kafka_mock_push_request_errors_array",
                None,
                [pointer, ctypes.c_int16, ctypes.c_size_t, pointer],
            ),
        ):
            function = getattr(lib, name)
            function.restype, function.argtypes = answer, arguments


@contextmanager
def mock_cluster(brokers: int = 1) -> Iterator[MockCluster]:
    """A cluster that runs."""
    cluster = MockCluster(brokers)
    try:
        yield cluster
    finally:
        cluster.close()
