"""Which policies stand in files, folders and ConfigMap manifests."""

from pathlib import Path

import pytest
import yaml

from autoscaler.policy.files import checked_files

GOOD = """
scaleTargetRef: {name: NAME}
maxReplicas: 60
metrics: [{type: RequestRate, requestRate: {source: linkerd}}]
"""


def policy(name: str) -> str:
    return GOOD.replace("NAME", name)


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_a_file_may_hold_several_policies(tmp_path):
    file = write(tmp_path / "all.yaml", f"{policy('a')}---{policy('b')}")

    checked = checked_files([file])

    assert list(checked.policies) == [f"{file} document 1", f"{file} document 2"]
    assert checked.problems == ()


def test_a_folder_is_every_yaml_file_in_it(tmp_path):
    write(tmp_path / "a.yaml", policy("a"))
    write(tmp_path / "b.yml", policy("b"))
    write(tmp_path / ".hidden.yaml", "nonsense")
    write(tmp_path / "README.md", "nonsense")

    checked = checked_files([tmp_path])

    assert list(checked.policies) == [f"{tmp_path}/a.yaml", f"{tmp_path}/b.yml"]
    assert checked.problems == ()


def test_every_problem_of_every_file_is_reported(tmp_path):
    broken = write(tmp_path / "broken.yaml", policy("a").replace("60", "0"))
    absent = tmp_path / "absent.yaml"
    empty = write(tmp_path / "empty.yaml", "# nothing\n")

    assert checked_files([broken, absent, empty]).problems == (
        f"{absent}: cannot be read: No such file or directory",
        f"{empty}: holds no policy",
        f"{broken}: maxReplicas: 0 must be at least 1",
    )


def test_one_broken_file_of_a_folder_hides_no_other(tmp_path):
    twice = write(tmp_path / "a.yaml", "mode: x\nmode: y\n")
    (tmp_path / "b.yaml").write_bytes(b"mode: \xff")
    write(tmp_path / "c.yaml", policy("c"))

    checked = checked_files([tmp_path])

    assert checked.problems == (
        f"{twice}: line 2, column 1: 'mode' stands twice",
        f"{tmp_path}/b.yaml: cannot be read: not UTF-8 text (byte 0xff at 6)",
    )
    assert list(checked.policies) == [f"{tmp_path}/c.yaml"]


def test_two_policies_for_one_workload_name_each_other(tmp_path):
    files = [write(tmp_path / f"{name}.yaml", policy("checkout")) for name in ("a", "b")]

    assert checked_files(files).problems == (
        f"{files[1]}: scaleTargetRef: Deployment default/checkout is governed by {files[0]} "
        f"already; {files[1]} is refused",
    )


MANIFEST = """
apiVersion: v1
kind: ConfigMap
metadata: {name: policies, namespace: shop, labels: {autoscaler/policies: "true"}}
data:
  checkout: |
    scaleTargetRef: {name: checkout, namespace: OTHER}
    maxReplicas: 60
    metrics: [{type: RequestRate, requestRate: {source: linkerd}}]
"""


def test_a_config_map_manifest_is_read_as_the_cluster_would(tmp_path):
    file = write(tmp_path / "map.yaml", MANIFEST.replace("OTHER", "shop"))

    assert list(checked_files([file]).policies) == [f"{file}: ConfigMap shop/policies key checkout"]


def test_a_list_of_them_is_read_as_kubectl_prints_it(tmp_path):
    one = MANIFEST.replace("OTHER", "shop")
    other = one.replace("name: policies", "name: more").replace("checkout", "cart")
    items = [yaml.safe_load(one), yaml.safe_load(other)]
    manifest = {"apiVersion": "v1", "kind": "List", "items": items}
    file = write(tmp_path / "list.yaml", yaml.safe_dump(manifest))

    assert list(checked_files([file]).policies) == [
        f"{file} document 1: ConfigMap shop/policies key checkout",
        f"{file} document 2: ConfigMap shop/more key cart",
    ]


def listed(file: Path, *manifests: str) -> Path:
    items = [yaml.safe_load(manifest) for manifest in manifests]
    return write(file, yaml.safe_dump({"apiVersion": "v1", "kind": "List", "items": items}))


def test_of_all_config_maps_of_a_namespace_the_labelled_ones_are_policies(tmp_path):
    ours = MANIFEST.replace("OTHER", "shop")
    root_ca = "{kind: ConfigMap, metadata: {name: kube-root-ca.crt}, data: {ca.crt: x}}"
    file = listed(tmp_path / "list.yaml", root_ca, ours)

    checked = checked_files([file])

    assert list(checked.policies) == [f"{file}: ConfigMap shop/policies key checkout"]
    assert checked.problems == ()
    assert checked_files([listed(file, root_ca)]).problems == (
        f'{file}: no ConfigMap in it has the label autoscaler/policies: "true"',
    )


def test_one_wrong_manifest_of_a_list_hides_no_other(tmp_path):
    ours = MANIFEST.replace("OTHER", "shop")
    file = listed(tmp_path / "list.yaml", ours.replace('"true"', "'yes'"), ours)

    checked = checked_files([file])

    assert list(checked.policies) == [f"{file} document 2: ConfigMap shop/policies key checkout"]
    assert len(checked.problems) == 1


def test_an_empty_list_holds_no_policy(tmp_path):
    file = write(tmp_path / "list.yaml", "kind: List\nitems: []\n")

    assert checked_files([file]).problems == (f"{file}: holds no policy",)


def test_what_else_stands_in_a_list_is_told_as_alone(tmp_path):
    file = write(tmp_path / "list.yaml", "kind: List\nitems: [{apiVersion: v1, kind: Secret}]\n")

    [problem] = checked_files([file]).problems

    assert problem.startswith(f"{file}: kind: 'Secret' is a manifest")


def test_a_config_map_manifest_is_bound_to_its_namespace(tmp_path):
    file = write(tmp_path / "map.yaml", MANIFEST.replace("OTHER", "bank"))

    assert checked_files([file]).problems == (
        f"{file}: ConfigMap shop/policies key checkout: scaleTargetRef.namespace: 'bank': "
        "a ConfigMap of namespace shop governs only workloads of shop",
    )


@pytest.mark.parametrize(
    ("label", "shown"),
    [
        pytest.param('"false"', "'false'", id="another value"),
        pytest.param("true", "true", id="no text, which the API server refuses"),
    ],
)
def test_a_config_map_without_the_label_would_never_be_watched(tmp_path, label, shown):
    file = write(tmp_path / "map.yaml", MANIFEST.replace('"true"', label))

    assert checked_files([file]).problems == (
        f'{file}: ConfigMap shop/policies: metadata.labels["autoscaler/policies"]: {shown} '
        'must be "true"',
    )


def test_a_key_that_is_no_text_is_refused_as_the_api_server_would(tmp_path):
    file = write(tmp_path / "map.yaml", MANIFEST.replace("checkout: |", "checkout:"))

    [problem] = checked_files([file]).problems

    assert problem.startswith(f"{file}: ConfigMap shop/policies key checkout: {{'scaleTargetRef'")
    assert problem.endswith("... must be text, as after `checkout: |`")


def test_a_policy_in_binary_data_is_told_to_be_none(tmp_path):
    file = write(tmp_path / "map.yaml", MANIFEST.replace("data:", "binaryData:"))

    assert checked_files([file]).problems == (
        f"{file}: binaryData: a policy is text, which stands in data",
    )


@pytest.mark.parametrize(
    ("manifest", "problem"),
    [
        pytest.param("{kind: [List]}", "scaleTargetRef: is required", id="a kind that is no text"),
        pytest.param(
            "{kind: List, items: [{kind: ConfigMap, metadata: {labels: 5}, data: {}}]}",
            'metadata.labels["autoscaler/policies"]: null must be "true"',
            id="labels that are none",
        ),
        pytest.param(
            "{kind: List, items: [{kind: ConfigMap, metadata: [], data: {}}]}",
            "a ConfigMap with policies has metadata and data",
            id="a list of metadata",
        ),
    ],
)
def test_a_manifest_of_wrong_types_is_a_problem_and_no_traceback(tmp_path, manifest, problem):
    file = write(tmp_path / "map.yaml", manifest)

    told = "\n".join(checked_files([file]).problems)

    assert told.startswith(f"{file}: ")
    assert problem in told


def test_the_names_of_a_manifest_add_no_line_and_clear_no_screen(tmp_path):
    text = MANIFEST.replace("name: policies", r'name: "a\nb"').replace("checkout: |", r'"\e[2J": |')
    file = write(tmp_path / "map.yaml", text.replace("OTHER", "bank"))

    [problem] = checked_files([file]).problems

    assert problem.startswith(rf"{file}: ConfigMap shop/a\nb key \x1b[2J: scaleTargetRef.namespace")
