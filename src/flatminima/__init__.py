"""Why trained networks generalize: bad minima found on purpose, basins measured, pictures drawn."""
