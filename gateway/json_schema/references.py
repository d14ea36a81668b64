"""The references in a repaired schema: resolve them, follow renamed parts, and drop those without a target."""

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote, unquote

from gateway.json_schema.keywords import LIST_KEYWORDS, MAP_KEYWORDS, SCHEMA_KEYWORDS, add_notes
from gateway.json_schema.mapping import Schema, rename_keys
from gateway.json_schema.repair import alias_of

_REFERENCES = ("$ref", "$dynamicRef")
_DATA = ("const", "enum", "default", "example", "examples")
_NAMES = ("dependentRequired", "dependentSchemas", "dependencies")


def map_subschemas(schema: Schema, change: Callable[[Any], Any]) -> Schema:
    """Return the schema with `change` applied to each direct subschema; the same object if nothing changes."""
    changed = {keyword: _map_keyword(keyword, value, change) for keyword, value in schema.items()}
    return schema if all(changed[keyword] is schema[keyword] for keyword in schema) else changed


def _map_keyword(keyword: str, value: Any, change: Callable[[Any], Any]) -> Any:
    if keyword in SCHEMA_KEYWORDS:
        return change(value)
    if keyword in LIST_KEYWORDS:
        items = [change(item) for item in value]
        return value if all(one is other for one, other in zip(items, value, strict=True)) else items
    if keyword in MAP_KEYWORDS or keyword == "dependencies":
        inner = {name: item if isinstance(item, list) else change(item) for name, item in value.items()}
        return value if all(inner[name] is value[name] for name in value) else inner
    return value


def resolve(root: Schema, reference: str) -> tuple[str, Any] | None:
    """Return the target of a pointer into the schema, and the pointer with the new names of renamed parts.

    Return None if it points to nothing, or outside of the schema.

    >>> resolve({"prefixItems": [True]}, "#/items/0")
    ('#/prefixItems/0', True)
    """
    if reference not in ("#", "") and not reference.startswith("#/"):
        return None
    tokens = [_decode(token) for token in reference.split("/")[1:]]
    path: list[str] = []
    node: Any = root
    for token, following in zip(tokens, [*tokens[1:], ""], strict=False):
        name = _current_name(node, token, following)
        if name is None:
            return None
        path.append(name)
        node = node[int(name)] if isinstance(node, list) else node[name]
    if not isinstance(node, dict | bool):
        return None
    return (reference if path == tokens else pointer(path)), node


def pointer(path: list[str]) -> str:
    """Return the reference to a path of keys."""
    return "#" + "".join("/" + quote(name.replace("~", "~0").replace("/", "~1"), safe="~$") for name in path)


def _decode(token: str) -> str:
    return unquote(token).replace("~1", "/").replace("~0", "~")


def _current_name(node: Any, token: str, following: str) -> str | None:
    if isinstance(node, list):
        is_index = token.isdecimal() and len(token) < 10  # Python refuses to convert thousands of digits
        return token if is_index and int(token) < len(node) else None
    if not isinstance(node, dict):
        return None
    if token == "items" and following.isdecimal() and "prefixItems" in node:
        return "prefixItems"
    if token in node:
        return token
    renamed = "items" if token == "additionalItems" else alias_of(token)
    return renamed if renamed in node else None


def settle_references(root: Schema, aliases: Mapping[str, str]) -> Schema:
    """Return the schema with all references and names of properties in their new form.

    A reference without a target is dropped and named in the description.
    """
    settled: Schema = _Settlement(root, aliases).settle(root)
    return settled


def find_missing_reference(root: Schema) -> tuple[str, str] | None:
    """Return the path and the value of the first `$ref` without a target; None if all have one.

    >>> find_missing_reference({"properties": {"a": {"$ref": "#/x"}}})
    ('.properties.a.$ref', '#/x')
    """
    identifiers = _find_identifiers(root)
    unseen: list[tuple[str, Any]] = [("", root)]
    while unseen:
        path, node = unseen.pop()
        if isinstance(node, dict):
            reference = node.get("$ref")
            if isinstance(reference, str) and not _has_target(root, reference, identifiers):
                return f"{path}.$ref", reference
            unseen.extend((f"{path}.{name}", node[name]) for name in node if name not in _DATA)
        elif isinstance(node, list):
            unseen.extend((f"{path}[{index}]", item) for index, item in enumerate(node))
    return None


class _Settlement:
    def __init__(self, root: Schema, aliases: Mapping[str, str]) -> None:
        self._root = root
        self._aliases = aliases
        self._identifiers: frozenset[str] | None = None
        self._circular: dict[str, bool] = {}

    def settle(self, schema: Any) -> Any:
        if not isinstance(schema, dict):
            return schema
        schema = map_subschemas(schema, self.settle)
        for keyword in _REFERENCES:
            if keyword in schema:
                schema = self._check(schema, keyword)
        return self._rename(schema) if self._aliases else schema

    def _check(self, schema: Schema, keyword: str) -> Schema:
        reference = schema[keyword]
        found = resolve(self._root, reference)
        if found is None and self._is_identified(reference):
            return schema
        if found is None or self._is_circular(reference):
            rest = {key: value for key, value in schema.items() if key != keyword}
            return add_notes(rest, [(keyword, reference)])
        return schema if found[0] is reference else {**schema, keyword: found[0]}

    def _is_circular(self, reference: str) -> bool:
        """Return True if the reference leads only to other references, and at last back to one of them."""
        chain: list[str] = []
        while reference not in self._circular:
            chain.append(reference)
            self._circular[reference] = True
            found = resolve(self._root, reference)
            if found is None or not isinstance(found[1], dict) or "$ref" not in found[1]:
                self._circular |= dict.fromkeys(chain, False)
                return False
            reference = found[1]["$ref"]
        is_circular = self._circular[reference]
        self._circular |= dict.fromkeys(chain, is_circular)
        return is_circular

    def _is_identified(self, reference: str) -> bool:
        if self._identifiers is None:
            self._identifiers = _find_identifiers(self._root)
        return _is_identified(reference, self._identifiers)

    def _rename(self, schema: Schema) -> Schema:
        changed = dict(schema)
        for keyword in _DATA:
            if keyword in schema:
                changed[keyword] = rename_keys(schema[keyword], self._aliases)
        if "required" in schema:
            changed["required"] = self._rename_all(schema["required"])
        for keyword in _NAMES:
            if keyword in schema:
                changed[keyword] = {
                    self._aliases.get(name, name): self._rename_all(inner)
                    if isinstance(inner, list)
                    else inner
                    for name, inner in schema[keyword].items()
                }
        return changed

    def _rename_all(self, names: list[str]) -> list[str]:
        return [self._aliases.get(name, name) for name in names]


def _has_target(root: Schema, reference: str, identifiers: frozenset[str]) -> bool:
    return resolve(root, reference) is not None or _is_identified(reference, identifiers)


def _is_identified(reference: str, identifiers: frozenset[str]) -> bool:
    base, _, anchor = reference.partition("#")
    return (base or f"#{anchor}") in identifiers


def _find_identifiers(root: Schema) -> frozenset[str]:
    """Return what references may use instead of pointers: the `$id`s, and the anchors as "#name"."""
    found: set[str] = set()
    unseen: list[Any] = [root]
    while unseen:
        node = unseen.pop()
        if isinstance(node, list):
            unseen.extend(node)
        elif isinstance(node, dict):
            found |= {
                f"#{node[key]}" for key in ("$anchor", "$dynamicAnchor") if isinstance(node.get(key), str)
            }
            if isinstance(node.get("$id"), str):
                found.add(node["$id"].rstrip("#"))
            unseen.extend(node.values())
    return frozenset(found)
