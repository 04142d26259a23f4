"""What made each file: code closure, manifest, freshness, audit."""
