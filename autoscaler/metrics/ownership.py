"""Whose pod is that, when only its name is known.

The daemon watches pods and asks their ownerReferences; this is for the past, whose pods are gone,
and for clusters in which pods are not watched.
A Deployment's pod is `<name>-<template hash>-<five letters>`, a StatefulSet's `<name>-<ordinal>`.
Conservative: a Job or DaemonSet called like a Deployment plus one such segment is mistaken for it
(it can only raise the load); a Deployment whose name is cut in its pods' names has no history.

References
----------
Kubernetes `apimachinery/pkg/util/rand` (the alphabet without vowels and look-alikes) and
`apiserver/pkg/storage/names/generate.go` (the cut at 58 characters).
"""

import re

_SAFE = "[bcdfghjklmnpqrstvwxz2456789]"
# What follows the workload's name in that of its pod.
_SUFFIX = {
    "Deployment": f"-{_SAFE}{{1,10}}-{_SAFE}{{5}}",
    "StatefulSet": "-[0-9]+",
    "ReplicaSet": f"-{_SAFE}{{5}}",
}
_PATTERN = {kind: f"(.+){suffix}" for kind, suffix in _SUFFIX.items()}
# Argo Rollouts and most custom kinds make pods through a ReplicaSet, as Deployments do.
_DEFAULT_KIND = "Deployment"


def owner_pattern(kind: str) -> str:
    """Return the regex, for Python and PromQL, whose first group is the owner of a pod's name."""
    return _PATTERN.get(kind, _PATTERN[_DEFAULT_KIND])


def pods_of(name: str) -> str:
    """Return the regex of the pods of a Deployment or a StatefulSet called `name`, a regex too."""
    return f"{name}({_SUFFIX['Deployment']}|{_SUFFIX['StatefulSet']})"


_COMPILED = {kind: re.compile(pattern) for kind, pattern in _PATTERN.items()}


def owner_name(pod: str, *, kind: str) -> str | None:
    """Return the name of the workload of `kind` that a pod's name points to."""
    match = _COMPILED.get(kind, _COMPILED[_DEFAULT_KIND]).fullmatch(pod)
    return match[1] if match else None
