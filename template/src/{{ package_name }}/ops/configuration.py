"""Loads the settings: flags, then environment, secret files, the YAML file, defaults; the first that has a value wins.

Whatever is wrong is refused at once and together, each problem with the place it came from and without any secret.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Generic, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, SecretBytes, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import EnvSettingsSource

from . import tracing
from .settings import OpsSettings, TokenFile

S = TypeVar("S", bound=OpsSettings)
Key = tuple[str, ...]

PREFIX = "APP_"
_PLACES = {f"{PREFIX}CONFIG_FILE", f"{PREFIX}SECRETS_DIR"}
SECRETS_DIR = Path("/run/secrets")
MASK = "**********"
MAX_SECRET_BYTES = 65_536
_NOTHING = object()
_SHOWN = 200  # characters of a wrong value that a message repeats
_SECRET_NAME = re.compile(r"secret|passw|passphrase|token|credential|api_?key|private_?key|dsn", re.IGNORECASE)
_NESTED = {
    "list_type": "a list",
    "dict_type": "an object",
    "model_type": "an object",
    "model_attributes_type": "an object",
}
_USERINFO = re.compile(r"(?<=://).*@")  # greedy: a password may hold any character


class ConfigurationError(Exception):
    """Everything that is wrong with the configuration, one problem an entry."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


@dataclass
class Loaded(Generic[S]):
    """The settings, and for every value that is not a default the place it came from."""

    settings: S
    origins: dict[Key, str]

    def origin(self, key: Key) -> str:
        """Where the value at `key` came from: a flag, variable, file and line, or `default`."""
        inside = [place for other, place in self.origins.items() if other[: len(key)] == key]
        return ", ".join(dict.fromkeys(inside)) or _nearest(self.origins, key) or "default"


@dataclass
class _Source:
    """The values of one place, nested as the settings are; `where` names the place of each."""

    values: dict[str, Any] = field(default_factory=dict)
    where: dict[Key, str] = field(default_factory=dict)


def load(cls: type[S], environ: Mapping[str, str], flags: Mapping[str, str | None] | None = None) -> Loaded[S]:
    """Load and check the settings.

    Args:
        cls: the service's settings class.
        environ: the process environment.
        flags: values of command line flags by setting; `config` names the YAML file. None means not given.

    Raises:
        ConfigurationError: with every problem of every source.
    """
    given = {name: value for name, value in (flags or {}).items() if value is not None}
    places = {name.upper(): value for name, value in environ.items() if name.upper() in _PLACES}
    file = given.pop("config", None)
    file_from = "flag --config"
    if file is None:
        file, file_from = places.get(f"{PREFIX}CONFIG_FILE"), f"environment variable {PREFIX}CONFIG_FILE"
    problems: list[str] = []
    sources = [  # the last one wins
        _from_yaml(cls, file, file_from, problems),
        _from_secret_files(cls, places.get(f"{PREFIX}SECRETS_DIR"), problems),
        _from_environment(cls, environ, problems),
        _Source(dict(given), {(name,): f"flag --{name}" for name in given}),
    ]
    values: dict[str, Any] = {}
    origins: dict[Key, str] = {}
    for source in sources:
        _merge(values, source.values)
        for key, value in _leaves(source.values):
            if value == {} and _at(values, key):
                continue  # it adds nothing to what other sources give
            for other in [other for other in origins if other[: len(key)] == key or key[: len(other)] == other]:
                if other == key or not isinstance(_at(values, other), dict):
                    del origins[other]
            origins[key] = _nearest(source.where, key) or "default"
    problems += tracing.problems(environ)
    settings: S | None = None
    try:
        settings = cls(**values)
    except ValidationError as error:
        problems += [_explain(cls, detail, values, origins) for detail in error.errors(include_url=False)]
    if problems or settings is None:
        raise ConfigurationError(problems)
    return Loaded(settings, origins)


def variable(key: Key) -> str:
    """Name of the environment variable, and of the secret file, of a setting."""
    return PREFIX + "__".join(key).upper()


def walk(cls: type[BaseModel], prefix: Key = ()) -> Iterator[tuple[Key, FieldInfo]]:
    """Every setting of a class, sections opened, in the order of declaration."""
    for name, info in cls.model_fields.items():
        key = (*prefix, name)
        if (section := _section(info.annotation)) is not None:
            yield from walk(section, key)
        else:
            yield key, info


def is_secret(key: Key, info: FieldInfo | None) -> bool:
    """Whether a value must never be shown: by its type, that of something in it, or, as a second guard, its name."""
    return (info is not None and _holds_secret(info.annotation)) or any(_SECRET_NAME.search(part) for part in key)


def shown(key: Key, info: FieldInfo | None, value: Any) -> str:
    """A value as JSON for people to read: secrets masked, credentials in URLs too."""
    if is_secret(key, info) and value not in (None, [], {}, ""):
        return json.dumps([MASK] * len(value)) if isinstance(value, list) else json.dumps(MASK)
    return json.dumps(_masked(value), default=str, ensure_ascii=False)


def _masked(value: Any) -> Any:
    """Without credentials in URLs, and without what lies under a secret's name."""
    if isinstance(value, str):
        return _USERINFO.sub(f"{MASK}@", value)
    if isinstance(value, list):
        return [_masked(item) for item in value]
    if isinstance(value, dict):
        return {name: MASK if _SECRET_NAME.search(str(name)) else _masked(item) for name, item in value.items()}
    if isinstance(value, Enum):
        return _masked(value.value)
    return value if value is None or isinstance(value, bool | int | float) else _masked(str(value))


def _from_environment(cls: type[OpsSettings], environ: Mapping[str, str], problems: list[str]) -> _Source:
    given = {name: value for name, value in environ.items() if name.upper().startswith(PREFIX)}
    for name in [name for name in given if name.upper() in _PLACES]:
        del given[name]
    source = _variables(cls, given, "environment variable {}", problems)
    if "port" not in source.values and "PORT" in environ:
        source.values["port"], source.where[("port",)] = environ["PORT"], "environment variable PORT"
    return source


def _from_secret_files(cls: type[OpsSettings], folder: str | None, problems: list[str]) -> _Source:
    path = Path(folder) if folder else SECRETS_DIR
    if not path.is_dir():
        if folder:
            problems.append(f"environment variable {PREFIX}SECRETS_DIR: {str(path)!r} is not a folder")
        return _Source()
    found: dict[str, str] = {}
    try:
        files = sorted(path.iterdir())
    except OSError as error:
        problems.append(f"secrets folder {path}: it can't be read ({error.strerror})")
        return _Source()
    for file in files:
        # Other files may lie there for other readers: only what names a setting is ours.
        if not file.name.upper().startswith(PREFIX) or not file.is_file():
            continue
        try:
            if file.stat().st_size > MAX_SECRET_BYTES:
                problems.append(f"secret file {file}: larger than {MAX_SECRET_BYTES} bytes")
                continue
            found[file.name] = file.read_text("utf-8").rstrip("\r\n")
        except OSError as error:
            problems.append(f"secret file {file}: it can't be read ({error.strerror})")
        except UnicodeDecodeError:
            problems.append(f"secret file {file}: it is not UTF-8 text")
    return _variables(cls, found, f"secret file {path}/{{}}", problems, text=TokenFile)


def _given_whole(key: Key, given: Mapping[str, str]) -> str | None:
    """The variable that gives, as JSON, all of an object that `key` would give a part of; sections may be mixed."""
    for length in range(2, len(key)):
        for name in given:
            if name.upper() == variable(key[:length]):
                return name
    return None


class _Variables(EnvSettingsSource):
    """pydantic-settings' reading of variables, over any mapping, that leaves broken JSON for validation to refuse."""

    def __init__(self, cls: type[OpsSettings], given: Mapping[str, str], text: type[str]) -> None:
        self._given = {name.lower(): value for name, value in given.items()}
        self._text = text
        super().__init__(cls)

    def _load_env_vars(self) -> Mapping[str, str | None]:
        return self._given

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:
        try:
            decoded = super().decode_complex_value(field_name, field, value)
        except (ValueError, RecursionError):
            return self._text(value)
        # A file of text may look like JSON's number: it is a list only if it says so.
        return decoded if isinstance(decoded, list | dict) or self._text is str else self._text(value)


def _variables(
    cls: type[OpsSettings], given: Mapping[str, str], place: str, problems: list[str], text: type[str] = str
) -> _Source:
    """Values of variables or secret files, whose names are `variable(key)` in any case."""
    source = _Source()
    accepted: dict[str, str] = {}
    seen: dict[str, str] = {}
    for name, value in given.items():
        key = tuple(name[len(PREFIX) :].lower().split("__"))
        if name.upper() in seen:
            problems.append(f"{place.format(name)}: {seen[name.upper()]} is the same setting; remove one of them")
        elif (whole := _given_whole(key, given)) is not None:
            problems.append(f"{place.format(name)}: {whole} gives the same setting; give only one of them")
        elif not _exists(cls, key):
            problems.append(f"{place.format(name)}: no such setting{_suggest(variable(key), _all_variables(cls))}")
        else:
            accepted[name] = value
            source.where[key] = place.format(name)
        seen[name.upper()] = name
    source.values = _Variables(cls, accepted, text)()
    for key, _ in list(_leaves(source.values)):  # names inside a JSON value
        if not _exists(cls, key):
            known = [".".join(name) for name, _ in walk(cls)]
            problems.append(
                f"{_nearest(source.where, key)}: no such setting: {'.'.join(key)}{_suggest('.'.join(key), known)}"
            )
            del _at(source.values, key[:-1])[key[-1]]
    return source


def _from_yaml(cls: type[OpsSettings], file: str | None, named_by: str, problems: list[str]) -> _Source:
    if not file:
        return _Source()
    import yaml  # noqa: PLC0415 - 15 ms that a service without a file need not spend

    try:
        node = yaml.compose(Path(file).read_text("utf-8"), yaml.SafeLoader)
    except OSError as error:
        problems.append(f"{named_by}: {file!r} can't be read ({error.strerror})")
        return _Source()
    except UnicodeDecodeError:
        problems.append(f"{file}: it is not UTF-8 text")
        return _Source()
    except RecursionError:
        problems.append(f"{file}: nested too deeply")
        return _Source()
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{file}:{mark.line + 1}" if mark else file
        problems.append(f"{place}: not valid YAML ({getattr(error, 'problem', None) or 'syntax error'})")
        return _Source()
    if node is None:
        return _Source()
    if not isinstance(node, yaml.MappingNode):
        problems.append(f"{file}: the file must hold settings as 'name: value'")
        return _Source()
    if (repeated := _repeated(node)) is not None:
        problems.append(f"{file}:{repeated.start_mark.line + 1}: an alias to a list or mapping; write it out")
        return _Source()
    return _YamlReader(cls, file, problems).read(node)


def _repeated(root: Any) -> Any:
    """A YAML list or mapping that stands in more than one place: it could be its own part, or grow without bound."""
    waiting, seen = [root], set()
    while waiting:
        node = waiting.pop()
        if isinstance(node.value, list):
            if id(node) in seen:
                return node
            seen.add(id(node))
            for part in node.value:
                waiting.extend(part if isinstance(part, tuple) else (part,))
    return None


class _YamlReader:
    """Turns composed YAML into values, with the line of each, refusing what YAML itself lets pass."""

    def __init__(self, cls: type[OpsSettings], file: str, problems: list[str]) -> None:
        import yaml  # noqa: PLC0415

        self._cls, self._file, self._problems = cls, file, problems
        self._mapping = yaml.MappingNode
        self._construct = yaml.SafeLoader("").construct_document
        self._error = yaml.YAMLError
        self._where: dict[Key, str] = {}

    def read(self, root: Any) -> _Source:
        return _Source(self._section(root, ()), self._where)

    def _section(self, node: Any, prefix: Key) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for name_node, value_node in node.value:
            place = f"{self._file}:{name_node.start_mark.line + 1}"
            name = name_node.value
            if not isinstance(name, str) or name_node.tag != "tag:yaml.org,2002:str":
                self._problems.append(f"{place}: a setting's name must be text; put it in quotes")
                continue
            key = (*prefix, name)
            dotted = ".".join(key)
            if name in values:
                self._problems.append(f"{place}: {dotted} is given twice")
            elif not _exists(self._cls, key, fold=False):
                known = [".".join(k) for k, _ in walk(self._cls)]
                self._problems.append(f"{place}: no such setting: {dotted}{_suggest(dotted, known)}")
            else:
                self._where[key] = place
                value = self._value(value_node, key, place)
                if value is not _NOTHING:
                    values[name] = value
        return values

    def _value(self, node: Any, key: Key, place: str) -> Any:
        if isinstance(node, self._mapping):
            if node.tag != "tag:yaml.org,2002:map":
                self._problems.append(f"{place}: {'.'.join(key)}: unknown tag {node.tag}")
                return _NOTHING
            return self._section(node, key)
        try:
            value = self._construct(node)
        except (self._error, ValueError) as error:
            self._problems.append(f"{place}: {'.'.join(key)}: {getattr(error, 'problem', None) or 'not a valid value'}")
            return _NOTHING
        if isinstance(value, bool) and (info := _info(self._cls, key)) is not None:
            kinds = _kinds(info.annotation)
            if bool not in kinds and kinds & {int, float}:
                return str(value).lower()  # YAML's `yes` is no number: validation says so
            if bool not in kinds and str in kinds:
                self._problems.append(f"{place}: {'.'.join(key)}: YAML reads {node.value} as {value}; put it in quotes")
                return _NOTHING
        return value


def _explain(cls: type[OpsSettings], detail: Mapping[str, Any], values: dict[str, Any], origins: dict[Key, str]) -> str:
    """One problem of pydantic's as a sentence: place, setting, value (unless secret), what is accepted."""
    location = tuple(str(part) for part in detail["loc"])
    key = location
    while key and _info(cls, key) is None and not _exists(cls, key):
        key = key[:-1]
    info, message = _info(cls, key), str(detail["msg"])
    message = message.removeprefix("Value error, ")
    dotted = ".".join(key) or "settings"
    if detail["type"] == "missing" and key == location:
        return f"{dotted}: no value; set {variable(key)}, or {dotted} in the YAML file"
    member = dotted
    if location != key and key:  # a member of a list, or of an object in it
        message = "no value" if detail["type"] == "missing" else message
        member = ".".join(location)
    if not key:  # a rule of the owner's over several settings: its own words must do
        return (
            f"settings: {_USERINFO.sub(f'{MASK}@', message)}"
            if not _mentions(message, values)
            else "settings: not accepted"
        )
    inside = [place for other, place in origins.items() if other[: len(key)] == key]
    origin = _nearest(origins, key) or ", ".join(dict.fromkeys(inside)) or "default"
    value = _at(values, key)
    if detail["type"] in _NESTED:
        message = f"it should be {_NESTED[detail['type']]}{' in JSON' if isinstance(value, str) else ''}"
    if is_secret(key, info):
        message = message if not _mentions(message, _at(values, key)) else "not accepted"
        return f"{origin}: {member}: {message}"
    message = message if member == dotted else f"{member}: {message}"
    text = shown(key, info, value)
    text = text if len(text) <= _SHOWN else f"{text[:_SHOWN]} … ({len(text)} characters)"
    return f"{origin}: {dotted} = {text}: {_USERINFO.sub(f'{MASK}@', message)}"


def _mentions(message: str, value: Any) -> bool:
    if isinstance(value, dict):
        return any(_mentions(message, item) for item in value.values())
    texts = [str(item) for item in value] if isinstance(value, list) else [str(value)]
    return any(len(text) > 2 and text in message for text in texts)


def _suggest(wrong: str, known: list[str]) -> str:
    import difflib  # noqa: PLC0415 - for mistakes only

    close = difflib.get_close_matches(wrong, known, n=1, cutoff=0.75)
    return f"; did you mean {close[0]}?" if close else "; `app config` lists them all"


def _all_variables(cls: type[OpsSettings]) -> list[str]:
    return [*(variable(key) for key, _ in walk(cls)), f"{PREFIX}CONFIG_FILE", f"{PREFIX}SECRETS_DIR"]


def _members(annotation: Any) -> Iterator[Any]:
    """The types that an annotation may stand for, without `Annotated` and unions."""
    origin = get_origin(annotation)
    if origin is Annotated:
        yield from _members(get_args(annotation)[0])
    elif origin in (Union, UnionType):
        for member in get_args(annotation):
            yield from _members(member)
    else:
        yield annotation


def _section(annotation: Any) -> type[BaseModel] | None:
    for member in _members(annotation):
        if isinstance(member, type) and issubclass(member, BaseModel):
            return member
    return None


def _kinds(annotation: Any) -> set[Any]:
    return set(_members(annotation))


def _holds_secret(annotation: Any) -> bool:
    for member in _members(annotation):
        if member in (SecretStr, SecretBytes) or any(_holds_secret(part) for part in get_args(member)):
            return True
        if isinstance(member, type) and issubclass(member, BaseModel):
            fields = member.model_fields.items()
            if any(_SECRET_NAME.search(name) or _holds_secret(info.annotation) for name, info in fields):
                return True
    return False


def _field(model: type[BaseModel], name: str, fold: bool) -> FieldInfo | None:
    for known, info in model.model_fields.items():
        names = {known, info.alias, info.validation_alias} if isinstance(info.validation_alias, str) else {known}
        if name in names or (fold and name.lower() in {str(each).lower() for each in names}):
            return info
    return None


def _info(cls: type[BaseModel], key: Key, fold: bool = True) -> FieldInfo | None:
    """The field that holds `key`, or None; inside a dict or list it is the field of the whole."""
    info: FieldInfo | None = None
    model: type[BaseModel] | None = cls
    for name in key:
        if model is None:
            return info if info is not None and _open(info.annotation) else None
        info = _field(model, name, fold)
        if info is None:
            return None
        model = _section(info.annotation)
    return info


def _open(annotation: Any) -> bool:
    """Whether any key may follow: dicts, and what we can't see into."""
    return any(get_origin(m) is dict or m in (dict, Any) for m in _members(annotation))


def _exists(cls: type[BaseModel], key: Key, fold: bool = True) -> bool:
    return _info(cls, key, fold) is not None


def _leaves(values: Mapping[str, Any], prefix: Key = ()) -> Iterator[tuple[Key, Any]]:
    for name, value in values.items():
        if isinstance(value, dict) and value:
            yield from _leaves(value, (*prefix, name))
        else:
            yield (*prefix, name), value


def _at(values: Any, key: Key) -> Any:
    for name in key:
        if not isinstance(values, dict) or name not in values:
            return None
        values = values[name]
    return values


def _merge(into: dict[str, Any], other: Mapping[str, Any]) -> None:
    for name, value in other.items():
        if isinstance(value, dict) and isinstance(into.get(name), dict):
            _merge(into[name], value)
        else:
            into[name] = value


def _nearest(places: Mapping[Key, str], key: Key) -> str | None:
    """The place of `key`, or of the closest section around it."""
    for length in range(len(key), 0, -1):
        if key[:length] in places:
            return places[key[:length]]
    return None
