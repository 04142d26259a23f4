"""All cases by their names in the report."""

from collections.abc import Callable, Iterator, Mapping

from tests.bench.curvature import hessian_top, hessian_trace
from tests.bench.growth import growth
from tests.bench.losses import basin_radii, conv_evaluation, losses_along_directions, surface_2d
from tests.bench.processes import imports, plan, report
from tests.bench.scene import SwissRoll
from tests.bench.training import conv_training, ensemble_training
from tests.bench.work import Bench, Record

CASES: Mapping[str, Callable[[Bench, SwissRoll], Iterator[Record]]] = {
    "losses-along-directions": losses_along_directions,
    "basin-radii": basin_radii,
    "ensemble-training": ensemble_training,
    "hessian-trace": hessian_trace,
    "hessian-top": hessian_top,
    "surface-2d": surface_2d,
    "conv-evaluation": conv_evaluation,
    "conv-training": conv_training,
    "import": imports,
    "plan": plan,
    "report": report,
    "growth": growth,
}
