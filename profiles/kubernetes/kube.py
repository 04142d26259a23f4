"""Jobs of Snakemake as Jobs of Kubernetes, for snakemake-executor-plugin-cluster-generic.

``submit SCRIPT`` makes a Job that runs Snakemake's script and prints its name, ``status NAME``
prints running, success or failed, ``cancel NAME ...`` deletes Jobs. ``kubectl`` does it; only
Python's own library is needed. Every pod mounts the folder that all machines share at the path that
it has here.

``FLATMINIMA_KUBERNETES_IMAGE``, ``_CLAIM`` and ``_MOUNT`` name the image, the volume claim and
where the volume is mounted; ``_NAMESPACE`` is that of kubectl where it is not set.
"""

import getpass
import json
import os
import re
import secrets
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PREFIX = "FLATMINIMA_KUBERNETES_"
NAME = r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?"
FORMS = {
    "IMAGE": (r"[A-Za-z0-9][\w.:/@-]*", "an image that has the Python of .venv, at the same path"),
    "CLAIM": (NAME, "the ReadWriteMany volume claim that holds the project's folder"),
    "MOUNT": (r"/.+", "the path at which that volume is mounted, here and in every pod"),
    "NAMESPACE": (NAME, "the namespace of the Jobs"),
}
"""For each variable the form of its value, and what it is."""

OPTIONAL = ("NAMESPACE",)
ATTEMPTS = 5
"""How often is asked for a status, with pauses of 1, 2, 4 ... seconds."""


class KubernetesError(Exception):
    """What went wrong, and the cure, in one line."""


@dataclass(frozen=True)
class Place:
    """Where pods find what they need."""

    image: str
    claim: str
    mount: str
    project: str


def variable(name: str, environment: Mapping[str, str]) -> str:
    """The checked value of one variable; empty if it is not set and need not be."""
    form, meaning = FORMS[name]
    value = environment.get(PREFIX + name, "")
    if not value and name in OPTIONAL:
        return ""
    if not value:
        raise KubernetesError(f"{PREFIX}{name} is not set; export it: {meaning}")
    if not re.fullmatch(form, value):
        raise KubernetesError(f"{PREFIX}{name} is {value!r}, which cannot be {meaning}")
    return value


def place(environment: Mapping[str, str], project: Path) -> Place:
    """Read the variables; the project must lie in the volume."""
    image, claim, mount = (variable(name, environment) for name in ("IMAGE", "CLAIM", "MOUNT"))
    if not project.is_relative_to(mount):
        raise KubernetesError(
            f"the project is in {project}, which is not in {mount}, so that no pod would see it;"
            f" move it there, or set {PREFIX}MOUNT to where the shared volume is mounted"
        )
    return Place(image, claim, mount, str(project))


def properties(script: Path) -> dict[str, Any]:
    """What Snakemake writes of a job into its script: rule, wildcards, threads, resources."""
    found = re.search(r"^# properties = (\{.*\})$", script.read_text(), re.MULTILINE)
    if found is None:
        raise KubernetesError(
            f"{script} is no job script of Snakemake; run snakemake, which writes it"
        )
    return json.loads(found[1])


def manifest(name: str, script: Path, asked: Mapping[str, Any], where: Place) -> dict[str, Any]:
    """The Job that runs a script once; Snakemake itself decides on further attempts."""
    resources = asked["resources"]
    memory = f"{resources['mem_mb']}M"
    limits = {"memory": memory}
    if gpus := int(resources.get("gpu", 0)):
        limits["nvidia.com/gpu"] = str(gpus)
    container = {
        "name": "job",
        "image": where.image,
        "command": ["/bin/sh", str(script)],
        "workingDir": where.project,
        # A user without an entry in the image has neither a name nor a home.
        "env": [
            {"name": "HOME", "value": "/tmp"},  # noqa: S108 (the pod's own)
            {"name": "LOGNAME", "value": getpass.getuser()},
        ],
        "resources": {"requests": {"cpu": str(asked["threads"]), **limits}, "limits": limits},
        "volumeMounts": [{"name": "shared", "mountPath": where.mount}],
    }
    claim = {"claimName": where.claim}
    pod = {
        "restartPolicy": "Never",
        # Here and not of the Job, for which the time in the queue would count.
        "activeDeadlineSeconds": 60 * int(resources["runtime"]),
        "automountServiceAccountToken": False,
        # Outputs belong to whom the folder belongs to.
        "securityContext": {"runAsUser": os.getuid(), "runAsGroup": os.getgid()},
        "containers": [container],
        "volumes": [{"name": "shared", "persistentVolumeClaim": claim}],
    }
    labels = {"app": "flatminima"}
    values = asked.get("wildcards") or {}
    called = " ".join([asked.get("rule", "group"), *map(str, values.values())])
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "labels": labels, "annotations": {"flatminima/job": called}},
        "spec": {
            "backoffLimit": 0,
            "ttlSecondsAfterFinished": 24 * 60 * 60,
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
    }


def state(job: Mapping[str, Any]) -> str:
    """What the plugin calls the state of a Job."""
    conditions = job.get("status", {}).get("conditions") or []
    true = {condition["type"] for condition in conditions if condition["status"] == "True"}
    if "Failed" in true:
        return "failed"
    return "success" if "Complete" in true else "running"


def kubectl(*words: str, given: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run kubectl; a second Ctrl-C does not reach it."""
    namespace = variable("NAMESPACE", os.environ)
    command = ["kubectl", *(["--namespace", namespace] if namespace else []), *words]
    try:
        return subprocess.run(  # noqa: S603 (no shell takes part)
            command,
            input=given,
            capture_output=True,
            text=True,
            check=False,
            start_new_session=True,
        )
    except FileNotFoundError:
        raise KubernetesError(
            "there is no kubectl in PATH; install it where snakemake runs"
        ) from None


def submit(script: str) -> None:
    """Make the Job of a script, and print its name."""
    path = Path(script).absolute()
    name = f"flatminima{secrets.token_hex(8)}"
    job = manifest(name, path, properties(path), place(os.environ, Path.cwd()))
    done = kubectl("apply", "-f", "-", given=json.dumps(job))
    if done.returncode != 0:
        raise KubernetesError(f"kubectl made no Job: {done.stderr.strip()}")
    print(name)


def status(name: str) -> None:
    """Print the state of a Job; one that somebody deleted has failed."""
    for attempt in range(ATTEMPTS):
        done = kubectl("get", "job", name, "-o", "json")
        if done.returncode == 0:
            print(state(json.loads(done.stdout)))
            return
        if "(NotFound)" in done.stderr:
            print(f"there is no Job {name} any more", file=sys.stderr)
            print("failed")
            return
        time.sleep(2**attempt)
    raise KubernetesError(
        f"kubectl failed {ATTEMPTS} times: {done.stderr.strip()}; when the cluster answers"
        " again, run snakemake again"
    )


def cancel(*names: str) -> None:
    """Delete Jobs, without waiting for their pods to end."""
    done = kubectl("delete", "job", *names, "--ignore-not-found", "--wait=false")
    if done.returncode != 0:
        raise KubernetesError(f"kubectl deleted not all Jobs: {done.stderr.strip()}")


def main(words: list[str]) -> None:
    """Do what the words say."""
    match words:
        case ["submit", script]:
            submit(script)
        case ["status", name]:
            status(name)
        case ["cancel", _, *_]:
            cancel(*words[1:])
        case _:
            raise KubernetesError("say submit SCRIPT, status NAME or cancel NAME ...")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except KubernetesError as error:
        sys.exit(f"kubernetes: {error}")
