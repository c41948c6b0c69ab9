"""Personal data, declared once where a field is: what redaction hides, and what the inventory for the DPIA lists.

email: Annotated[str, Personal(purpose="to send the receipt", retention="P1Y", category="contact")]
"""

import dataclasses
import inspect
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import UnionType
from typing import Annotated, Any, Final, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from pydantic import AliasChoices, AliasPath, BaseModel, Secret, SecretBytes, SecretStr

Category = Literal[
    "ordinary", "contact", "identity", "national_id", "financial", "location", "online", "special", "criminal"
]
# GDPR: `special` is Article 9 (health, belief, origin …), `criminal` Article 10, `national_id` Article 87.
CATEGORIES: Final = get_args(Category)
LegalBasis = Literal[
    "consent", "contract", "legal_obligation", "vital_interests", "public_task", "legitimate_interests"
]
LEGAL_BASES: Final = get_args(LegalBasis)  # Article 6(1), a to f
_DURATION: Final = re.compile(
    r"P(?=.)(?:\d+W|(?:\d+Y)?(?:\d+M)?(?:\d+D)?(?:T(?=\d)(?:\d+H)?(?:\d+M)?(?:\d+S)?)?)"
).fullmatch
_WORDS: Final = re.compile(r"[^\W\d_]{2,}").findall
_MAX_DEPTH: Final = 16
_MAX_SEEN: Final = 10_000
SECRET: Final = "[redacted:secret]"  # noqa: S105 - what stands in its place
PERSONAL: Final = "[redacted:personal]"
TOO_DEEP: Final = "[too deep]"


@dataclass(frozen=True)
class Personal:
    """Says of a field that it holds personal data, and what for (GDPR, Article 30).

    Args:
        purpose: why the service processes it, in words.
        retention: for how long, as an ISO 8601 duration (`P1Y`, `P30D`) or in words ("until the account is closed").
        category: one of `CATEGORIES`.
        recipients: who else is given it.
        legal_basis: one of `LEGAL_BASES`, if it is known here.

    Raises:
        ValueError: with what would be accepted.
    """

    purpose: str
    retention: str
    _: dataclasses.KW_ONLY
    category: Category = "ordinary"
    recipients: tuple[str, ...] = ()
    legal_basis: LegalBasis | None = None

    def __post_init__(self) -> None:
        """Refuse what an inventory could not show."""
        if not isinstance(self.purpose, str) or not _WORDS(self.purpose):
            raise ValueError(f"purpose {self.purpose!r}: say in words what for, as in 'to deliver the order'")
        if not _is_retention(self.retention):
            raise ValueError(
                f"retention {self.retention!r}: use an ISO 8601 duration as 'P1Y', 'P30D' or 'PT12H', or words as "
                "'until the account is closed'"
            )
        if self.category not in CATEGORIES:
            raise ValueError(f"category {self.category!r}: use one of {', '.join(CATEGORIES)}")
        if self.legal_basis is not None and self.legal_basis not in LEGAL_BASES:
            raise ValueError(f"legal_basis {self.legal_basis!r}: use one of {', '.join(LEGAL_BASES)}, or leave it out")
        if isinstance(self.recipients, str) or not all(isinstance(one, str) and one for one in self.recipients):
            raise ValueError(f"recipients {self.recipients!r}: use a list of names, as ['the carrier']")
        object.__setattr__(self, "recipients", tuple(self.recipients))


Declared = Personal | Literal["secret"]


def _is_retention(text: object) -> bool:
    if not isinstance(text, str):
        return False
    if re.match(r"[Pp][T\d]", text):  # it is meant to be a duration
        return _DURATION(text) is not None
    return len(_WORDS(text)) >= 2 or text in ("forever", "session", "transient", "none")


@dataclass(frozen=True)
class DeclaredField:
    """A declared field of a model: where it lies, what it is called outside, what it is."""

    path: str
    name: str
    aliases: tuple[str, ...]
    declared: Declared
    model: str


def fields(model: Any) -> list[DeclaredField]:
    """Every declared or secret field of a model, those of models inside it included, in the order of declaration.

    Args:
        model: a pydantic model, a dataclass, or any annotation that holds some (`list[Customer] | None`).
    """
    found: list[DeclaredField] = []
    _walk(model, "", (), found)
    return found


def declared_names(*things: Any) -> list[str]:
    """Names and aliases of every declared or secret field of models, settings (instances, too) and applications."""
    names: dict[str, None] = {}
    for thing in things:
        if hasattr(thing, "routes"):
            for entry in _of_routes(thing):
                names.update(dict.fromkeys((entry.field.name, *entry.field.aliases)))
            continue
        annotation = thing if isinstance(thing, type) or get_origin(thing) is not None else type(thing)
        for field in fields(annotation):
            names.update(dict.fromkeys((field.name, *field.aliases)))
    names.pop("", None)
    return list(names)


def inventory(app: Any = None, settings: Any = None, models: Iterable[Any] = ()) -> list[dict[str, Any]]:
    """What personal data and secrets the service knows, for the DPIA: plain data, always in the same order.

    Args:
        app: a FastAPI application, whose routes say where a field is used.
        settings: the settings class or an instance.
        models: further models or annotations, of messages or rows for example.
    """
    used: dict[tuple[str, str, Declared], set[str]] = {}
    for entry in _of_routes(app) if app is not None else ():
        used.setdefault((entry.field.model, entry.field.path, entry.field.declared), set()).add(entry.where)
    if settings is not None:
        for field in fields(settings if isinstance(settings, type) else type(settings)):
            used.setdefault((field.model, field.path, field.declared), set()).add("settings")
    for model in models:
        for field in fields(model):
            used.setdefault((field.model, field.path, field.declared), set())
    rows = [_row(model, path, declared, sorted(where)) for (model, path, declared), where in used.items()]
    return sorted(rows, key=lambda row: (row["model"], row["field"], str(row["purpose"])))


def _row(model: str, path: str, declared: Declared, where: list[str]) -> dict[str, Any]:
    row: dict[str, Any] = {"model": model, "field": path, "kind": "secret", "purpose": None, "retention": None}
    row |= {"category": None, "legal_basis": None, "recipients": [], "used": where}
    if isinstance(declared, Personal):
        row |= {"kind": "personal", "purpose": declared.purpose, "retention": declared.retention}
        row |= {"category": declared.category, "legal_basis": declared.legal_basis}
        row["recipients"] = list(declared.recipients)
    return row


def markdown(rows: Iterable[Mapping[str, Any]]) -> str:
    """The inventory as a table for people."""
    lines = ["| model | field | purpose | retention | category | legal basis | recipients | used |", "|" + " --- |" * 8]
    for row in rows:
        cells = [row["model"], row["field"], row["purpose"] or row["kind"], row["retention"], row["category"]]
        cells += [row["legal_basis"], ", ".join(row["recipients"]), ", ".join(row["used"])]
        shown = (" ".join(str(cell or "–").split()).replace("|", "\\|") for cell in cells)
        lines.append(f"| {' | '.join(shown)} |")
    return "\n".join(lines) + "\n"


def serialised(instance: Any) -> Any:
    """A model's or dataclass's instance as plain values for a log; declared and secret fields are replaced."""
    return _plain(instance, _MAX_DEPTH)


def members(instance: Any) -> dict[str, Any]:
    """The fields of one instance, declared and secret ones replaced; models inside stay as they are."""
    known = {field.name: field.declared for field in _own_fields(type(instance))}
    shown: dict[str, Any] = {}
    for name in _names(instance):
        declared = known.get(name)
        value = getattr(instance, name, None)
        shown[name] = value if declared is None or value is None else SECRET if declared == "secret" else PERSONAL
    shown.update(getattr(instance, "__pydantic_extra__", None) or {})
    return shown


def _names(instance: Any) -> list[str]:
    if hasattr(type(instance), "model_fields"):
        return list(type(instance).model_fields)
    return [field.name for field in dataclasses.fields(instance)]


def _plain(value: Any, depth: int) -> Any:
    if depth <= 0:
        return TOO_DEEP
    if _is_model(type(value)):
        return {name: _plain(member, depth - 1) for name, member in members(value).items()}
    if isinstance(value, Mapping):
        return {name: _plain(member, depth - 1) for name, member in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(member, depth - 1) for member in value]
    return SECRET if isinstance(value, Secret | SecretStr | SecretBytes) else value


# --- finding declarations


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and (issubclass(kind, BaseModel) or dataclasses.is_dataclass(kind))


_own: dict[type, tuple[DeclaredField, ...]] = {}


def _own_fields(kind: type) -> tuple[DeclaredField, ...]:
    """Declared fields of a class itself; found once."""
    if kind not in _own:
        if len(_own) >= _MAX_SEEN:
            _own.clear()
        found = []
        for name, annotation, extra, aliases in _members(kind):
            declared = _declared(annotation, extra)
            if declared is not None:
                found.append(DeclaredField(name, name, aliases, declared, kind.__qualname__))
        _own[kind] = tuple(found)
    return _own[kind]


def _members(kind: type) -> Iterator[tuple[str, Any, tuple[Any, ...], tuple[str, ...]]]:
    """Name, annotation, metadata and aliases of every field and computed field."""
    if issubclass(kind, BaseModel):
        if not kind.__pydantic_complete__:
            kind.model_rebuild(raise_errors=False)
        hints = _hints(kind)
        for name, info in kind.model_fields.items():
            aliases = (*_aliases(info.validation_alias), *_aliases(info.serialization_alias), *_aliases(info.alias))
            annotation = info.annotation
            if annotation is None or isinstance(annotation, str):
                annotation = hints.get(name)
            yield name, annotation, (*info.metadata, hints.get(name)), tuple(dict.fromkeys(aliases))
        for name, computed in kind.model_computed_fields.items():
            returned = _returned(computed.wrapped_property)
            metadata = (returned, computed.return_type)
            yield name, returned, metadata, tuple(dict.fromkeys(_aliases(computed.alias)))
        return
    hints = _hints(kind)
    for field in dataclasses.fields(kind):  # type: ignore[arg-type]
        yield field.name, hints.get(field.name, field.type), tuple(field.metadata.values()), ()


def _hints(kind: Any) -> dict[str, Any]:
    try:
        return get_type_hints(kind, include_extras=True)
    except Exception:  # noqa: BLE001 - a name that only a type checker knows: each field for itself
        return {name: hint for name, hint in getattr(kind, "__annotations__", {}).items() if not isinstance(hint, str)}


def _returned(wrapped: Any) -> Any:
    function = getattr(wrapped, "fget", None) or getattr(wrapped, "func", None)
    return _hints(function).get("return") if function is not None else None


def _aliases(alias: Any) -> Iterator[str]:
    if isinstance(alias, str):
        yield alias
    elif isinstance(alias, AliasPath):
        yield from [part for part in alias.path if isinstance(part, str)][-1:]
    elif isinstance(alias, AliasChoices):
        for choice in alias.choices:
            yield from _aliases(choice)


def _declared(annotation: Any, metadata: Iterable[Any] = ()) -> Declared | None:
    """What an annotation declares of its own value; a model inside it speaks for itself."""
    secret = False
    for part in (*metadata, annotation):
        for found in _parts(part, set()):
            if isinstance(found, Personal):
                return found
            secret = secret or (isinstance(found, type) and issubclass(found, SecretStr | SecretBytes | Secret))
    return "secret" if secret else None


def _parts(annotation: Any, seen: set[int], depth: int = 0) -> Iterator[Any]:
    """Everything that an annotation is made of: types, and what `Annotated` adds to them."""
    if annotation is None or depth > _MAX_DEPTH or id(annotation) in seen:
        return
    if isinstance(annotation, Personal):
        yield annotation
        return
    origin = get_origin(annotation)
    if (value := _alias_value(annotation)) is not None:
        yield from _parts(value, seen | {id(annotation)}, depth + 1)
        annotation_args = get_args(annotation)
    elif origin is Annotated:
        yield from (extra for extra in annotation.__metadata__ if isinstance(extra, Personal))
        annotation_args = (annotation.__origin__,)
    elif isinstance(annotation, TypeVar):
        annotation_args = (annotation.__bound__, *annotation.__constraints__)
    elif isinstance(annotation, type) and origin is None:
        yield annotation
        annotation_args = ()
    else:
        if isinstance(origin, type) and issubclass(origin, Secret):
            yield origin
        annotation_args = get_args(annotation) if origin is not Literal else ()
    for part in annotation_args:
        yield from _parts(part, seen, depth + 1)


def _alias_value(annotation: Any) -> Any:
    """What `type Name = …` (Python 3.12) stands for."""
    named = get_origin(annotation) or annotation
    return getattr(named, "__value__", None) if type(named).__name__ == "TypeAliasType" else None


def _walk(annotation: Any, path: str, open_: tuple[Any, ...], found: list[DeclaredField]) -> None:
    """Follow an annotation into the models that it holds; `open_` are those that this path has gone through."""
    if len(found) >= _MAX_SEEN or len(open_) > _MAX_DEPTH:
        return
    for part, container in _models(annotation, 0):
        if part in open_:
            continue
        for name, inner, extra, aliases in _members(part):
            place = f"{path}{container}.{name}" if path or container else name
            place = place.removeprefix(".")
            declared = _declared(inner, extra)
            if declared is not None:
                top = open_[0] if open_ else part
                found.append(DeclaredField(place, name, aliases, declared, top.__qualname__))
            _walk(inner, place, (*open_, part), found)


def _models(annotation: Any, depth: int) -> Iterator[tuple[type, str]]:
    """The models that an annotation holds, each with `[]` for every list or mapping around it."""
    if depth > _MAX_DEPTH:
        return
    origin = get_origin(annotation)
    if _is_model(annotation):
        yield annotation, ""
    elif (value := _alias_value(annotation)) is not None:
        yield from _models(value, depth + 1)
        for part in get_args(annotation):
            yield from _models(part, depth + 1)
    elif origin is Annotated:
        yield from _models(annotation.__origin__, depth + 1)
    elif origin in (Union, UnionType):
        for part in get_args(annotation):
            yield from _models(part, depth + 1)
    elif origin is not None and origin is not Literal:
        around = "[]" if isinstance(origin, type) and issubclass(origin, Iterable) else ""
        for part in get_args(annotation):
            yield from ((model, f"{around}{inner}") for model, inner in _models(part, depth + 1))
    elif isinstance(annotation, TypeVar) and annotation.__bound__ is not None:
        yield from _models(annotation.__bound__, depth + 1)


# --- where FastAPI's routes use them


@dataclass(frozen=True)
class _Used:
    field: DeclaredField
    where: str


def _of_routes(app: Any) -> Iterator[_Used]:
    from fastapi.routing import iter_route_contexts  # noqa: PLC0415 - models alone do not need it

    for route in iter_route_contexts(app.routes):
        dependant = getattr(route, "dependant", None)
        methods = ",".join(sorted(getattr(route, "methods", None) or ()))
        place = f"{methods} {getattr(route, 'path_format', None) or getattr(route, 'path', '')}".strip()
        if dependant is not None:
            yield from _of_dependant(dependant, place, set())
        for answer in _answers(route):
            yield from (_Used(field, f"{place} response") for field in fields(answer))
        mounted = getattr(getattr(route, "original_route", route), "app", None)
        if mounted is not None and hasattr(mounted, "routes") and dependant is None:
            prefix = getattr(route, "path", "")
            for entry in _of_routes(mounted):
                method, _, rest = entry.where.partition(" ")
                yield _Used(entry.field, f"{method} {prefix}{rest}")


def _answers(route: Any) -> Iterator[Any]:
    field = getattr(route, "response_field", None)
    if field is not None:
        yield _annotation(field)
    for other in (getattr(route, "response_fields", None) or {}).values():
        yield _annotation(other)


def _of_dependant(dependant: Any, place: str, seen: set[int]) -> Iterator[_Used]:
    if id(dependant) in seen:
        return
    seen.add(id(dependant))
    for direction in ("path", "query", "header", "cookie", "body"):
        for param in getattr(dependant, f"{direction}_params", ()):
            annotation = _annotation(param)
            declared = _declared(annotation, _declarations(dependant, param))
            if declared is not None:
                aliases = tuple(dict.fromkeys(_aliases(getattr(param, "alias", None))))
                yield _Used(
                    DeclaredField(param.name, param.name, aliases, declared, "parameter"), f"{place} {direction}"
                )
            yield from (_Used(field, f"{place} {direction}") for field in fields(annotation))
    for inner in dependant.dependencies:
        yield from _of_dependant(inner, place, seen)


def _annotation(param: Any) -> Any:
    info = getattr(param, "field_info", None)
    return getattr(info, "annotation", None)


def _declarations(dependant: Any, param: Any) -> Iterator[Any]:
    """What stands beside `Query()` in a parameter's own `Annotated`, which FastAPI does not always pass on."""
    yield from getattr(param.field_info, "metadata", ())
    call: Callable[..., Any] | None = dependant.call
    if call is not None:
        yield _hints(call if inspect.isroutine(call) else getattr(call, "__init__", call)).get(param.name)
