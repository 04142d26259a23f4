"""What a job's process makes of torch."""

import json
import subprocess
import sys

STEPS = """
import hashlib, json, sys, torch
from torch.func import jacrev, vmap
from torch.optim.adam import adam

if {prepared}:
    from flatminima.devices import prepare
    prepare(1)
torch.manual_seed(0)
module = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.Linear(4, 2))
inputs, found = torch.randn(5, 3), []
for kind in (torch.optim.SGD, torch.optim.Adam, torch.optim.RMSprop, torch.optim.LBFGS):
    optimizer = kind(module.parameters(), lr=0.1)
    def closure():
        optimizer.zero_grad()
        loss = module(inputs).square().mean()
        loss.backward()
        return loss
    for _ in range(3):
        optimizer.step(closure)
    found += [value.detach().clone() for value in module.parameters()]
vector, moments = torch.ones(3), [torch.zeros(3), torch.zeros(3)]
adam([vector], [torch.arange(3.0)], [moments[0]], [moments[1]], [], [torch.zeros(())], lr=0.1,
     amsgrad=False, beta1=0.9, beta2=0.99, weight_decay=0, eps=1e-8, maximize=False)
found += [vector, vmap(jacrev(lambda x: module(x)))(inputs).detach()]
bits = hashlib.sha256(b"".join(value.numpy().tobytes() for value in found)).hexdigest()
known = set(sys.modules)
loaded = [name for name in sys.modules if name.startswith("torch._dynamo.")]
{after}
print(json.dumps([bits, len(loaded), after]))
"""


def told(*, prepared, after="after = None"):
    code = STEPS.format(prepared=prepared, after=after)
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return json.loads(run.stdout)


def test_optimizers_and_jacobians_are_the_same_without_torchs_compiler():
    plain, whole, _ = told(prepared=False)
    bits, loaded, refuses = told(
        prepared=True, after="after = torch.are_deterministic_algorithms_enabled()"
    )
    assert bits == plain
    assert (loaded, refuses) == (0, True)
    assert whole > 0  # else there is nothing to be spared any more


def test_whoever_asks_for_the_compiler_itself_gets_it():
    after = (
        "import torch._dynamo.config; torch._dynamo.reset()\n"
        "after = torch._dynamo is sys.modules['torch._dynamo'] and bool(torch._dynamo.__file__)"
    )
    assert told(prepared=True, after=after)[2]
