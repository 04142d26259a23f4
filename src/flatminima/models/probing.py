"""Whether a module is what the library takes it for, found out on a few points at the start.

All that is computed here rests on a loss that is a mean over points and a function of the vector
alone: the logits of a point depend on no other point and on no chance, and follow the vector, in
the precision that is asked for.
"""

import contextlib

import torch
from jaxtyping import Float
from torch import Tensor

from flatminima.models.adapted import Adapted
from flatminima.models.module import ModuleNetwork
from flatminima.models.normalisation import BATCH_NORM, BatchNormBy
from flatminima.models.points import Inputs

FEW = 4
"""On how many points a module is looked at."""
# Where those fail: whether it is for their number.
_MANY = 1024
# What forward fails by on inputs that it does not take.
_FAILURES = (RuntimeError, TypeError, IndexError, AttributeError, KeyError)
# Steps of differences, as shares of the parameters' length. Shorter ones cross fewer kinks.
_STEPS = (1e-5, 1e-7, 1e-9)
# By how much a difference may be off, as a share of itself and of what it is a difference of.
_WRONG, _ROUNDED = 1e-3, 1e-13


@torch.no_grad()
def probe(
    network: ModuleNetwork,
    vector: Float[Tensor, " parameters"],
    inputs: Inputs,
    *,
    by_the_points: bool = False,
) -> int:
    """How many logits the module gives for a point, or why nothing can be computed of it.

    Looked at once for each network, device, precision and shape of points.

    Args:
        vector: parameters, in the precision in which they will be evaluated.
        by_the_points: whether batch norm will take its statistics from the points, as it is meant
            to; else those in the vector.

    Raises:
        ValueError: if the logits are not a row for each point, do not follow the vector, draw at
            random, depend on other points, or are not computed in the precision of the vector.
    """
    points = inputs[:FEW]
    key = (vector.device, vector.dtype, points.shape, by_the_points)
    if key not in network.probed:
        network.probed[key] = _probed(network, vector, points, inputs, by_the_points)
    return network.probed[key]


def probe_twice(
    network: ModuleNetwork,
    vector: Float[Tensor, " parameters"],
    inputs: Inputs,
) -> None:
    """Hold second derivatives against differences of first ones, once as ``probe`` does.

    Those of a few functions are wrong, torch's own among them, which nothing else would tell.

    Args:
        vector: parameters in float64.

    Raises:
        ValueError: if they are wrong.
    """
    point = inputs[:1].double()
    key = (vector.device, "twice", point.shape)
    # Of a forward in single precision, differences are rounding.
    if key in network.probed or network.fixed is not None:
        return
    parameters, statistics = vector[: network.trainable].detach(), vector[network.trainable :]
    numbers = torch.arange(len(parameters), device=vector.device, dtype=vector.dtype)
    # Off the place itself: with biases of zero, a fresh network may lie in a kink of ReLU.
    place = (1.01 * parameters + 0.01 + 0.01 * torch.cos(numbers)).requires_grad_()

    def slope(place: Tensor, *, twice: bool = False) -> Tensor:
        logits = network.logits(torch.cat([place, statistics])[None], point)
        (gradient,) = torch.autograd.grad(logits.square().sum(), place, create_graph=twice)
        return gradient

    with torch.enable_grad():
        here = slope(place, twice=True)
        # Not along what has no gradient by convention, such as the padding row of an embedding.
        along = torch.sin(1.7 * numbers + 1) * (here.detach() != 0)
        along = along * place.detach().norm() / along.norm().clamp(min=1e-300)
        (bent,) = torch.autograd.grad(here, place, along)
        for step in _STEPS:
            ends = ((place + sign * step * along).detach().requires_grad_() for sign in (1, -1))
            ahead, behind = (slope(end) for end in ends)
            apart = (ahead - behind - 2 * step * bent).norm()
            if apart <= _WRONG * step * bent.norm() + _ROUNDED * here.detach().norm():
                network.probed[key] = 1
                return
    raise ValueError(
        "the module's second derivatives are not those of its first ones, so that a function in "
        "its forward has wrong ones; compute it by simpler functions"
    )


class FixedPrecisionError(ValueError):
    """Forward does not follow the dtype of its parameters."""


def outputs_of(
    network: ModuleNetwork, vector: Float[Tensor, " parameters"], inputs: Inputs
) -> Float[Tensor, "rows ..."]:
    """What a module gives for the first points, or in words why it gives nothing.

    Raises:
        ValueError: if forward fails on them.
    """
    points = inputs[:FEW].to(vector.dtype)
    try:
        return network.logits(vector[None], points)[0]
    except _FAILURES as error:
        raise _failed(network, vector, points, inputs, error) from error


def _failed(
    network: ModuleNetwork, vector: Tensor, points: Inputs, inputs: Inputs, error: Exception
) -> ValueError:
    """Whether it is the precision or the number of points that a forward fails for."""
    why = str(error).splitlines()[0] if str(error) else type(error).__name__
    if vector.dtype == torch.float64:
        try:
            network.logits(vector[None].float(), points.to(torch.float32))
        except (*_FAILURES, ValueError):
            pass
        else:
            return FixedPrecisionError(_fixed(vector.dtype, why))
    if len(inputs) > len(points):
        try:
            network.logits(vector[None], inputs[:_MANY].to(vector.dtype))
        except (*_FAILURES, ValueError):
            pass
        else:
            return ValueError(
                f"forward takes {min(len(inputs), _MANY)} points and fails on {len(points)} "
                f"({why}); let it take any number, such as by x.flatten(1) in place of a view by a "
                "number that is written down"
            )
    return ValueError(
        f"forward fails on {len(points)} points ({why}); check that the module takes these inputs: "
        "a tuple holds its arguments, and a dict its keyword arguments"
    )


def _probed(
    network: ModuleNetwork, given: Tensor, points: Inputs, inputs: Inputs, by_the_points: bool
) -> int:
    vector = given.clone()
    if not by_the_points:
        _statistics_are_kept(network)
    own = vector.to(network.dtype)
    coarse = network.fixed or vector.dtype

    def same(one: Tensor, other: Tensor) -> bool:
        return _same(one, other, torch.finfo(coarse).eps ** 0.5)

    with BatchNormBy(_by_nothing) if by_the_points else contextlib.nullcontext():

        def logits(vector: Tensor, points: Inputs) -> Tensor:
            return network.logits(vector[None], points.to(vector.dtype))[0]

        try:
            whole = logits(vector, points)
        except _FAILURES as error:
            if vector.dtype == own.dtype:
                raise _failed(network, vector, points, inputs, error) from error
            # If this fails too, precision is not the reason.
            outputs_of(network, own, inputs)
            raise FixedPrecisionError(_fixed(vector.dtype, str(error))) from error
        # An adapted one has looked at its rows itself.
        if not isinstance(network.module, Adapted) and (
            whole.ndim != 2 or len(whole) != len(points)
        ):
            raise ValueError(
                f"forward gives {tuple(whole.shape)} for {len(points)} points; it has to give a "
                "row of logits for each, (points, outputs), and (points, 1) for one output"
            )
        if torch.finfo(whole.dtype).eps > torch.finfo(vector.dtype).eps:
            raise FixedPrecisionError(_fixed(vector.dtype, f"it gives {whole.dtype}"))
        chance = _chance(vector.device)
        if not (
            same(whole, logits(vector, points)) and torch.equal(chance, _chance(vector.device))
        ):
            raise ValueError(
                "forward gives other logits for the same points each time: it draws at random; "
                "draw in training mode alone, as nn.Dropout does"
            )
        if not torch.equal(vector, given):
            raise ValueError(
                "forward changes the module's parameters, as an embedding with a max_norm does; "
                "let it leave them as they are"
            )
        half = len(points) // 2
        if half and not same(
            whole, torch.cat([logits(vector, p) for p in (points[:half], points[half:])])
        ):
            raise ValueError(
                "the logits of a point depend on which others are evaluated with it, so their "
                "loss is no mean over points; let forward treat each point by itself"
            )
        moved = own.clone()
        moved[: network.trainable] = 1.01 * moved[: network.trainable] + 0.01
        kind = network.fixed or vector.dtype
        plain = network.at(moved).to(kind).eval()(points.to(kind))
        if not same(plain, logits(moved.to(vector.dtype), points).to(plain)):
            raise ValueError(
                "the logits do not follow the parameters: forward uses values that were computed "
                "from them before; let it compute from its parameters each time"
            )
    return whole.shape[1] if whole.ndim > 1 else 1


def _statistics_are_kept(network: ModuleNetwork) -> None:
    for name, part in network.module.named_modules():
        if isinstance(part, BATCH_NORM) and part.running_mean is None:
            raise ValueError(
                f"batch norm {name} keeps no running statistics, so the logits of a point depend "
                "on which others are evaluated with it; of losses take those by the statistics of "
                "all points, with_statistics(network, 'refreshed'), or of batches, "
                "with_statistics(network, 'batch', size); for all else let it keep statistics"
            )


def _chance(device: torch.device) -> Tensor:
    """Where torch's stream of random numbers is, from which no forward may draw."""
    on_gpu = device.type == "cuda"
    return torch.cuda.get_rng_state(device) if on_gpu else torch.get_rng_state()


def _by_nothing(maps: Tensor, weight: Tensor | None, bias: Tensor | None, _eps: float) -> Tensor:
    """Scale and shift alone, by which no point sees another."""
    shape = (1, -1, *(1 for _ in maps.shape[2:]))
    if weight is not None:
        maps = maps * weight.view(shape)
    return maps if bias is None else maps + bias.view(shape)


def _same(one: Tensor, other: Tensor, tolerance: float) -> bool:
    """Whether logits differ by rounding at most."""
    finite = one[one.isfinite()].abs()
    scale = float(finite.max()) if len(finite) else 0.0
    return torch.allclose(one, other, rtol=tolerance, atol=tolerance * scale, equal_nan=True)


def _fixed(dtype: torch.dtype, why: str) -> str:
    return (
        f"this is computed in {str(dtype).removeprefix('torch.')}, which the module's forward does "
        f"not follow ({why.splitlines()[0]}); let it compute in the dtype of its parameters"
    )
