"""The synthetic sounds: a small synthesiser, and a table with one row a sound class (`classes.csv`).

Nothing here is recorded. The names of the classes carry the meaning and the other columns of the table the acoustics;
neither follows from the other. The sound and the caption of a clip follow from its virtual path alone.
"""

from clapleak.foley.clips import corpus
from clapleak.foley.synthesiser import synthesise
from clapleak.foley.table import classes

__all__ = ["FORMAT", "classes", "corpus", "synthesise"]

# Raise it whenever the same path gives other samples or another caption: stored clips are then made again. Then raise
# FORMATS["clips"] of clapleak.identity as well, so that finished runs are.
FORMAT = 2
