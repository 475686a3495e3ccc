"""Makes HTML in which every text is escaped by construction. Pure."""

from collections.abc import Iterable
from html import escape
from typing import TypeAlias


class Markup(str):
    """Text that is HTML already; every other text is escaped where it is put into a tag."""

    __slots__ = ()


Content: TypeAlias = "str | Iterable[str]"


def tag(name: str, *content: Content, **attributes: object) -> Markup:
    """An element; `class_` is the attribute class, and an underscore within a name is a hyphen."""
    told = "".join(
        f' {attribute.rstrip("_").replace("_", "-")}="{escape(str(value))}"' for attribute, value in attributes.items()
    )
    return Markup(f"<{name}{told}>{joined(*content)}</{name}>")


def joined(*content: Content) -> Markup:
    """Contents one after the other."""
    return Markup("".join(map(_one, content)))


def _one(content: Content) -> str:
    if isinstance(content, Markup):
        return str(content)
    return escape(content) if isinstance(content, str) else joined(*content)
