"""``python -m casevault``: the command line."""

from casevault.cli.app import main

main()
