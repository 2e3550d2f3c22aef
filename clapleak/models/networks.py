"""Weights of audio encoders that others trained on large data (not in the paper; see `NETWORKS`).

They stand for the paper's pre-training at full strength: YAMNet has seen AudioSet's labels, BYOL-A has heard the same
sounds without a label. Weights are read after their SHA-256 has been checked, since two of the files can hold code.
"""

import hashlib
import io
import zipfile
from collections import namedtuple
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from torch import Tensor, nn

from clapleak.files import ClapleakError, nearest, output_root
from clapleak.models.architectures import AiSfx, ByolA, Network, SoundNet, YamNet
from clapleak.setups import network_facts

State = dict[str, Tensor]


def _yamnet(file: io.BytesIO) -> State:
    """Float weights of the ONNX graph; its quantisation nodes are left aside."""
    import onnx  # slow to import, and in an extra

    with zipfile.ZipFile(file) as archive, TemporaryDirectory() as folder:
        for kind in ("model.onnx", "model.data"):
            inside = next(name for name in archive.namelist() if name.endswith(f"/{kind}"))
            Path(folder, kind).write_bytes(archive.read(inside))
        graph = onnx.load(Path(folder, "model.onnx")).graph
    arrays = {tensor.name: torch.tensor(onnx.numpy_helper.to_array(tensor)) for tensor in graph.initializer}
    ours = {"model.classifier.weight": "fc_audioset.weight", "model.classifier.bias": "fc_audioset.bias"}
    for layer in range(27):  # weight 241, bias 242, weight 244, ...
        ours |= {f"onnx::Conv_{241 + 3 * layer}": f"layers.{layer}.weight"}
        ours |= {f"onnx::Conv_{242 + 3 * layer}": f"layers.{layer}.bias"}
    return {name: arrays[theirs] for theirs, name in ours.items()}


def _byola(file: io.BytesIO) -> State:
    return torch.load(file, weights_only=True)


def _soundnet(file: io.BytesIO) -> State:
    layers, state = np.load(file, allow_pickle=True, encoding="latin1").item(), {}  # its checksum is known
    names = {"gamma": "weight", "beta": "bias", "mean": "running_mean", "var": "running_var"}
    for i in range(7):
        layer = {name: torch.from_numpy(values) for name, values in layers[f"conv{i + 1}"].items()}
        state[f"convolutions.{i}.weight"] = layer["weights"][:, 0].permute(2, 1, 0)  # (kernel, in, out)
        state[f"convolutions.{i}.bias"] = layer["biases"]
        state |= {f"norms.{i}.{ours}": layer[theirs] for theirs, ours in names.items()}
    return state


def _aisfx(file: io.BytesIO) -> State:
    scalar = np.float64().__reduce__()[0]
    scalars = [(scalar, "numpy.core.multiarray.scalar"), np.dtype, np.dtypes.Int64DType]
    with torch.serialization.safe_globals(scalars):
        state = torch.load(file, weights_only=True, map_location="cpu")[0]
    prefix = "embedding_net.conv_block"
    own = {key.removeprefix(prefix): values for key, values in state.items() if key.startswith(prefix)}
    return {f"blocks.{int(key[0]) - 1}{key[1:]}": values for key, values in own.items()}


# a network and where its weights come from: the type to build, contents of the file -> State, an entry of networks.yaml
Source = namedtuple("Source", "build read title heard labels licence file sha256 package origin")
_CODE = dict(yamnet=(YamNet, _yamnet), byola=(ByolA, _byola), soundnet=(SoundNet, _soundnet), aisfx=(AiSfx, _aisfx))
NETWORKS = {name: Source(*_CODE[name], **facts) for name, facts in network_facts().items()}


def load_network(name: str) -> Network:
    """A network of `NETWORKS` with its weights, or `random_` before its name: the architecture with random weights.

    Random weights are He's, the same in every run. ClapleakError for an unknown name, and for a file that is absent or
    has another checksum; nothing of such a file is read.
    """
    contents = _contents(name)
    network = NETWORKS[name.removeprefix("random_")].build().eval()
    if contents is None:
        generator = torch.Generator().manual_seed(0)
        for module in network.modules():
            if isinstance(module, nn.Conv1d | nn.Conv2d | nn.Linear):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu", generator=generator)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
    else:
        network.load_state_dict(NETWORKS[name].read(io.BytesIO(contents)))
    return network.to(memory_format=torch.channels_last)  # half as long


def _contents(name: str) -> bytes | None:
    """The bytes of a network's file, None for random weights. ClapleakError where unknown, absent or another one."""
    if (known := name.removeprefix("random_")) not in NETWORKS:
        raise ClapleakError(f"unknown network '{name}'{nearest(known, NETWORKS)}: known are {', '.join(NETWORKS)}")
    if known != name:
        return None
    contents = (path := weights_file(name)).read_bytes()
    if (found := hashlib.sha256(contents).hexdigest()) != (wanted := NETWORKS[name].sha256):
        raise ClapleakError(f"{path}: SHA-256 is {found}, not {wanted}: delete it and fetch {name} again")
    if name == "yamnet" and find_spec("onnx") is None:
        raise ClapleakError("yamnet needs onnx: pip install 'clapleak[networks]'")
    return contents


def refuse_absent(names: Iterable[str]) -> None:
    """One ClapleakError for all networks, of some, that are unknown or whose weights are absent or other ones."""
    faults: list[str] = []
    for name in names:
        try:
            _contents(name)
        except ClapleakError as error:
            faults.append(str(error))
    if faults:
        raise ClapleakError("; ".join(faults))


def place(name: str) -> Path:
    """Where fetched weights of a network lie."""
    return output_root() / "build" / "weights" / NETWORKS[name].file


def weights_file(name: str) -> Path:
    """File of a network's weights: in build/weights/, else in an installed package. ClapleakError where it is not."""
    source = NETWORKS[name]
    package, _, inside = source.package.partition("/")
    spec = find_spec(package) if package else None
    places = [place(name)]
    places += [Path(place, inside, source.file) for place in (spec.submodule_search_locations if spec else ())]
    for path in places:
        if path.is_file():
            return path
    raise ClapleakError(f"{places[0]}: no such file; get the weights of {name} with `clapleak data fetch {name}`")
