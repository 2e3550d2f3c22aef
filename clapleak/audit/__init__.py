"""How much of any audio-text model's zero-shot accuracy is leakage, without training it again: `clapleak audit`.

The arrays path (`read_arrays`, `audit`) imports no torch; a model's adapter imports what the model needs.
"""

from clapleak.audit.clouds import Clouds, read_arrays, read_test
from clapleak.audit.models import embed, load_model
from clapleak.audit.verdicts import Audit, audit, seen_classes

__all__ = ["Audit", "Clouds", "audit", "embed", "load_model", "read_arrays", "read_test", "seen_classes"]
