"""Many training runs: search, warm trainers, studies and the command line."""
