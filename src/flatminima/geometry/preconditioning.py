"""Preconditioners: along which shape directions are drawn, so that rays of a basin differ less.

The mean of r^n over uniform directions is ruled by the few longest rays of a basin that is long in
some directions and short in others. With x = P y and |det P| = 1 the volume in y is that in x, but
the basin seen from y may be rounder, and P = H^(-1/2) makes an ellipsoid a ball (Scherlis and
Belrose 2025, section 3). So directions v = S P u, u uniform on the unit sphere of the n weights in
filters, estimate the same volume whatever P is: the choice decides how well, not what.

Everything here acts in the space in which ``directions`` draws u: the weights in filters, one after
the other, in units of the norms of their filters; biases do not move.
"""

import math
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from flatminima.geometry.curvature import logit_jacobian, signed_gradients
from flatminima.geometry.directions import (
    Directions,
    draw_units,
    filters,
    metric,
    restrict,
    stretch,
)
from flatminima.models.layout import Layout
from flatminima.models.network import Network

# Below this share of the largest, an eigenvalue of a Gram matrix is rounding.
_ROUNDING = 1e-14
# Of what is left of a Jacobian after its diagonal.
_SPECTRUM_DAMPING = 1e-4


@dataclass(frozen=True, eq=False)
class Preconditioner:
    """P = D Q with determinant 1: a diagonal after a matrix that is symmetric and positive.

    P y = d ∘ (b y + U (g ∘ Uᵀ y)).

    Attributes:
        diagonal: d; of one entry where all are the same. float64.
        base: b.
        basis: U, orthonormal columns, or None. float64.
        gains: g, one for each column. float64.
        damping: of the diagonal or, without one, of the spectrum; infinite without either.
    """

    diagonal: Float[Tensor, " weights"]
    base: float = 1.0
    basis: Float[Tensor, "weights rank"] | None = None
    gains: Float[Tensor, " rank"] | None = None
    damping: float = math.inf

    def apply(self, vectors: Float[Tensor, "... weights"]) -> Float[Tensor, "... weights"]:
        """P y for each row y, in float64."""
        vectors = vectors.double()
        if self.basis is None and self.base == 1 and bool((self.diagonal == 1).all()):
            return vectors
        image = self.base * vectors
        if self.basis is not None and self.gains is not None:
            image += (vectors @ self.basis * self.gains) @ self.basis.T
        return self.diagonal * image


def identity() -> Preconditioner:
    """No preconditioning."""
    return Preconditioner(torch.ones(1, dtype=torch.float64))


def from_diagonal(curvatures: Float[Tensor, " weights"], *, damping: float) -> Preconditioner:
    """P ∝ (d + δ·mean d)^(-1/2), exact for a quadratic whose Hessian is diag(d), with damping δ.

    Raises:
        ValueError: if an entry is negative, or all are zero, or damping is not positive where
            some are.
    """
    curvatures = curvatures.double()
    mean = float(curvatures.mean())
    if float(curvatures.min()) < 0 or mean <= 0:
        raise ValueError("the diagonal of a preconditioner must be at least 0, and not all zero")
    damped = curvatures / mean + damping
    if float(damped.min()) <= 0:
        raise ValueError(f"damping is {damping}; with zeros on the diagonal it must be positive")
    logs = -0.5 * torch.log(damped)
    return Preconditioner(torch.exp(logs - logs.mean()), damping=damping)


def from_spectrum(
    eigenvalues: Float[Tensor, " rank"], basis: Float[Tensor, "weights rank"], *, damping: float
) -> Preconditioner:
    """P ∝ (H + δλ)^(-1/2), exact for a quadratic with this Hessian H = U diag(λ) Uᵀ.

    Of negative eigenvalues the magnitude counts, and damping is relative to the largest. The basis
    has orthonormal columns; off it the Hessian is zero.

    Raises:
        ValueError: if the Hessian is zero, or damping is not positive where it is singular.
    """
    values = eigenvalues.double().abs()
    n, rank = basis.shape
    top = float(values.max()) if rank else 0.0
    if top <= 0:
        raise ValueError("the spectrum of a preconditioner is zero")
    if damping <= 0 and (rank < n or float(values.min()) <= 0):
        raise ValueError(f"damping is {damping}; of a singular Hessian it must be positive")
    # In units of the largest eigenvalue: those of a saturated network are next to nothing.
    on = -0.5 * torch.log(values / top + damping)
    off = -0.5 * math.log(damping) if rank < n else float(on.min())
    shift = (float(on.sum()) + (n - rank) * off) / n
    base = math.exp(off - shift)
    one = torch.ones(1, dtype=torch.float64, device=basis.device)
    gains = torch.exp(on - shift) - base
    return Preconditioner(one, base, basis.double(), gains, damping)


def from_jacobian(rows: Float[Tensor, "rows weights"], *, damping: float) -> Preconditioner:
    """The diagonal of RᵀR first, then the spectrum of what is left, D RᵀR D.

    The diagonal holds what there is of full rank: how much each weight matters. The spectrum adds
    the few directions, fewer than points times logits, in which weights act together.

    Rows are R, of ``jacobian``; ``damping`` is of the diagonal, as in ``from_diagonal``.
    """
    diagonal = from_diagonal(rows.square().sum(dim=0), damping=damping).diagonal
    inner = from_spectrum(*spectrum(rows * diagonal), damping=_SPECTRUM_DAMPING)
    return replace(inner, diagonal=diagonal, damping=damping)


def draw_preconditioned(
    layout: Layout,
    minimum: Float[Tensor, " parameters"],
    preconditioner: Preconditioner,
    *,
    seed: int,
    indices: range,
) -> Directions:
    """The directions v = S P u of these numbers around one minimum, u as ``draw`` has them.

    A radius along v is one along u, and ``log_determinant`` is ln det S, since det P is 1.

    Raises:
        ValueError: as :func:`flatminima.geometry.directions.draw`.
    """
    moving = filters(layout, minimum)
    units = restrict(draw_units(layout, kind="exact", seed=seed, indices=indices), moving)
    vectors = torch.zeros_like(units.vectors)
    drawn = units.vectors[:, moving.positions].to(preconditioner.diagonal.device)
    vectors[:, moving.positions] = preconditioner.apply(drawn).to(vectors)
    return stretch(replace(units, vectors=vectors), moving, minimum)


def positions(
    layout: Layout, minimum: Float[Tensor, " parameters"] | None = None
) -> Int[Tensor, " weights"]:
    """Where the weights that move lie in a vector, filter after filter; without it, of all."""
    return torch.from_numpy(filters(layout, minimum).positions)


def jacobian(
    network: Network, minimum: Float[Tensor, " parameters"], inputs: Float[Tensor, "points ..."]
) -> Float[Tensor, "rows weights"]:
    """Derivatives of the logits in filter-normalised units over √points: R with RᵀR = Σ JᵀJ / N.

    Of N points, J the derivative of a point's logits, in float64. It is the Gauss-Newton matrix of
    the logits and not of the loss: how far they move is what a network that is sure of every point
    still says, where p(1 − p) is next to nothing.

    Returns:
        As many rows as points times logits.
    """
    derivatives, _ = logit_jacobian(network, minimum, inputs)
    return _in_units(network.layout, minimum, derivatives.flatten(0, 1), len(inputs))


def signed_jacobian(
    network: Network,
    minimum: Float[Tensor, " parameters"],
    inputs: Float[Tensor, "points ..."],
    signs: Float[Tensor, "points outputs"],
) -> Float[Tensor, "points weights"]:
    """As :func:`jacobian`, with one row for a point: its logits' rows summed by these signs.

    Of random signs, +1 or −1 alike, the expectation of RᵀR is what all rows have: a sketch, for
    which the derivatives of one number at each point do.
    """
    derivatives = signed_gradients(network, minimum, inputs, signs)
    return _in_units(network.layout, minimum, derivatives, len(inputs))


def _in_units(
    layout: Layout, minimum: Float[Tensor, " parameters"], derivatives: Tensor, points: int
) -> Float[Tensor, "rows weights"]:
    moving = positions(layout, minimum).to(minimum.device)
    scale = metric(layout, minimum.detach().double(), "exact")[moving]
    rows = derivatives[:, moving]
    rows /= math.sqrt(points)
    rows *= scale
    return rows


def spectrum(
    rows: Float[Tensor, "rows weights"],
) -> tuple[Float[Tensor, " rank"], Float[Tensor, "weights rank"]]:
    """Non-zero eigenvalues of RᵀR, falling, and its eigenvectors: exact, of the smaller Gram.

    Of fewer rows than weights R Rᵀ is decomposed, else Rᵀ R.
    """
    wide = rows.shape[0] < rows.shape[1]
    gram = rows @ rows.T if wide else rows.T @ rows
    values, vectors = torch.linalg.eigh(gram)
    kept = torch.nonzero(values > _ROUNDING * values[-1].clamp(min=0)).flatten().flip(0)
    values, vectors = values[kept], vectors[:, kept]
    if not wide:
        return values, vectors
    columns = rows.T @ vectors
    # Of what is large no more is held than what is still needed.
    del rows
    columns /= values.sqrt()
    # One more orthogonalisation: division by small eigenvalues leaves columns a little oblique.
    basis, upper = torch.linalg.qr(columns)
    basis *= upper.diagonal().sign()
    return values, basis
