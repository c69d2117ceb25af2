"""Which policies stand in files: YAML files, folders of them, and ConfigMap manifests.

A file may hold several documents.
A document that is a ConfigMap is read as the cluster would read it: each key of `data` is a policy
bound to the ConfigMap's namespace.
So is each of a List of them that has the label, as `kubectl get configmaps -o yaml` prints it: the
others of a namespace are nobody's policies.
The path `-` is standard input.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from autoscaler.errors import PolicyError, why_not
from autoscaler.policy.book import PolicyBook
from autoscaler.policy.complaints import printable, shown
from autoscaler.policy.document import PolicyDocument
from autoscaler.policy.schema import WorkloadPolicy
from autoscaler.policy.yaml_text import MOST_CHARACTERS, documents

CONFIG_MAP_LABEL = "autoscaler/policies"
_SUFFIXES = {".yaml", ".yml"}
_STANDARD_INPUT = Path("/dev/stdin")


@dataclass(frozen=True, slots=True)
class CheckedFiles:
    """Every good policy by source, every problem, which may span several lines, every warning."""

    policies: Mapping[str, WorkloadPolicy]
    problems: tuple[str, ...]
    warnings: tuple[str, ...]


def checked_files(paths: Sequence[Path]) -> CheckedFiles:
    """Read and check policy files and folders, as `autoscaler validate` does; never raises."""
    found: list[PolicyDocument] = []
    problems: list[str] = []
    for path in paths:
        documents_there, wrong = _read(path)
        found += documents_there
        problems += wrong
    book = PolicyBook().updated(found)
    policies = dict(sorted(book.policies.values(), key=lambda named: named[0]))
    problems += sorted(book.problems)
    return CheckedFiles(policies, tuple(problems), tuple(sorted(book.warnings)))


def policy_documents(path: Path) -> list[PolicyDocument]:
    """Return every policy document of a file, or of each YAML file directly in a folder.

    Raises
    ------
    PolicyError
        When the path cannot be read, is not YAML, or holds nothing.
    """
    found, problems = _read(path)
    if problems:
        raise PolicyError("\n".join(problems))
    return found


def _read(path: Path) -> tuple[list[PolicyDocument], list[str]]:
    """Return the documents of a file or folder, and what is wrong with each file of it."""
    found: list[PolicyDocument] = []
    problems: list[str] = []
    try:
        files = [path]
        if path.is_dir():
            files = sorted(file for file in path.iterdir() if _is_policy_file(file))
    except OSError as error:
        return [], [f"{path}: cannot be read: {why_not(error)}"]
    for file in files:
        try:
            documents_there, wrong = _of_file(file)
            found += documents_there
            problems += wrong
        except PolicyError as error:
            problems.append(str(error))
    if not found and not problems:
        problems.append(f"{path}: holds no policy")
    return found, problems


def read_yaml(path: Path, *, times_a_policy: int = 1) -> tuple[str, list[Any]]:
    """Return the text of a file, and its YAML documents; bounded as `yaml_text.documents` is.

    Raises
    ------
    PolicyError
        When it cannot be read, is not YAML or beyond the bounds.
    """
    try:
        with (_STANDARD_INPUT if str(path) == "-" else path).open(encoding="utf-8") as opened:
            text = opened.read(times_a_policy * MOST_CHARACTERS + 1)
        return text, documents(text, times_a_policy=times_a_policy)
    except (OSError, UnicodeDecodeError) as error:
        raise PolicyError(f"{path}: cannot be read: {why_not(error)}") from error
    except PolicyError as error:
        raise PolicyError(f"{path}: {error}") from error


def _is_policy_file(file: Path) -> bool:
    """Leave out what a mounted ConfigMap puts beside its keys (`..data`) and editors' leftovers."""
    return file.suffix in _SUFFIXES and not file.name.startswith(".") and file.is_file()


def _of_file(path: Path) -> tuple[list[PolicyDocument], list[str]]:
    """Return the documents of a file, and what is wrong with each manifest of it."""
    text, read = read_yaml(path)
    try:
        values = [item for value in read for item in _items(value)]
    except PolicyError as error:
        raise PolicyError(f"{path}: {error}") from error
    found: list[PolicyDocument] = []
    problems: list[str] = []
    for number, value in enumerate(values, start=1):
        source = str(path) if len(values) == 1 else f"{path} document {number}"
        try:
            if isinstance(value, dict) and value.get("kind") == "ConfigMap":
                found += _of_config_map(value, source=source)
            else:
                found.append(PolicyDocument(source, text if read == [value] else _as_text(value)))
        except PolicyError as error:
            problems.append(str(error))
    return found, problems


def _items(value: Any) -> list[Any]:
    """Return the manifests of a List that are meant as policies, or what is no list."""
    listed = isinstance(value, dict) and value.get("kind") in ("List", "ConfigMapList")
    items = value.get("items") if listed else None
    if not isinstance(items, list):
        return [value]
    meant = [item for item in items if not _of_somebody_else(item)]
    if items and not meant:
        raise PolicyError(f'no ConfigMap in it has the label {CONFIG_MAP_LABEL}: "true"')
    return meant


def _of_somebody_else(item: Any) -> bool:
    """Whether it is a ConfigMap without our label; one with another value is a mistake."""
    if not isinstance(item, dict) or item.get("kind") != "ConfigMap":
        return False
    metadata = item.get("metadata")
    labels = (metadata.get("labels") or {}) if isinstance(metadata, dict) else None
    return isinstance(labels, dict) and CONFIG_MAP_LABEL not in labels


def _of_config_map(manifest: dict[str, Any], *, source: str) -> Iterator[PolicyDocument]:
    """Yield the documents of a ConfigMap manifest, if the daemon would watch it."""
    if manifest.get("binaryData"):
        raise PolicyError(f"{source}: binaryData: a policy is text, which stands in data")
    metadata, data = manifest.get("metadata"), manifest.get("data")
    if not isinstance(metadata, dict) or not isinstance(data, dict):
        raise PolicyError(f"{source}: a ConfigMap with policies has metadata and data")
    labels = metadata.get("labels")
    watched = labels.get(CONFIG_MAP_LABEL) if isinstance(labels, dict) else None
    namespace = printable(str(metadata.get("namespace") or "default"))
    whole = f"{source}: ConfigMap {namespace}/{printable(str(metadata.get('name')))}"
    if watched != "true":
        raise PolicyError(
            f'{whole}: metadata.labels["{CONFIG_MAP_LABEL}"]: {shown(watched)} must be "true"'
        )
    for key, text in ((printable(key), text) for key, text in data.items()):
        where = f"{whole} key {key}"
        if not isinstance(text, str):
            raise PolicyError(f"{where}: {shown(text)} must be text, as after `{key}: |`")
        yield PolicyDocument(where, text, namespace)


def _as_text(value: Any) -> str:
    """Write one of several documents down again: a `PolicyDocument` holds one policy's text."""
    return yaml.safe_dump(value, sort_keys=False, allow_unicode=True)
