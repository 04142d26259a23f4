#!/usr/bin/env python3
"""A stand-in for kubectl, for tests: no cluster, but a process on this machine for each Job.

It knows what the profile calls, ``apply -f -``, ``get job NAME -o json`` and
``delete job NAME ...``, and refuses Jobs that the profile must not make. The process sees what a
pod would: the variables of the Job alone, besides PATH and PYTHONPATH. Jobs are kept in the folder
KUBECTL_STATE. The first question after each Job fails, as if the cluster did not answer.
"""

import contextlib
import json
import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

STATE = Path(os.environ.get("KUBECTL_STATE", "."))
QUANTITY = re.compile(r"[0-9]+(m|k|M|G|Ki|Mi|Gi)?")
RESOURCES = {"cpu", "memory", "nvidia.com/gpu"}


def refuse(words: str) -> None:
    sys.exit(f"Error from server (Invalid): {words}")


def expect(true: bool, words: str) -> None:
    if not true:
        refuse(words)


def check(job: dict) -> dict:
    """The container of a Job, which holds what the profile promises."""
    expect((job["apiVersion"], job["kind"]) == ("batch/v1", "Job"), "no Job")
    expect(re.fullmatch(r"[a-z][a-z0-9]{0,62}", job["metadata"]["name"]) is not None, "name")
    expect(job["spec"]["backoffLimit"] == 0, "attempts are Snakemake's")
    pod = job["spec"]["template"]["spec"]
    expect(pod["restartPolicy"] == "Never", "restartPolicy")
    expect(isinstance(pod["activeDeadlineSeconds"], int), "activeDeadlineSeconds")
    expect(pod["activeDeadlineSeconds"] > 0, "activeDeadlineSeconds")
    [container], [volume] = pod["containers"], pod["volumes"]
    [mount] = container["volumeMounts"]
    expect(mount["name"] == volume["name"], "a mount without its volume")
    expect(bool(volume["persistentVolumeClaim"]["claimName"]), "claimName")
    within = Path(mount["mountPath"])
    expect(Path(container["workingDir"]).is_relative_to(within), "workingDir is not in the volume")
    expect(Path(container["command"][-1]).is_relative_to(within), "the script is not in the volume")
    requests, limits = (container["resources"][kind] for kind in ("requests", "limits"))
    expect(requests.keys() >= {"cpu", "memory"}, "requests")
    expect("memory" in limits, "limits")
    for name, quantity in (*requests.items(), *limits.items()):
        expect(name in RESOURCES and isinstance(quantity, str), f"resource {name}")
        expect(QUANTITY.fullmatch(quantity) is not None, f"quantity {quantity}")
    gpu = "nvidia.com/gpu"
    expect(requests.get(gpu) == limits.get(gpu), "a GPU is asked for and limited alike")
    expect(all(isinstance(entry["value"], str) for entry in container["env"]), "env")
    return container


def apply() -> None:
    job = json.load(sys.stdin)
    container, name = check(job), job["metadata"]["name"]
    (STATE / f"{name}.json").write_text(json.dumps(job))
    with (STATE / f"{name}.log").open("w") as log:
        ended = shlex.quote(str(STATE / f"{name}.ended"))
        process = subprocess.Popen(
            ["/bin/sh", "-c", f"{shlex.join(container['command'])}; echo $? > {ended}"],
            cwd=container["workingDir"],
            env={
                **{name: os.environ.get(name, "") for name in ("PATH", "PYTHONPATH")},
                **{entry["name"]: entry["value"] for entry in container["env"]},
            },
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    (STATE / f"{name}.pid").write_text(str(process.pid))
    print(f"job.batch/{name} created")


def get(name: str) -> None:
    path = STATE / f"{name}.json"
    if not path.exists():
        sys.exit(f'Error from server (NotFound): jobs.batch "{name}" not found')
    asked = STATE / f"{name}.asked"
    if not asked.exists():
        asked.touch()
        sys.exit("Unable to connect to the server: net/http: TLS handshake timeout")
    job, ended = json.loads(path.read_text()), STATE / f"{name}.ended"
    code = ended.read_text().strip() if ended.exists() else ""
    if code:
        kind = "Complete" if code == "0" else "Failed"
        job["status"] = {"conditions": [{"type": kind, "status": "True"}]}
    print(json.dumps(job))


def delete(names: list[str]) -> None:
    for name in names:
        if not (STATE / f"{name}.json").exists():
            continue
        with contextlib.suppress(ProcessLookupError):
            os.killpg(int((STATE / f"{name}.pid").read_text()), signal.SIGKILL)
        (STATE / f"{name}.json").rename(STATE / f"{name}.deleted")
        print(f'job.batch "{name}" deleted')


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["--namespace", _, *words]:
            pass
        case words:
            pass
    match words:
        case ["apply", "-f", "-"]:
            apply()
        case ["get", "job", name, "-o", "json"]:
            get(name)
        case ["delete", "job", *names, "--ignore-not-found", "--wait=false"]:
            delete(names)
        case _:
            sys.exit(f"error: the stand-in does not know {words}")
