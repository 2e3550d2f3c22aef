"""`python -m clapleak`, which `torchrun -m clapleak` needs."""

from clapleak.cli import main

main()
