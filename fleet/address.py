"""Addresses of repositories: without their credentials, compared with each other; and text that others wrote."""

import re
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

PROTOCOLS = ("file", "git", "http", "https", "ssh")
_USERINFO = re.compile(r"(?<=://)[^/\s'\"]*@")
_SCP = re.compile(r"(?:[\w.-]+@)?([\w.-]+):(?!//)(.+)\Z")
_HOSTS = {"gh:": "https://github.com/", "gl:": "https://gitlab.com/"}


class TroubleError(RuntimeError):
    """Something is wrong with one service; the text says what, and what would help."""


def redact(text: str) -> str:
    """A text without the user and password of any address in it."""
    return _USERINFO.sub("", text)


def plain(text: object, limit: int = 400) -> str:
    """A text from a service's repository as one line that a terminal may be shown: no controls, no credentials."""
    line = " ".join("".join(each if each.isprintable() else " " for each in redact(str(text))).split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def without_credentials(address: str) -> str:
    """The address as it may be stored; the user of an SSH address is no secret, and is needed."""
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or "@" not in parts.netloc:
        return address
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def expanded(address: str) -> str:
    """The address as git takes it: Copier knows abbreviations."""
    for short, long in _HOSTS.items():
        if address.startswith(short):
            return long + address.removeprefix(short).strip("/").removesuffix(".git") + ".git"
    return address.removeprefix("git+")


def wrong(address: str) -> str | None:
    """Why this can be no repository's address; None if it can."""
    scheme, found, _ = address.partition("://")
    if not address.strip() or address.startswith("-") or not address.isprintable():
        return "it is no address of a repository"
    if "::" in address.split("/", maxsplit=1)[0] or (found and scheme not in PROTOCOLS):
        return f"only {', '.join(PROTOCOLS)} and paths are taken"
    return None


def canonical(address: str) -> str:
    """The same text for every way to write one repository's address."""
    address = expanded(address)
    parts = urlsplit(address)
    if parts.scheme in PROTOCOLS and parts.scheme != "file":
        host, path = (parts.hostname or "") + (f":{parts.port}" if parts.port else ""), parts.path
    elif parts.scheme != "file" and (found := _SCP.match(address)):
        host, path = found[1].lower(), found[2]
    else:
        host, path = "", str(Path(parts.path if parts.scheme == "file" else address).expanduser())
    return f"{host}/{path.strip('/').removesuffix('.git').strip('/')}"


def repository(address: str) -> str:
    """The part of an address that a forge calls the repository, such as `acme/orders`."""
    return canonical(address).partition("/")[2]
