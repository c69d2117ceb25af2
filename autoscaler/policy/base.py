"""The manners every policy section shares: camelCase in YAML, frozen, unknown fields refused."""

from typing import Any, TypeVar
from weakref import WeakValueDictionary

from pydantic import AfterValidator, BaseModel, ConfigDict
from pydantic.alias_generators import to_camel


class Section(BaseModel):
    """One mapping of a policy document."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        extra="forbid",
        frozen=True,
        allow_inf_nan=False,
    )

    def model_post_init(self, context: Any, /) -> None:
        """Forget which fields were given: nobody asks, and it is half of what a policy takes."""
        object.__setattr__(self, "__pydantic_fields_set__", _NOT_KEPT)


_NOT_KEPT: set[str] = set()


_Section = TypeVar("_Section", bound=Section)
_KNOWN: WeakValueDictionary[tuple[type[Section], str], Section] = WeakValueDictionary()


def shared(section: _Section) -> _Section:
    """Return the section that says the same and is there already, else this one.

    Ten thousand policies of one template differ by the name of their workload; what they have
    alike was 2 KiB of each.
    """
    known = _KNOWN.setdefault((type(section), section.model_dump_json()), section)
    return known if isinstance(known, type(section)) and known == section else section


# Of a field: sections never change, so policies may hold the same one.
SHARED = AfterValidator(shared)
