"""Random histories: versions and deletes of a few resources over two sources, close enough to meet."""

from __future__ import annotations

from hypothesis import strategies as st

from tests.stores.desk import Version, at

IDS = st.sampled_from("abc")
VERSION_IDS = st.sampled_from([None, "1", "2", "9", "10", "007", "7", "a", "B"])
MOMENTS = st.integers(0, 4)


def _body(name: str, time: str) -> str:
    """Of three bodies two are the same JSON with its keys in another order."""
    x, at = f'"x":"{"x" if name == "y" else name}"', f'"at":"{time}"'
    return f"{{{at},{x}}}" if name == "y" else f"{{{x},{at}}}"


VERSIONS = st.builds(
    lambda i, b, v, t, n, k, s, d: Version(i, f"{t}.{n}" if d else _body(b, f"{t}.{n}"), v, at(t), n, k, s, deleted=d),
    IDS,
    st.sampled_from("xyz"),
    VERSION_IDS,
    MOMENTS,
    st.sampled_from([0, 1, 999]),
    st.sampled_from(["Medication", "Basic", "Flag"]),
    st.sampled_from([None, "active"]),
    st.sampled_from([False, False, True]),
)
# Without meta: the content stands alone and its time is when it was seen.
SIGHTINGS = st.builds(
    lambda i, b, t, k, d: Version(i, "" if d else b, None, at(t), 0, k, deleted=d),
    IDS,
    st.sampled_from("xyz"),
    MOMENTS,
    st.sampled_from(["Medication", "Basic"]),
    st.sampled_from([False, False, True]),
)
# One resource, two moments, two numbers: here the last places of K decide.
CLOSE = st.builds(
    lambda b, v, t, d: Version("a", "" if d else b, v, at(t), status="inactive", deleted=d, timeless=not d),
    st.sampled_from("rstuvwxyz"),  # enough that some hash is greater than that of a delete
    st.sampled_from([None, "1"]),
    st.integers(0, 1),
    st.booleans(),
)
_SOURCES = st.sampled_from(["north", "south"])
ARRIVALS = st.one_of(
    st.lists(st.tuples(_SOURCES, st.one_of(VERSIONS, SIGHTINGS, CLOSE)), min_size=1, max_size=14),
    st.lists(st.tuples(st.just("north"), CLOSE), min_size=2, max_size=8),
)
