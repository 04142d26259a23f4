"""Write the page of a run that failed, with a labelled gap for whatever is missing.

python workflow/scripts/partial_report.py results/laptop swiss_roll images
"""

import sys
from pathlib import Path

from flatminima.errors import UserError
from flatminima.report.publication import publish_partial

if __name__ == "__main__":
    try:
        page = publish_partial(
            Path(sys.argv[1]), root=Path(), source=Path("report"), experiments=sys.argv[2:]
        )
    except UserError as error:
        sys.exit(f"no partial report: {error}")
    print(f"The run failed; the report of what there is, with its gaps: {page}", file=sys.stderr)
