"""YAML as it is written here: stable, readable, with queries as blocks."""

from typing import Any

import yaml

HEAD = "# Made from slo.yaml by `make slo`. Do not edit: `make check` compares.\n"


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002
        super().increase_indent(flow, False)


def _string(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text and not any(line.endswith(" ") for line in text.split("\n")) else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _string)


def dump(document: Any) -> str:
    """One document of YAML with a head that says where it comes from."""
    return HEAD + yaml.dump(document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)


def literal(text: str) -> str:
    """Text that Prometheus' templates show as it is: `{{` in it is no action."""
    return text.replace("{{", '{{ "{{" }}')
