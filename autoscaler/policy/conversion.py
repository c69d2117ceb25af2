"""HPAs and ScaledObjects in, ConfigMaps of policies out: how a cluster moves here.

A policy that was converted only forecasts, so it may stand beside the object that it came from.
What an object says and a policy cannot is a comment in the policy; an object whose workload would
get too few replicas without it is not converted.
"""

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import yaml

from autoscaler.errors import PolicyError
from autoscaler.policy.book import PolicyBook
from autoscaler.policy.converted import Converted, Fields, mapping
from autoscaler.policy.document import PolicyDocument
from autoscaler.policy.files import CONFIG_MAP_LABEL
from autoscaler.policy.from_hpa import keda_object, policy_of_hpa
from autoscaler.policy.from_scaled_object import policy_of_scaled_object
from autoscaler.policy.schema import Mode

_CONVERTERS = {
    "HorizontalPodAutoscaler": policy_of_hpa,
    "ScaledObject": policy_of_scaled_object,
}
# Not one that anybody has: `kubectl apply` would take the policies of that away.
_CONFIG_MAP = "converted-policies"


class Conversion(NamedTuple):
    """ConfigMaps, one per namespace; what to know of them; and which objects were not converted."""

    config_maps: list[Fields]
    warnings: list[str]
    problems: list[str]


def converted(manifests: Iterable[Any], *, namespace: str | None = None) -> Conversion:
    """Return the policies of all HPAs and ScaledObjects among `manifests`; others are passed over.

    An HPA that KEDA wrote is passed over beside its ScaledObject.

    Parameters
    ----------
    namespace
        Of objects that name none, as those of a file may; by default `default`.
    """
    items = [item for value in manifests for item in _items(value)]
    # HPAs first: of two objects of one workload the HPA's policy stays.
    found = sorted((item for item in items if _kind(item) in _CONVERTERS), key=_kind)
    here = {(_namespace(item, namespace), _name(item)) for item in found if _is_keda(item)}
    documents: list[PolicyDocument] = []
    warnings: list[str] = []
    problems: list[str] = []
    for item in found:
        of, name = _namespace(item, namespace), _name(item)
        source = f"{_kind(item)} {of}/{name}"
        try:
            if not _is_keda(item) and (of, keda_object(item)) in here:
                continue
            policy = _CONVERTERS[_kind(item)](item)
        except PolicyError as error:
            problems.append(f"{source}: {error}")
            continue
        documents.append(PolicyDocument(source, _text(source, policy), of, config_map=name))
        warnings += [f"{source}: {note}" for note in policy.notes]
    book = PolicyBook().updated(documents)
    good = {source for source, _ in book.policies.values()}
    kept = [document for document in documents if document.source in good]
    return Conversion(
        [_config_map(of, kept) for of in sorted({str(d.namespace) for d in kept})],
        warnings + sorted(book.warnings),
        problems + sorted(book.problems),
    )


def _items(value: Any) -> Iterator[Fields]:
    """Yield the objects of a List, or the object itself."""
    if not isinstance(value, dict):
        return
    items = value.get("items")
    if _kind(value).endswith("List") and isinstance(items, list):
        yield from (item for item in items if isinstance(item, dict))
    else:
        yield value


def _kind(manifest: Fields) -> str:
    return str(manifest.get("kind"))


def _is_keda(manifest: Fields) -> bool:
    return _kind(manifest) == "ScaledObject"


def _name(manifest: Fields) -> str:
    return str(mapping(manifest, "metadata").get("name"))


def _namespace(manifest: Fields, otherwise: str | None) -> str:
    return str(mapping(manifest, "metadata").get("namespace") or otherwise or "default")


def _text(source: str, policy: Converted) -> str:
    """Return a policy as a document, with comments on where it came from and what to know."""
    comments = [f"# From {source}.", *(f"# {note}" for note in policy.notes)]
    fields = {"mode": Mode.FORECAST_ONLY.value, **policy.fields}
    return "\n".join([*comments, yaml.safe_dump(fields, sort_keys=False, allow_unicode=True)])


def _config_map(namespace: str, documents: Iterable[PolicyDocument]) -> Fields:
    data: dict[str, str] = {}
    for document in documents:
        if document.namespace == namespace:
            key = f"{document.config_map}.yaml"
            # An HPA and a ScaledObject may have one name.
            data[key if key not in data else f"scaledobject-{key}"] = document.text
    labels = {CONFIG_MAP_LABEL: "true"}
    metadata = {"name": _CONFIG_MAP, "namespace": namespace, "labels": labels}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}
