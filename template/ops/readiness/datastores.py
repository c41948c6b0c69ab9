"""Whether the service keeps data: what of it says so, for the rows on backups to concern it or not."""

import re
import tomllib
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Final

from .outcome import CannotTell, NotApplicable
from .service import Service

# Clients of stores, by the name of the distribution.
CLIENTS: Final = {
    **dict.fromkeys(("psycopg", "psycopg2", "psycopg2-binary", "psycopg-binary", "asyncpg", "pg8000"), "PostgreSQL"),
    **dict.fromkeys(("mysqlclient", "pymysql", "aiomysql", "asyncmy", "mysql-connector-python"), "MySQL"),
    **dict.fromkeys(("pymssql", "pyodbc", "aioodbc", "mssql-python"), "a database by ODBC"),
    **dict.fromkeys(("oracledb", "cx-oracle"), "Oracle"),
    **dict.fromkeys(("pymongo", "motor", "beanie", "mongoengine"), "MongoDB"),
    **dict.fromkeys(("redis", "valkey", "valkey-glide", "coredis", "hiredis"), "Redis or Valkey"),
    **dict.fromkeys(("boto3", "aioboto3", "aiobotocore", "s3fs", "minio"), "S3"),
    **dict.fromkeys(
        ("google-cloud-storage", "gcsfs", "google-cloud-firestore", "google-cloud-bigquery"), "Google Cloud"
    ),
    **dict.fromkeys(("azure-storage-blob", "azure-cosmos", "azure-data-tables", "adlfs"), "Azure"),
    **dict.fromkeys(
        ("sqlalchemy", "sqlmodel", "tortoise-orm", "django", "peewee", "alembic", "databases"), "a database"
    ),
    **dict.fromkeys(("aiosqlite", "sqlite-utils"), "SQLite"),
    **dict.fromkeys(("cassandra-driver", "scylla-driver"), "Cassandra"),
    **dict.fromkeys(("elasticsearch", "opensearch-py"), "Elasticsearch"),
    **dict.fromkeys(("neo4j", "clickhouse-connect", "clickhouse-driver", "duckdb", "influxdb-client"), "a database"),
    **dict.fromkeys(("kafka-python", "aiokafka", "confluent-kafka"), "Kafka"),
}
_IMPORT: Final = re.compile(r"(?m)^\s*(?:import|from)\s+(sqlite3|dbm|shelve)\b")
_CLAIM: Final = re.compile(r"(?m)^\s*(?:- )?(?:kind:\s*PersistentVolumeClaim|volumeClaimTemplates:)")


def needed(service: Service) -> list[str]:
    """The stores that the service uses, each with how that is known.

    Raises:
        NotApplicable: it uses none.
        CannotTell: pyproject.toml can't be read.
    """
    found = list(dict.fromkeys([*_clients(service), *_modules(service), *_claims(service)]))
    if not found:
        raise NotApplicable(
            "the service has no data store: no client of one is among its dependencies, src/ opens none, and deploy/ "
            "claims no volume"
        )
    return found


def _clients(service: Service) -> Iterator[str]:
    for name, by in _dependencies(service).items():
        if name in CLIENTS:
            yield f"{CLIENTS[name]}, by {name}" + (f" (for {by})" if by else "")


def _dependencies(service: Service) -> dict[str, str]:
    """What the owner's own dependencies bring with them, each with the one that asked for it; their own with none."""
    project = _toml(service, "pyproject.toml")
    asked = project.get("project", {}).get("dependencies", [])
    names = [_folded(one[0]) for each in asked if isinstance(each, str) and (one := re.match(r"[\w.\-]+", each))]
    known = {each.get("name"): each for each in _locked(service)}
    found: dict[str, str] = dict.fromkeys(names, "")
    waiting = list(names)
    while waiting:
        for need in known.get(by := waiting.pop(), {}).get("dependencies", ()):
            if need["name"] not in found:
                found[need["name"]] = by
                waiting.append(need["name"])
    return found


def _locked(service: Service) -> list[dict[str, Any]]:
    if not (service.root / "uv.lock").is_file():
        return []
    packages: list[dict[str, Any]] = _toml(service, "uv.lock").get("package", [])
    return packages


def _toml(service: Service, path: str) -> dict[str, Any]:
    try:
        return _parsed(service.text(path))
    except tomllib.TOMLDecodeError as error:
        raise CannotTell(f"{path} is no TOML: {error}") from None


@lru_cache(maxsize=4)
def _parsed(text: str) -> dict[str, Any]:
    """The same text is parsed once: three rows ask for the lock file, which is large."""
    return tomllib.loads(text)


def _folded(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _modules(service: Service) -> Iterator[str]:
    for file in sorted((service.root / "src").rglob("*.py")):
        if "ops" in file.relative_to(service.root).parts:
            continue
        for found in _IMPORT.finditer(file.read_text("utf-8", "replace")):
            yield f"a file, by {found[1]} in {file.relative_to(service.root).as_posix()}"


def _claims(service: Service) -> Iterator[str]:
    for file in sorted((service.root / "deploy").rglob("*.y*ml")):
        if file.is_file() and _CLAIM.search(file.read_text("utf-8", "replace")):
            yield f"a volume, claimed in {file.relative_to(service.root).as_posix()}"
