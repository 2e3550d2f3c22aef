"""CNN14 of PANNs (Kong et al., 2020): log-mel to x_a, with its tagging head. Module names are the checkpoint's."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from clapleak.config import AudioEncoder, SpecAugment
from clapleak.torchaudio_guard import import_torchaudio

BLOCKS = 6


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
    """The audio backbone.

    Parameters
    ----------
    mel_bins : int
        M, bins of the log-mel.
    classes : int
        Outputs of the tagging head (AudioSet: 527).
    config : AudioEncoder
        `width` 64 is the paper's network: 64 to 2048 channels; `stem_stride` 1 is the paper's. Dropout, masks.
    """

    def __init__(self, mel_bins: int, classes: int, config: AudioEncoder) -> None:
        super().__init__()
        self.config = config
        widths = [1] + [config.width * 2**i for i in range(BLOCKS)]
        self.dim = widths[-1]  # of x_a
        self.bn0 = nn.BatchNorm2d(mel_bins)
        for i in range(BLOCKS):
            stride = config.stem_stride if i == 0 else 1
            setattr(self, f"conv_block{i + 1}", ConvBlock(widths[i], widths[i + 1], stride))
        self.fc1 = nn.Linear(self.dim, self.dim)
        self.fc_audioset = nn.Linear(self.dim, classes)
        for layer in (self.fc1, self.fc_audioset):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, x: Tensor) -> Tensor:
        """x_a, (B, dim), of log-mel batches, (B, 1, T, M)."""
        dropout = self.config.dropout
        x = self.bn0(x.transpose(1, 3)).transpose(1, 3)  # normalises each mel bin
        if self.training:
            x = spec_augment(x, self.config.spec_augment)
        x = x.contiguous(memory_format=torch.channels_last)
        for i in range(BLOCKS):
            last = i == BLOCKS - 1
            x = getattr(self, f"conv_block{i + 1}")(x, pool=1 if last else 2)  # (B, C, T / 2^i, M / 2^i)
            x = F.dropout(x, dropout, self.training)
        x = x.mean(dim=3)  # over mel: (B, C, T')
        x = x.amax(dim=2) + x.mean(dim=2)  # over time: (B, C)
        x = F.dropout(x, self.config.head_dropout, self.training)
        return F.relu(self.fc1(x))

    def tag(self, x_a: Tensor) -> Tensor:
        """Logits of the supervised head, (B, classes); their sigmoid is the presence of each class."""
        return self.fc_audioset(F.dropout(x_a, self.config.head_dropout, self.training))


def spec_augment(x: Tensor, config: SpecAugment) -> Tensor:
    """Mask stripes of time and of mel bins, each clip its own (Park et al., 2019): (B, 1, T, M) -> same."""
    mask = import_torchaudio().functional.mask_along_axis_iid
    for _ in range(config.time_stripes):
        x = mask(x, min(config.time_width, x.shape[2]), 0.0, axis=2)
    for _ in range(config.mel_stripes):
        x = mask(x, min(config.mel_width, x.shape[3]), 0.0, axis=3)
    return x
