"""The settings for people to read: what is in effect, and the generated reference."""

from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from .configuration import MASK, Key, Loaded, is_secret, shown, variable, walk
from .settings import OpsSettings


def effective(loaded: Loaded[Any]) -> str:
    """Every setting with its value in effect and where it came from, one a line; secrets masked."""
    rows = []
    for key, info in walk(type(loaded.settings)):
        value: Any = loaded.settings
        for name in key:
            value = getattr(value, name) if value is not None else None
        rows.append((".".join(key), shown(key, info, _plain(value)), loaded.origin(key)))
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    return "\n".join(f"{name:<{widths[0]}}  {value:<{min(widths[1], 40)}}  {origin}" for name, value, origin in rows)


def markdown(cls: type[OpsSettings]) -> str:
    """The reference page of all settings: name, type, default, meaning."""
    lines = [
        "# Configuration",
        "",
        "Made by `make docs` from the settings classes; `make test` fails while it is out of date. Change the classes.",
        "",
        "A value is taken from the first of: a flag (`--host --port --workers --config`), an environment variable, a",
        "secret file named like the variable in `APP_SECRETS_DIR` (default `/run/secrets`), the YAML file that",
        "`APP_CONFIG_FILE` or `--config` names, the default. Lists and objects are JSON in variables. An unknown name",
        "or a wrong value stops the start with exit status 78; an empty variable is a value, too. `app config` shows",
        "what is in effect and why.",
        "",
        "| variable | YAML | accepts | default | meaning |",
        "|---|---|---|---|---|",
    ]
    for key, info in walk(cls):
        cells = [
            f"`{variable(key)}`",
            f"`{'.'.join(key)}`",
            _accepts(cls, key),
            f"`{_default(key, info)}`",
            _about(info),
        ]
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def dotenv(cls: type[OpsSettings]) -> str:
    """Every variable with its default, commented out, for a developer's `.env`."""
    lines = ["# Made by `make docs` from the settings classes. Copy what you need; see docs/configuration.md.", ""]
    for key, info in walk(cls):
        default = "" if is_secret(key, info) or info.is_required() else _default(key, info)
        default = "" if MASK in default else default
        lines += [f"# {_about(info)}", f"#{variable(key)}={'' if default == 'null' else _quoted(default)}"]
    return "\n".join(lines) + "\n"


def _quoted(default: str) -> str:
    text = default[1:-1] if default[:1] == '"' else default
    return f"'{text}'" if set(text) & set(' "{}[]#$') else text


def _about(info: FieldInfo) -> str:
    return " ".join((info.description or "").split())


def _default(key: Key, info: FieldInfo) -> str:
    value = info.get_default(call_default_factory=True, validated_data={})
    return "required" if value is PydanticUndefined else shown(key, info, _plain(value))


def _plain(value: Any) -> Any:
    """A value as plain JSON types; secrets become their mask."""
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    return value


def _accepts(cls: type[OpsSettings], key: Key) -> str:
    """What JSON Schema says of a setting, in a few words."""
    schema = cls.model_json_schema()
    node: dict[str, Any] = schema
    for name in key:
        node = _resolved(schema, _resolved(schema, node)["properties"][name])
    return _words(schema, node)


def _resolved(schema: dict[str, Any], node: dict[str, Any]) -> dict[str, Any]:
    for part in (node, *node.get("allOf", ()), *node.get("anyOf", ())):
        if "$ref" in part:
            found: dict[str, Any] = schema["$defs"][part["$ref"].rsplit("/", 1)[-1]]
            return found
    return node


def _words(schema: dict[str, Any], node: dict[str, Any]) -> str:
    node = _resolved(schema, node)
    if "enum" in node:
        return ", ".join(f"`{value}`" for value in node["enum"])
    if "anyOf" in node:
        words = [_words(schema, part) for part in node["anyOf"] if part.get("type") != "null"]
        return " or ".join(dict.fromkeys(words))
    kind = node.get("type")
    if kind in ("integer", "number"):
        low, high = node.get("minimum", node.get("exclusiveMinimum")), node.get("maximum")
        bounds = (
            "" if low is None and high is None else f" {'' if low is None else low} … {'' if high is None else high}"
        )
        above = " (above 0)" if node.get("exclusiveMinimum") == 0 else ""
        return f"{kind}{bounds}{above}"
    if kind == "array":
        return f"list of {_words(schema, node.get('items', {}))}"
    if kind == "object":
        extra = node.get("additionalProperties")
        return f"object of {_words(schema, extra)}" if isinstance(extra, dict) else "object"
    if kind == "string":
        return {"password": "secret text", "ipv4network": "network", "ipv6network": "network"}.get(
            node.get("format", ""), "text"
        )
    return str(kind or "any value")
