"""Manifests as kustomize renders them: against Kubernetes' published schemas, KubeRay's, and our own settings."""

from __future__ import annotations

import copy
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml
from cryptography.fernet import Fernet
from ray.serve.schema import ServeDeploySchema

from serve.deployments.graph import HEAD
from serve.deployments.hand_over import HANDOVER_S
from serve.deployments.reads import READS, readers_of
from serve.settings import Settings, load
from tests.conftest import ROOT
from tests.deploy.conftest import Document, Render
from tests.integration.nodes.conftest import DRAINED_WITHIN_S

FOLDER = ROOT / "deploy" / "kubernetes"
VERSIONS = ("1.31", "1.34")
ON_HEAD = {"Registry", "Api", "Live", "Deliverer"}
SCHEMA = yaml.safe_load(Path(__file__).with_name("rayservice.schema.yaml").read_text())


@pytest.fixture(scope="module", params=["base", "gpu"])
def documents(request: pytest.FixtureRequest, render: Render) -> list[Document]:
    return render(FOLDER / request.param)


@pytest.fixture
def service(documents: list[Document]) -> Document:
    (found,) = (document for document in documents if document["kind"] == "RayService")
    return found


def groups(service: Document) -> dict[str, Document]:
    """Of the cluster's pods, by name."""
    cluster = service["spec"]["rayClusterConfig"]
    return {"head": cluster["headGroupSpec"], **{group["groupName"]: group for group in cluster["workerGroupSpecs"]}}


def serve_config(service: Document) -> Document:
    config: Document = yaml.safe_load(service["spec"]["serveConfigV2"])
    return config


@pytest.mark.parametrize("version", VERSIONS)
def test_everything_is_what_kubernetes_knows(documents: list[Document], version: str) -> None:
    for document in documents:
        if document["kind"] != "RayService":
            kubernetes_validate.validate(document, version, strict=True)


@pytest.mark.parametrize("version", VERSIONS)
def test_the_ray_service_is_what_kuberay_knows(service: Document, version: str) -> None:
    jsonschema.validate(service, SCHEMA)
    for name, group in groups(service).items():
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, **group["template"]}
        kubernetes_validate.validate(pod, version, strict=True)


def test_a_name_that_nobody_knows_is_found(service: Document) -> None:
    wrong = copy.deepcopy(service)
    wrong["spec"]["rayClusterConfig"]["workerGroupSpec"] = []
    with pytest.raises(jsonschema.ValidationError, match="workerGroupSpec"):
        jsonschema.validate(wrong, SCHEMA)


def test_the_serve_config_is_the_shipped_one_but_for_what_a_cluster_makes_different(service: Document) -> None:
    ours, shipped = serve_config(service), yaml.safe_load((ROOT / "deploy" / "serve.yaml").read_text())
    ServeDeploySchema.model_validate(ours)
    (mine,), (theirs,) = ours["applications"], shipped["applications"]
    assert ours["http_options"] == {"host": "0.0.0.0", "port": 8000}
    assert ours["proxy_location"] == "EveryNode"
    assert mine["args"].pop("api") == {"host": "0.0.0.0"}
    assert mine["args"]["detector"].pop("cpus") == 3
    mine["deployments"] = [one for one in mine["deployments"] if one["name"] not in ON_HEAD]
    for one in (mine, theirs):
        for deployment in one["deployments"]:
            deployment["ray_actor_options"].pop("num_cpus")
            deployment["ray_actor_options"].pop("num_gpus", None)
            deployment["ray_actor_options"].pop("resources", None)
            deployment["autoscaling_config"].pop("max_replicas")
    assert mine == theirs


def test_every_setting_is_known_and_reaches_who_reads_it(service: Document, monkeypatch: pytest.MonkeyPatch) -> None:
    for group in groups(service).values():
        (container,) = group["template"]["spec"]["containers"]
        for variable in container["env"]:
            if variable["name"].startswith("FOOTFALL_"):
                monkeypatch.setenv(variable["name"], variable.get("value", "postgresql://a:b@c/d"))
    settings = Settings.of(serve_config(service)["applications"][0]["args"])
    assert not settings.one_machine
    assert settings.sources.networks
    for deployment in serve_config(service)["applications"][0]["deployments"]:
        assert deployment["name"] in READS
        for variable, value in deployment["ray_actor_options"].get("runtime_env", {}).get("env_vars", {}).items():
            monkeypatch.setenv(variable, value)
            assert deployment["name"] in readers_of(variable.removeprefix("FOOTFALL_").lower().replace("__", "."))
    load()


def test_replicas_fit_on_the_nodes_that_there_may_be(service: Document) -> None:
    """All of them, at once; and what has no node of its own fits on the head."""
    (application,) = serve_config(service)["applications"]
    deployments = {deployment["name"]: deployment for deployment in application["deployments"]}
    assert deployments.keys() == READS.keys()
    for name in ON_HEAD:
        assert deployments.pop(name)["ray_actor_options"] == {"num_cpus": 0.1, "resources": {HEAD: 0.001}}
    for deployment in deployments.values():
        options, most = deployment["ray_actor_options"], deployment["autoscaling_config"]["max_replicas"]
        ((kind, each),) = options["resources"].items()
        group = groups(service)[f"{kind}s"]
        node = json.loads(json.loads(group["rayStartParams"]["resources"]))
        cpus = int(group["rayStartParams"]["num-cpus"])
        fit = min(node[kind] // each, cpus // options["num_cpus"])
        assert most == fit * group["maxReplicas"], deployment["name"]
        (container,) = group["template"]["spec"]["containers"]
        assert float(container["resources"]["requests"]["cpu"]) == cpus
    assert 2 * 0.1 * len(ON_HEAD) <= int(groups(service)["head"]["rayStartParams"]["num-cpus"])


def test_budgets_are_such_that_kubernetes_can_work_them_out(documents: list[Document], service: Document) -> None:
    """Shares and `maxUnavailable` are worked out from a `scale`, which a RayCluster does not have: nobody could go."""
    budgets = [document["spec"] for document in documents if document["kind"] == "PodDisruptionBudget"]
    assert len(budgets) == 3
    for budget in budgets:
        assert isinstance(budget["minAvailable"], int)
        assert "maxUnavailable" not in budget


def test_a_pod_that_ends_has_time_to_hand_over(service: Document) -> None:
    (drained_s,) = re.findall(r"RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S=(\d+)", (ROOT / "deploy/Dockerfile").read_text())
    assert str(drained_s) == DRAINED_WITHIN_S  # with which it is tested
    assert int(drained_s) > HANDOVER_S
    for group in groups(service).values():
        assert int(drained_s) < group["template"]["spec"]["terminationGracePeriodSeconds"]


def test_no_pod_has_more_rights_than_it_needs(service: Document) -> None:
    for name, group in groups(service).items():
        spec = group["template"]["spec"]
        assert spec["securityContext"]["runAsNonRoot"], name
        assert spec["terminationGracePeriodSeconds"] >= 120
        for container in (*spec["containers"], *spec["initContainers"]):
            context = container["securityContext"]
            assert (context["allowPrivilegeEscalation"], context["capabilities"]) == (False, {"drop": ["ALL"]})
            assert container["resources"]["limits"]["memory"]


def test_secrets_come_out_of_a_secret(service: Document) -> None:
    assert service["spec"]["rayClusterConfig"]["authOptions"]["mode"] == "token"
    for group in groups(service).values():
        (container,) = group["template"]["spec"]["containers"]
        values = {variable["name"]: variable for variable in container["env"]}
        for name in ("FOOTFALL_DATABASE_URL", "FOOTFALL_API__TOKEN"):
            assert values[name]["valueFrom"]["secretKeyRef"]["name"] == "footfall"
    assert "token" not in service["spec"]["serveConfigV2"]


def test_the_documented_commands_make_secrets_that_are_accepted(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "operations.md").read_text()
    commands = re.findall(r"^\.venv/bin/python (-c .*)$", text, re.MULTILINE)
    assert len(commands) == 3
    for command in commands:
        subprocess.run(f"{sys.executable} {command}", shell=True, cwd=tmp_path, check=True)
    made = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert made.keys() == {"auth_token", "api-token", "credentials.key"}
    assert made["auth_token"] == made["auth_token"].strip()  # KubeRay puts it into a header as it is
    settings = Settings.of({"api": {"host": "0.0.0.0", "token": made["api-token"]}})
    assert settings.api.token is not None
    Fernet(made["credentials.key"].strip())


def test_while_a_cluster_replaces_another_their_heads_share_nothing(
    documents: list[Document], service: Document
) -> None:
    """A volume that only one of them may have would keep the second from ever being ready."""
    assert not any(document["kind"] == "PersistentVolumeClaim" for document in documents)
    for name, group in groups(service).items():
        volumes = group["template"]["spec"]["volumes"]
        assert all("emptyDir" in volume or "secret" in volume for volume in volumes), name


def test_nobody_is_let_in_who_is_not_named(documents: list[Document]) -> None:
    policies = {one["metadata"]["name"]: one["spec"] for one in documents if one["kind"] == "NetworkPolicy"}
    assert policies.pop("footfall-shut") == {"podSelector": {}, "policyTypes": ["Ingress"]}
    for name, policy in policies.items():
        for rule in policy["ingress"]:
            assert rule["from"], name
            assert rule.get("ports") or name == "footfall-ray", name


def test_detectors_with_gpus_have_one_each_and_the_image_for_it(render: Render) -> None:
    (service,) = (document for document in render(FOLDER / "gpu") if document["kind"] == "RayService")
    (container,) = groups(service)["detectors"]["template"]["spec"]["containers"]
    assert container["image"].startswith("footfall-cuda:")
    assert container["resources"]["limits"]["nvidia.com/gpu"] == "1"
    (reader,) = groups(service)["readers"]["template"]["spec"]["containers"]
    assert reader["image"].startswith("footfall:")


def test_every_value_goes_where_it_is_meant_to(render: Render, tmp_path: Path) -> None:
    shutil.copytree(FOLDER, tmp_path / "kubernetes")
    file = tmp_path / "kubernetes" / "base" / "values.yaml"
    document = yaml.safe_load(file.read_text())
    values: dict[str, Any] = {
        "image": "there/footfall:1.2",
        "secret": "mine",
        "cameraNetworks": '["cameras.lan"]',
        "readerNodesMin": "3",
        "readerNodesMax": "33",
        "detectorNodesMin": "2",
        "detectorNodesMax": "22",
        "ingressNamespace": "gateway",
    }
    assert document["data"].keys() == values.keys()
    document["data"] = values
    file.write_text(yaml.safe_dump(document))
    rendered = render(file.parent)
    (service,) = (one for one in rendered if one["kind"] == "RayService")
    assert service["spec"]["rayClusterConfig"]["authOptions"]["secretName"] == "mine"
    for group in groups(service).values():
        spec = group["template"]["spec"]
        images = {container["image"] for container in (*spec["containers"], *spec["initContainers"])}
        assert images == {"there/footfall:1.2"}
        environment = {variable["name"]: variable for variable in spec["containers"][0]["env"]}
        assert environment["FOOTFALL_SOURCES__NETWORKS"]["value"] == '["cameras.lan"]'
        keys = [one["valueFrom"]["secretKeyRef"]["name"] for one in environment.values() if "valueFrom" in one]
        assert keys == ["mine", "mine"]
        (secret,) = (volume["secret"] for volume in spec["volumes"] if "secret" in volume)
        assert secret["secretName"] == "mine"
    for name, limits in (("readers", (3, 3, 33)), ("detectors", (2, 2, 22))):
        group = groups(service)[name]
        assert (group["replicas"], group["minReplicas"], group["maxReplicas"]) == limits
    assert "gateway" in str([one for one in rendered if one["metadata"]["name"] == "footfall-api"])
    assert not any(one["kind"] == "ConfigMap" for one in rendered)
