"""Whom the driver's Java trusts: the certificates of AWS_CA_BUNDLE, and a look at an S3 server's own before S3A's first request.

S3A takes a certificate that it does not trust for an outage, and repeats its request for three minutes.
"""
from __future__ import annotations

import os
import re
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from sparkkit.errors import UsageError

STORE = "javax.net.ssl.trustStore"
HINT = ("name its CA by AWS_CA_BUNDLE, or a trust store by -Djavax.net.ssl.trustStore=FILE in spark.driver.extraJavaOptions, and in "
        "spark.executor.extraJavaOptions for executors on a cluster")
"""What to do about a certificate that Java does not trust."""

PATIENCE = 5000
"""Milliseconds; a server that does not answer is S3A's business, which has more patience."""

_CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


def take_bundle(gateway: Any) -> None:
    """Makes Java trust the certificates of AWS_CA_BUNDLE in place of its own, as Amazon's tools do; a trust store that was given stays.

    Raises:
        UsageError: the file can't be read, or holds no certificates (`wrong_bundle`).
    """
    name, java = os.environ.get("AWS_CA_BUNDLE"), gateway.jvm.java
    if not name or java.lang.System.getProperty(STORE):
        return
    password = gateway.new_array(gateway.jvm.char, 8)  # the format asks for one; certificates are no secret
    for at in range(8):
        password[at] = "x"
    store = java.security.KeyStore.getInstance("PKCS12")
    store.load(None, password)
    try:
        found = _CERTIFICATE.findall(Path(name).read_bytes())
        data = java.io.ByteArrayInputStream(b"\n".join(found))
        for number, one in enumerate(java.security.cert.CertificateFactory.getInstance("X.509").generateCertificates(data)):
            store.setCertificateEntry(str(number), one)
    except Exception as error:
        raise UsageError(f"AWS_CA_BUNDLE={name} can't be read: {_said(error)}", reason="wrong_bundle") from error
    if not found:
        raise UsageError(f"AWS_CA_BUNDLE={name} holds no certificate", reason="wrong_bundle", hint="it has to be a file of PEM")
    file = java.io.File.createTempFile("sparkkit-", ".p12")
    file.deleteOnExit()
    stream = java.io.FileOutputStream(file)
    store.store(stream, password)
    stream.close()
    for key, value in {STORE: file.getPath(), f"{STORE}Password": "x" * 8, f"{STORE}Type": "PKCS12"}.items():
        java.lang.System.setProperty(key, value)


def refuse_untrusted(jvm: Any, conf: Any, path: str) -> None:
    """Asks the server of a bucket for its certificate, where S3A has an endpoint of its own; before S3A is there, which may ask for a role.

    Raises:
        UsageError: Java does not trust it (`untrusted_certificate`).
    """
    scheme, _, rest = path.partition("://")
    bucket = rest.partition("/")[0]

    def said(name: str) -> str:
        return str(conf.get(f"fs.s3a.bucket.{bucket}.{name}") or conf.get(f"fs.s3a.{name}") or "")

    endpoint = said("endpoint")
    if not endpoint or said("proxy.host") or not str(conf.get(f"fs.{scheme.lower()}.impl")).endswith(".S3AFileSystem"):
        return
    if "://" not in endpoint:
        endpoint = f"{'http' if said('connection.ssl.enabled') == 'false' else 'https'}://{endpoint}"
    url = urlsplit(endpoint)
    why = _distrust(jvm, url.hostname, url.port or 443) if url.scheme == "https" and url.hostname else None
    if why:
        raise UsageError(f"Java does not trust the certificate of {endpoint}, the server for {path} ({why})",
                         reason="untrusted_certificate", hint=HINT)


@lru_cache(maxsize=16)
def _distrust(jvm: Any, host: str, port: int) -> str | None:
    """Why Java does not trust the certificate of a server; None where it does, or where there is other trouble."""
    context = jvm.javax.net.ssl.SSLContext.getInstance("TLS")
    context.init(None, None, None)
    socket = context.getSocketFactory().createSocket()
    try:
        socket.connect(jvm.java.net.InetSocketAddress(host, port), PATIENCE)
        socket.setSoTimeout(PATIENCE)
        socket.startHandshake()
    except Exception as error:
        said = _said(error)
        return said if "PKIX" in said else None
    finally:
        socket.close()
    return None


def _said(error: Exception) -> str:
    """What an error of Java's or Python's says, without the classes."""
    java = getattr(error, "java_exception", None)
    text = str(getattr(error, "strerror", None) or error) if java is None else str(java.getMessage() or java.toString())
    return re.sub(r"\b(?:[a-z]+\.)+[A-Z]\w*: ", "", text)
