"""What each command is typed for: a few lines to begin with, which its `--help` shows."""

from autoscaler.commands.command_line import EXIT_CODES

EXAMPLES = {
    "demo": (
        "autoscaler demo --keep",
        "autoscaler demo --days 5 --seed 3",
    ),
    "recommend": (
        "autoscaler recommend --trace load.csv --name checkout --capacity 120 > policy.yaml",
        "autoscaler recommend --prometheus-url http://localhost:9090 --namespace shop --name web",
    ),
    "convert": (
        "kubectl get hpa -A -o yaml | autoscaler convert - > policies.yaml",
        "kubectl get hpa,scaledobject -n shop -o yaml | autoscaler convert -",
    ),
    "validate": (
        "autoscaler validate --show policy.yaml",
        "kubectl get configmap -A -l autoscaler/policies=true -o yaml | autoscaler validate -",
    ),
    "replay": (
        "autoscaler replay --policy policy.yaml --trace load.csv --report report.html",
        "autoscaler replay --policy policy.yaml --days 14 --prometheus-url http://localhost:9090",
    ),
    "sources": (
        "autoscaler sources",
        "autoscaler sources show linkerd --namespace shop --name checkout",
    ),
    "doctor": (
        "autoscaler doctor policy.yaml --prometheus-url http://localhost:9090",
        "autoscaler doctor --kubeconfig ~/.kube/config --namespace shop",
    ),
    "run": (
        "autoscaler run --dry-run --kubeconfig ~/.kube/config",
        "autoscaler run --leader-elect --memory-file /var/lib/autoscaler/memory",
    ),
    "status": (
        "autoscaler status --watch",
        "autoscaler status shop/ --attention capped --output wide",
    ),
    "explain": (
        "autoscaler explain shop/checkout --log http://localhost:8080",
        "autoscaler explain shop/checkout --log daemon.log --since 09:00 --until 10:00",
        "autoscaler explain --log daemon.log --policies demoted",
    ),
    "schema": (
        "autoscaler schema policy > policy.schema.json",
        "autoscaler schema decision > decision.schema.json",
    ),
}


def with_exit_codes(command: str) -> str:
    """Return the end of a command's help."""
    lines = "\n".join(f"  {line}" for line in EXAMPLES[command])
    return f"Examples:\n{lines}\n\n{EXIT_CODES}"
