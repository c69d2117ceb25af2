"""How may something be called: objects, kinds and API versions, as Kubernetes takes their names."""

import re
from typing import Annotated

from pydantic import AfterValidator, Field

_OBJECT_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")
_API_VERSION = re.compile(r"([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[a-z]([-a-z0-9]*[a-z0-9])?")
_KIND = re.compile(r"[A-Za-z][-A-Za-z0-9]*")


def _object_name(text: str) -> str:
    if not _OBJECT_NAME.fullmatch(text):
        raise ValueError(
            f"{text!r} is no name of Kubernetes: lower-case letters, digits, '-' and '.', "
            "beginning and ending with a letter or digit"
        )
    return text


def _api_version(text: str) -> str:
    if not _API_VERSION.fullmatch(text):
        raise ValueError(f"{text!r} is no API version such as apps/v1 or argoproj.io/v1alpha1")
    return text


def _kind(text: str) -> str:
    if not _KIND.fullmatch(text):
        raise ValueError(f"{text!r} is no kind such as Deployment: letters, digits and '-'")
    return text


# Kubernetes refuses longer ones.
Name = Annotated[str, Field(min_length=1, max_length=253)]
# These stand in the paths that the API server is asked for.
ObjectName = Annotated[Name, AfterValidator(_object_name)]
ApiVersion = Annotated[Name, AfterValidator(_api_version)]
Kind = Annotated[Name, AfterValidator(_kind)]
