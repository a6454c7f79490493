"""The S3 server over TLS of `scripts/cluster.sh`: MinIO with a certificate of a CA that nobody knows, and its STS at the same address.

MinIO is under the AGPL: it is only ever a process of the tests, built from its Go module, once, into `bin` of the cluster's folder;
nothing of it is part of sparkkit. Certificates are made by openssl, the trust store by the keytool of Java.
"""
from __future__ import annotations

import os
import shutil
import ssl
import urllib.request
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from scripts import golang
from scripts.daemons import HERE, Daemon, MissingError
from scripts.objects import REGION, ROOT, secret

MODULE = "github.com/minio/minio@v0.0.0-20260212201848-7aac2a2c5b7c"
PASSWORD = "changeit"  # of a store that holds no secret
_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
_SERVER = f"subjectAltName=IP:{HERE},DNS:localhost\nbasicConstraints=CA:FALSE\nextendedKeyUsage=serverAuth\n"


def plan(folder: Path, ports: Mapping[str, int]) -> Daemon:
    """The server; its certificate, the CA's and a trust store with the CA's are made where they are not there.

    Raises:
        MissingError: MinIO, openssl or keytool is not here, or MinIO can't be built.
    """
    home, data = folder / "minio", folder / "minio" / "data"
    program = golang.program(MODULE, folder / "bin", "MinIO")
    made = [] if _trust(folder).is_file() else _certificates(home)
    data.mkdir(parents=True, exist_ok=True)
    words = [program, "server", "--quiet", "--address", f"{HERE}:{ports['minio']}", "--certs-dir", str(home / "certs"), str(data)]
    own = {"MINIO_ROOT_USER": ROOT, "MINIO_ROOT_PASSWORD": secret(folder), "MINIO_BROWSER": "off", "MINIO_UPDATE": "off",
           "MINIO_SITE_REGION": REGION}
    return Daemon("minio", words, partial(_is_well, ports["minio"], _ca(folder)), made, own, str(data))


def variables(folder: Path, ports: Mapping[str, int]) -> dict[str, str]:
    """What leads to the server; none of them is a name that Amazon's tools know, for those lead to the other server."""
    return {"SPARKKIT_MINIO": f"https://{HERE}:{ports['minio']}", "SPARKKIT_MINIO_CA": str(_ca(folder)),
            "SPARKKIT_MINIO_TRUST": str(_trust(folder)), "SPARKKIT_MINIO_PASSWORD": PASSWORD, "SPARKKIT_MINIO_KEY": ROOT,
            "SPARKKIT_MINIO_SECRET": secret(folder)}


def _ca(folder: Path) -> Path:
    return folder / "minio" / "ca.pem"


def _trust(folder: Path) -> Path:
    return folder / "minio" / "trust.p12"


def _certificates(home: Path) -> Sequence[Sequence[str]]:
    """The commands that make them, the trust store last."""
    openssl, keytool = shutil.which("openssl"), _keytool()
    if openssl is None or keytool is None:
        raise MissingError(f"no MinIO here: {'openssl' if openssl is None else 'keytool'}, which makes its certificate, is not installed")
    certs = home / "certs"
    certs.mkdir(parents=True, exist_ok=True)
    (home / "server.ext").write_text(_SERVER, encoding="utf-8")
    ca, key, asked = (str(home / name) for name in ("ca.pem", "ca.key", "server.csr"))
    return (
        [openssl, "req", "-x509", *_KEY, "-keyout", key, "-out", ca, "-days", "30", "-subj", "/CN=CA of the tests of sparkkit"],
        [openssl, "req", "-new", *_KEY, "-keyout", str(certs / "private.key"), "-out", asked, "-subj", f"/CN={HERE}"],
        [openssl, "x509", "-req", "-in", asked, "-CA", ca, "-CAkey", key, "-CAcreateserial", "-out", str(certs / "public.crt"),
         "-days", "30", "-extfile", str(home / "server.ext")],
        [keytool, "-importcert", "-noprompt", "-alias", "ca", "-file", ca, "-keystore", str(home / "trust.p12"), "-storetype", "PKCS12",
         "-storepass", PASSWORD],
    )


def _keytool() -> str | None:
    home = os.environ.get("JAVA_HOME")
    return shutil.which("keytool", path=str(Path(home, "bin")) if home else None)


def _is_well(port: int, ca: Path) -> bool:
    with urllib.request.urlopen(f"https://{HERE}:{port}/minio/health/live", timeout=5, context=ssl.create_default_context(cafile=ca)):
        return True
