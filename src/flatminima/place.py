"""Where a project may lie: Snakemake starts jobs by the path of Python, which it does not quote.

``python -m flatminima.place`` says so before an environment is installed. It needs no package.
"""

import re
import sys
from pathlib import Path

from flatminima.errors import UserError

_SPECIAL = re.compile(r"[^\w@+=,./-]")


def ensure_plain(path: Path | str) -> None:
    """Make sure that a path means itself in a shell, in ``PATH`` and in a script's first line.

    Raises:
        UserError: naming the characters that may not be in it.
    """
    if special := sorted(set(_SPECIAL.findall(str(path)))):
        found = " ".join(map(repr, special))
        raise UserError(
            f"{path}: holds {found}, and jobs that are started from there would die; move the "
            "project, or its environment, to a folder named by letters, digits and @ + = , . - _"
        )


if __name__ == "__main__":
    try:
        ensure_plain(Path.cwd())
    except UserError as error:
        sys.exit(str(error))
