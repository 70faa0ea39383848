"""TLS: secured, by certificate only, and what a sender that speaks something else gets."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from schemas.errors import UsageError
from sources.mllp.framer import framed
from sources.mllp.tls import server_context
from tests.flows.certificates import self_signed
from tests.flows.listening import MemoryCommitter, Sender, listening, message


def _client(trusted: Path, own: tuple[Path, Path] | None = None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=trusted)
    # A certificate that is its own authority names no key identifiers, which strict checking asks for.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if own is not None:
        context.load_cert_chain(*own)
    return context


def test_messages_over_tls(tmp_path: Path) -> None:
    """Acknowledged as without it, also a large one; who sends in the clear is not heard."""
    certificate, key = self_signed(tmp_path, "server")
    with listening(committer := MemoryCommitter(), tls=server_context(certificate, key, None)) as running:
        with Sender(running.port, _client(certificate)) as sender:
            sender.send(message("1"), message("2", body="x" * 1_000_000))
            assert [sender.msa() for _ in range(2)] == [("AA", "1"), ("AA", "2")]
        with Sender(running.port) as plain:
            plain.raw(framed(message("3")))
            try:
                heard = plain.socket.recv(100)
            except ConnectionError:
                heard = b""
            assert b"MSA" not in heard
    assert [kept.key[2] for kept in committer.kept] == ["1", "2"]
    assert running.report.ended == {"handshake": 1}


def test_only_known_senders_get_in(tmp_path: Path) -> None:
    """With an authority a sender needs a certificate that it has signed."""
    server, known, other = (self_signed(tmp_path, name) for name in ("server", "known", "other"))
    tls = server_context(*server, known[0])
    with listening(committer := MemoryCommitter(), tls=tls) as running:
        for own in (None, other):
            with pytest.raises((ssl.SSLError, ConnectionError, EOFError)):  # noqa: SIM117
                with Sender(running.port, _client(server[0], own)) as sender:
                    sender.send(message("1"))
                    sender.answer()
        with Sender(running.port, _client(server[0], known)) as sender:
            sender.send(message("2"))
            assert sender.msa() == ("AA", "2")
    assert len(committer.kept) == 1
    assert running.report.ended == {"handshake": 2}


def test_a_sender_that_never_shakes_hands_is_closed(tmp_path: Path) -> None:
    """And takes a place as any other, so that there are never more than allowed."""
    tls = server_context(*self_signed(tmp_path, "server"), None)
    with listening(MemoryCommitter(), tls=tls, frame_seconds=0.3) as running, Sender(running.port) as silent:
        assert silent.is_closed()
    assert running.report.ended == {"handshake": 1}


def test_files_that_do_not_fit(tmp_path: Path) -> None:
    """Each is named, with its option."""
    certificate, key = self_signed(tmp_path, "server")
    _, other = self_signed(tmp_path, "other")
    text = tmp_path / "text"
    text.write_text("no certificate")
    cases = {
        (certificate, tmp_path / "none", None): "--tls-key: there is no file",
        (certificate, other, None): "--tls-cert .* and --tls-key .*: not a PEM certificate and its key",
        (text, key, None): "--tls-cert",
        (certificate, key, text): "--tls-ca .*: no PEM certificate",
    }
    for files, said in cases.items():
        with pytest.raises(UsageError, match=said):
            server_context(*files)
