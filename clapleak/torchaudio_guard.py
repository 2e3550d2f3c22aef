"""Import torchaudio where its compiled extension does not load.

The package index ships torchaudio's wheel for CUDA only. Beside a CPU build of torch its extension fails with an
OSError, and then `transformers`, which imports torchaudio when it is installed, fails too. The parts that we use
(resampling, mel filters, masks) are plain Python, so a stub in the extension's place is enough.
"""

import sys
from types import ModuleType


def import_torchaudio() -> ModuleType:
    """The torchaudio module, whole where possible and without its compiled extension elsewhere."""
    try:
        import torchaudio
    except OSError:
        for name in [n for n in sys.modules if n.split(".")[0] == "torchaudio"]:
            del sys.modules[name]
        stub = sys.modules["torchaudio._extension"] = ModuleType("torchaudio._extension")
        stub._IS_TORCHAUDIO_EXT_AVAILABLE = stub._IS_RIR_AVAILABLE = stub._IS_ALIGN_AVAILABLE = False
        stub.fail_if_no_align = stub.fail_if_no_rir = lambda function: function
        import torchaudio
    return torchaudio
