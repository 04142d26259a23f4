"""Write the page of a run that failed, with a labelled gap for whatever is missing.

python workflow/scripts/partial_report.py results/laptop
    --experiments swiss_roll images --figures margins gap-images
"""

import argparse
import sys
from pathlib import Path

from flatminima.errors import UserError
from flatminima.report.publication import publish_partial

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=Path)
    parser.add_argument("--experiments", nargs="*")
    parser.add_argument("--figures", nargs="*")
    try:
        page = publish_partial(root=Path(), source=Path("report"), **vars(parser.parse_args()))
    except UserError as error:
        sys.exit(f"no partial report: {error}")
    print(f"The run failed; the report of what there is, with its gaps: {page}", file=sys.stderr)
