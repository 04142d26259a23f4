"""Set the crate of a site beside the profile that it declares; status 1 if it is not valid.

The validator is that of RO-Crate's community, ``roc-validator``; ``make crate`` installs it beside
the environment. It asks no network: what it would fetch, the context of RO-Crate 1.1, is read from
a version of ``rocrate`` that brought it.
"""

import argparse
import sys
import tempfile
from importlib.resources import files
from io import BytesIO
from pathlib import Path

from requests import PreparedRequest, Request, Response
from requests_cache import CachedSession
from rocrate_validator.models import URI, ValidationSettings
from rocrate_validator.services import validate
from urllib3 import HTTPResponse

PROFILE = "provenance-run-crate-0.5"
CONTEXT = "https://w3id.org/ro/crate/1.1/context"


def keep(cache: Path, address: str, content: bytes) -> None:
    """Put what an address would give into the cache of the validator."""
    request: PreparedRequest = Request("GET", address).prepare()
    response = Response()
    response.status_code, response.url, response.request = 200, address, request
    response.headers["Content-Type"] = "application/ld+json"
    response._content = content
    response.raw = HTTPResponse(BytesIO(content), status=200, preload_content=False)
    with CachedSession(str(cache), backend="sqlite", expire_after=-1) as session:
        session.cache.save_response(response, cache_key=session.cache.create_key(request))


def faults(folder: Path, severity: str) -> list[str]:
    """What the validator has to say against a crate."""
    with tempfile.TemporaryDirectory() as place:
        cache = Path(place, "cache")
        context = files("rocrate").joinpath("data/ro-crate.jsonld").read_bytes()
        assert CONTEXT.encode() in context, "another version of rocrate hides the pinned one"
        keep(cache, CONTEXT, context)
        settings = ValidationSettings(
            rocrate_uri=URI(str(folder)),
            profile_identifier=PROFILE,
            requirement_severity=severity,
            offline=True,
            cache_path=cache,
        )
        result = validate(settings)
    issues = [f"{issue.severity.name.lower()}: {issue.message}" for issue in result.get_issues()]
    return sorted(issues) or ([] if result.passed() else ["the validator gives no reason"])


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.crate", description=__doc__)
    parser.add_argument("folder", type=Path, help="site/<scale>")
    parser.add_argument("--recommended", action="store_true", help="what a crate should be, too")
    options = parser.parse_args()
    if not (options.folder / "ro-crate-metadata.json").is_file():
        print(f"{options.folder}: is no crate; make it with make site", file=sys.stderr)
        return 1
    found = faults(options.folder, "RECOMMENDED" if options.recommended else "REQUIRED")
    for fault in dict.fromkeys(found):
        print(f"{found.count(fault)} × {fault}")
    print(f"{options.folder}: {'not valid' if found else 'valid'} under {PROFILE}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
