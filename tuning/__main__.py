"""`python -m tuning` is `mtl`."""

from tuning.cli import main

main()
