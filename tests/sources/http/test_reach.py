"""Which addresses may be asked."""

from __future__ import annotations

import pytest

from schemas.errors import UsageError
from sources.http import Reach, host_of


@pytest.mark.parametrize(
    "url",
    [
        "https://a.example/x",
        "https://A.EXAMPLE:8443/",
        "https://b.example/f?sig=1",
        "https://[2001:db8::1]/x",
        "http://127.0.0.1:80/",
        "http://[::1]/",
    ],
)
def test_hosts_that_are_named(url: str) -> None:
    """Whatever the port."""
    hosts = ("B.example", "2001:db8::1", "127.0.0.1", "::1")
    assert Reach("https://a.example/fhir", hosts).check(url) == url


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("https://evil.example/x", "--allow-host evil.example"),
        ("https://a.example.evil.example/x", "--allow-host a.example.evil.example"),
        ("https://a.example@evil.example/x", "give them apart"),
        ("https://:p@a.example/x", "give them apart"),
        ("http://a.example/x", "--plain-http"),
        ("http://127.0.0.1.evil.example/x", "--plain-http"),
        ("ftp://a.example/x", "http or https"),
        ("file:///etc/passwd", "http or https"),
        ("//a.example/x", "http or https"),
        ("https:///x", "http or https"),
        ("https://[::1/x", "cannot be read"),
        ("https://169.254.169.254/latest", "--allow-host 169.254.169.254"),
    ],
)
def test_all_others_are_not(url: str, says: str) -> None:
    """With what to do, and without a query that may hold secrets."""
    with pytest.raises(UsageError, match=says) as said:
        Reach("https://a.example/fhir").check(url + "?sig=Zzyzx")
    assert "Zzyzx" not in str(said.value)


def test_plain_http_where_it_is_allowed() -> None:
    """To the same hosts only."""
    reach = Reach("http://a.example/fhir", plain_http=True)
    assert reach.check("http://a.example/x")
    with pytest.raises(UsageError):
        reach.check("http://b.example/x")
    assert reach.with_url("http://t.example/token").check("http://t.example/token")


def test_this_machine_has_many_names() -> None:
    """They are one host."""
    reach = Reach("http://127.0.0.1:8080/fhir")
    for url in ("http://localhost:8081/x", "http://[::1]/x", "https://clinic.localhost/x"):
        assert reach.check(url) == url


def test_host_of() -> None:
    """In lower case; empty when there is none."""
    assert host_of("https://u:p@A.Example:1/x?y") == "a.example"
    assert host_of("nothing") == ""
