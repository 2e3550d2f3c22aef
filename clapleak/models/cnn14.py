"""CNN14 of PANNs (Kong et al., 2020): log-mel to x_a, with its tagging head. Module names are the checkpoint's."""

import pickle
from itertools import pairwise
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from clapleak.audio import import_torchaudio, mel_filters
from clapleak.config import AudioEncoder, ClapleakError, Profile, SpecAugment


class ConvBlock(nn.Module):
    """Two times 3x3 convolution, batch norm, ReLU; then average pooling."""

    def __init__(self, channels_in: int, channels_out: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels_in, channels_out, 3, stride, padding=1, bias=False)
        self.conv2 = nn.Conv2d(channels_out, channels_out, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels_out)
        self.bn2 = nn.BatchNorm2d(channels_out)
        nn.init.xavier_uniform_(self.conv1.weight)
        nn.init.xavier_uniform_(self.conv2.weight)

    def forward(self, x: Tensor, pool: int) -> Tensor:
        x = F.relu_(self.bn1(self.conv1(x)))
        x = F.relu_(self.bn2(self.conv2(x)))
        return F.avg_pool2d(x, pool) if pool > 1 else x


class Cnn14(nn.Module):
    """The audio backbone, for log-mel of M `mel_bins`, with a tagging head of as many `classes` (AudioSet: 527).

    The paper's network has `width` 64, six `blocks` (64 to 2048 channels) and `stem_stride` 1.
    """

    def __init__(self, mel_bins: int, classes: int, config: AudioEncoder) -> None:
        super().__init__()
        self.config = config
        widths = [1] + [config.width * 2**i for i in range(config.blocks)]
        self.dim = widths[-1]  # of x_a
        self.bn0 = nn.BatchNorm2d(mel_bins)
        for i, (before, after) in enumerate(pairwise(widths), start=1):
            setattr(self, f"conv_block{i}", ConvBlock(before, after, stride=config.stem_stride if i == 1 else 1))
        self.fc1 = nn.Linear(self.dim, self.dim)
        self.fc_audioset = nn.Linear(self.dim, classes)
        for layer in (self.fc1, self.fc_audioset):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, x: Tensor) -> Tensor:
        """x_a, (B, dim), of log-mel batches, (B, 1, T, M)."""
        x = self.bn0(x.transpose(1, 3))  # normalises each mel bin: (B, M, T, 1)
        if self.training:
            x = spec_augment(x, self.config.spec_augment)
        x = x.transpose(1, 3).contiguous(memory_format=torch.channels_last)
        for i in range(1, self.config.blocks + 1):
            x = getattr(self, f"conv_block{i}")(x, pool=2 if i < self.config.blocks else 1)  # (B, C, T / 2^i, M / 2^i)
            x = F.dropout(x, self.config.dropout, self.training)
        x = x.mean(dim=3)  # over mel: (B, C, T')
        x = x.amax(dim=2) + x.mean(dim=2)  # over time: (B, C)
        x = F.dropout(x, self.config.head_dropout, self.training)
        return F.relu(self.fc1(x))

    def tag(self, x_a: Tensor) -> Tensor:
        """Logits of the supervised head, (B, classes); their sigmoid is the presence of each class."""
        return self.fc_audioset(F.dropout(x_a, self.config.head_dropout, self.training))


def spec_augment(x: Tensor, config: SpecAugment) -> Tensor:
    """Mask stripes of time and of mel bins, each clip its own (Park et al., 2019): (B, M, T, 1) -> same."""
    mask = import_torchaudio().functional.mask_along_axis_iid
    frames, bins = x.new_ones(len(x), 1, x.shape[2], 1), x.new_ones(len(x), 1, 1, x.shape[1])
    for _ in range(config.time_stripes):
        frames = mask(frames, min(config.time_width, x.shape[2]), 0.0, axis=2)
    for _ in range(config.mel_stripes):
        bins = mask(bins, min(config.mel_width, x.shape[1]), 0.0, axis=3)
    return x.masked_fill(frames * bins.transpose(1, 3) == 0, 0.0)


def load_panns(path: Path, profile: Profile) -> Cnn14:
    """The backbone with the weights of a published PANNs checkpoint (`Cnn14_mAP=0.431.pth` or its like).

    The file also holds the mel filters that it was trained with, at 32 kHz. Where `audio.keep_checkpoint_frontend` says
    that the profile uses those, its own settings must give the same. ClapleakError where they do not, where there is no
    such file or it is no checkpoint, and for keys that are missing, unknown or of another shape (three are named).
    """
    if not path.is_file():
        raise ClapleakError(f"{path}: no such file; see pretrain.checkpoint, or `clapleak data fetch panns`")
    try:
        state = dict(torch.load(path, map_location="cpu", weights_only=True)["model"])
    except (pickle.UnpicklingError, RuntimeError, EOFError, LookupError, TypeError, ValueError) as error:
        raise ClapleakError(f"{path}: not a PANNs checkpoint (a dict with the key 'model'); fetch it again") from error
    filters = state.get("logmel_extractor.melW")
    state = {k: v for k, v in state.items() if not k.startswith(("spectrogram_extractor.", "logmel_extractor."))}
    backbone = Cnn14(profile.audio.mel_bins, len(state.get("fc_audioset.bias", range(527))), profile.audio_encoder)
    shapes = {key: value.shape for key, value in backbone.state_dict().items()}
    fitting = {k: v for k, v in state.items() if k in shapes and getattr(v, "shape", None) == shapes[k]}
    missing, _ = backbone.load_state_dict(fitting, strict=False)
    if wrong := sorted({*missing, *state} - {*fitting}):
        fault = f"{len(wrong)} keys are missing, unknown or of another shape, such as {', '.join(wrong[:3])}"
        remedy = "audio_encoder.width, blocks and stem_stride must be 64, 6 and 1 for PANNs' Cnn14"
        raise ClapleakError(f"{path}: {fault}; {remedy}")
    if profile.audio.keep_checkpoint_frontend:
        ours = mel_filters(profile.audio)
        if filters is None or filters.shape != ours.shape or not torch.allclose(filters, ours, atol=1e-6):
            remedy = "set these to 1024, 64, 50 and 14000, or audio.keep_checkpoint_frontend to false"
            fault = "its mel filters are not those of audio.window, mel_bins, f_min and f_max at 32 kHz"
            raise ClapleakError(f"{path}: {fault}; {remedy}")
    return backbone
