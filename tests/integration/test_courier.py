"""The courier trusts the authorities that it was told of, and nobody else."""

from __future__ import annotations

import base64
import ipaddress
import json
import ssl
import threading
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from casevault.domain.sharing.exchanging import Address
from casevault.errors import Busy, Refused
from casevault.store.sharing.courier import Courier


def a_certificate(folder):
    """Write a certificate of this machine that nobody knows, and its key; return both paths."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Made-up vault")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False
        )
        .add_extension(x509.BasicConstraints(True, None), True)
        .sign(key, hashes.SHA256())
    )
    encoding = serialization.Encoding.PEM
    certificate, secret = folder / "vault.pem", folder / "vault.key"
    certificate.write_bytes(made.public_bytes(encoding))
    plain = serialization.NoEncryption()
    secret.write_bytes(key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, plain))
    return certificate, secret


@contextmanager
def answering(certificate, secret):
    """Answer every message over TLS; give the port, and what came."""
    came = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            came.append(self.rfile.read(int(self.headers["content-length"])))
            body = json.dumps({"receipt": base64.b64encode(b"made up").decode()}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    # A handshake that is refused is no news.
    server.handle_error = lambda *_: None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, secret)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_port, came
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_an_unknown_certificate_gets_not_a_byte(tmp_path, monkeypatch):
    """Nor does a proxy that the environment names; with the authority named it is delivered."""
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    certificate, secret = a_certificate(tmp_path)
    with answering(certificate, secret) as (port, came):
        address = Address("127.0.0.1", port)
        with pytest.raises(Busy) as refused:
            Courier().carry(address, b"made up message")
        assert (refused.value.code, came) == ("exchange.unreachable", [])
        with pytest.raises(Busy):
            # The name must be the certificate's too.
            Courier(certificate).carry(Address("localhost", port), b"made up message")
        assert came == []
        assert Courier(certificate).carry(address, b"made up message") == b"made up"
        assert json.loads(came[0])["message"] == base64.b64encode(b"made up message").decode()


def test_without_tls_only_to_this_machine_and_only_if_said():
    """An address of another machine never, whatever is configured."""
    for courier, host in ((Courier(), "127.0.0.1"), (Courier(plain=True), "192.0.2.1")):
        with pytest.raises(Refused) as refused:
            courier.carry(Address(host, 80, plain=True), b"x")
        assert refused.value.code == "exchange.plain"
