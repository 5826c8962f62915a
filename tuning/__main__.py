"""`python -m tuning` is `mtl`."""

from tuning.cli.app import main

main()
