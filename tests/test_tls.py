"""Whom the driver's Java trusts: a bundle by AWS_CA_BUNDLE, and the look at a server's certificate."""
from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from pyspark.sql import SparkSession

from sparkkit import tls
from sparkkit.errors import UsageError
from sparkkit.storage.hadoop import Hadoop

STORES = (tls.STORE, f"{tls.STORE}Password", f"{tls.STORE}Type")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate of a server here that nobody has signed, and its key."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("no openssl here, which makes a certificate")
    folder = tmp_path_factory.mktemp("tls")
    made, key = folder / "server.pem", folder / "server.key"
    subprocess.run([openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-out", made,
                    "-days", "2", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True)
    return made, key


@pytest.fixture
def port(certificate: tuple[Path, Path]) -> Iterator[int]:
    """Of a server that shakes hands, and no more."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)

    def serve() -> None:
        while True:
            try:
                one, _ = listening.accept()
            except OSError:
                return
            with suppress(OSError), context.wrap_socket(one, server_side=True) as shaken:
                shaken.recv(1)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        Thread(target=serve, daemon=True).start()
        yield listening.getsockname()[1]
        listening.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def gateway(spark: SparkSession, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.delenv("AWS_CA_BUNDLE", raising=False)
    found: Any = spark.sparkContext._gateway
    forget = tls._distrust.cache_clear
    yield found
    for name in STORES:
        found.jvm.java.lang.System.clearProperty(name)
    forget()


def conf(endpoint: str, **more: str) -> dict[str, str]:
    kind = "org.apache.hadoop.fs.s3a.S3AFileSystem"
    return {"fs.s3.impl": kind, "fs.s3a.endpoint": endpoint, **{f"fs.{name}": value for name, value in more.items()}}


def test_a_certificate_that_java_does_not_know_is_refused_by_path_and_server(gateway: Any, port: int) -> None:
    with pytest.raises(UsageError, match=rf"does not trust the certificate of https://127.0.0.1:{port}, the server for s3://b/x \(PKIX"):
        tls.refuse_untrusted(gateway.jvm, conf(f"https://127.0.0.1:{port}"), "s3://b/x")


def test_one_of_the_bundle_is_trusted(gateway: Any, port: int, certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_CA_BUNDLE", str(certificate[0]))
    tls.take_bundle(gateway)
    tls.refuse_untrusted(gateway.jvm, conf(f"127.0.0.1:{port}"), "s3://b/x")


def test_each_certificate_of_a_bundle_is_taken(gateway: Any, certificate: tuple[Path, Path], tmp_path: Path,
                                               monkeypatch: pytest.MonkeyPatch) -> None:
    one = certificate[0].read_text(encoding="utf-8")
    (tmp_path / "ca.pem").write_text(f"# first - one\n{one}\n# second\r\n{one}", encoding="utf-8")
    monkeypatch.setenv("AWS_CA_BUNDLE", str(tmp_path / "ca.pem"))
    tls.take_bundle(gateway)
    java = gateway.jvm.java
    file = java.io.File(java.lang.System.getProperty(tls.STORE))
    password = gateway.new_array(gateway.jvm.char, 8)
    for at in range(8):
        password[at] = "x"
    assert java.security.KeyStore.getInstance(file, password).size() == 2


def test_a_trust_store_that_was_given_stays(gateway: Any, certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    gateway.jvm.java.lang.System.setProperty(tls.STORE, "/given")
    monkeypatch.setenv("AWS_CA_BUNDLE", str(certificate[0]))
    tls.take_bundle(gateway)
    assert [gateway.jvm.java.lang.System.getProperty(name) for name in STORES] == ["/given", None, None]


@pytest.mark.parametrize(("text", "said"), [
    (None, "can't be read: No such file"), ("nothing", "holds no certificate"),
    ("-----BEGIN CERTIFICATE-----\nbm9uZQ==\n-----END CERTIFICATE-----\n", "can't be read: "),
])
def test_a_bundle_that_is_none_is_told(gateway: Any, tmp_path: Path, text: str | None, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "ca.pem"
    if text is not None:
        file.write_text(text, encoding="utf-8")
    monkeypatch.setenv("AWS_CA_BUNDLE", str(file))
    with pytest.raises(UsageError, match=f"^AWS_CA_BUNDLE={file} {said}") as caught:
        tls.take_bundle(gateway)
    assert caught.value.reason == "wrong_bundle"


@pytest.mark.parametrize("other", [
    conf(""), conf("http://127.0.0.1:1"), conf("127.0.0.1:1", **{"s3a.connection.ssl.enabled": "false"}),
    conf("https://127.0.0.1:1", **{"s3a.bucket.b.endpoint": "http://127.0.0.1:1"}),
    conf("https://127.0.0.1:1", **{"s3a.proxy.host": "proxy"}), conf("https://127.0.0.1:1", **{"s3.impl": "other.EmrFileSystem"}),
])
def test_where_nothing_is_to_be_asked_nothing_is(gateway: Any, other: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tls, "_distrust", lambda *_: "asked")
    tls.refuse_untrusted(gateway.jvm, other, "s3://b/x")


def test_a_server_that_is_silent_or_away_is_left_to_s3a(gateway: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tls, "PATIENCE", 300)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        tls.refuse_untrusted(gateway.jvm, conf(f"https://127.0.0.1:{port}"), "s3://b/x")
    tls._distrust.cache_clear()
    tls.refuse_untrusted(gateway.jvm, conf(f"https://127.0.0.1:{port}"), "s3://b/x")


def test_each_bucket_is_looked_at_once_and_again_where_it_was_refused(spark: SparkSession, monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[str] = []

    def look(_jvm: object, _conf: object, path: str) -> None:
        looked.append(path)
        if "bad" in path:
            raise UsageError("no", reason="untrusted_certificate")

    monkeypatch.setattr(tls, "refuse_untrusted", look)
    hadoop = Hadoop.of(spark)
    hadoop.conf.set("fs.s3n.impl", "org.apache.hadoop.fs.LocalFileSystem")  # none of S3A's jars is asked for
    for path in ("s3n://good/a", "s3n://good/b", "file:///tmp", "s3n://bad/a", "s3n://bad/b"):
        with suppress(UsageError):
            hadoop.system(path)
    hadoop.conf.unset("fs.s3n.impl")
    assert looked == ["s3n://good/a", "s3n://bad/a", "s3n://bad/b"]
