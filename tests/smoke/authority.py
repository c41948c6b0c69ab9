"""A certificate authority for the tests, by openssl; no address of it leaves this machine."""

import ssl
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

_SETTINGS = """
[ca]
default_ca = this
[this]
database = index.txt
new_certs_dir = .
rand_serial = yes
default_md = sha256
policy = any
copy_extensions = copy
unique_subject = no
[any]
commonName = supplied
"""


@dataclass(frozen=True)
class Authority:
    """Signs certificates; `certificate` is its own."""

    folder: Path

    @property
    def certificate(self) -> Path:
        return self.folder / "ca.pem"

    def server(self, name: str, *, days: float, host: str = "IP:127.0.0.1") -> ssl.SSLContext:
        """A server's context with a certificate for `host` that ends in so many days; negative ones are past."""
        now = datetime.now(UTC)
        begin, end = now - timedelta(days=400), now + timedelta(days=days)
        _openssl(self.folder, "req", *_key(name), "-out", f"{name}.csr", "-addext", f"subjectAltName={host}")
        dates = ["-startdate", f"{begin:%Y%m%d%H%M%SZ}", "-enddate", f"{end:%Y%m%d%H%M%SZ}"]
        signed = ["-cert", "ca.pem", "-keyfile", "ca.key", "-in", f"{name}.csr", "-out", f"{name}.pem"]
        _openssl(self.folder, "ca", "-batch", "-notext", "-config", "ca.conf", *dates, *signed)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.folder / f"{name}.pem", self.folder / f"{name}.key")
        return context


def make(folder: Path) -> Authority:
    """Make an authority in this folder."""
    folder.mkdir(parents=True)
    (folder / "ca.conf").write_text(_SETTINGS)
    (folder / "index.txt").touch()
    uses = ["-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign,cRLSign"]
    _openssl(folder, "req", "-x509", *_key("ca"), "-out", "ca.pem", "-days", "3650", *uses)
    return Authority(folder)


def _key(name: str) -> list[str]:
    return ["-newkey", "rsa:2048", "-nodes", "-keyout", f"{name}.key", "-subj", f"/CN={name}"]


def _openssl(folder: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)
