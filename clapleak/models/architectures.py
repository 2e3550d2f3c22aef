"""Architectures and front ends of audio encoders that others trained (not in the paper); `networks` loads them."""

from abc import ABC, abstractmethod

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from clapleak.audio import import_torchaudio
from clapleak.models.cnn14 import ConvBlock


class Network(nn.Module, ABC):
    """An audio encoder in two steps: samples to what it looks at, and from there to x_a."""

    rate: int  # hertz
    dim: int  # of x_a
    bands: int  # M of the log-mel
    excerpt: int  # frames, or samples, that the network learns from at a visit where it is not frozen

    @abstractmethod
    def front_end(self, wave: Tensor) -> Tensor:
        """(n,) samples in [-1, 1] at `rate`, at least 2.4 s -> (T, M) log-mel, or (T, 1) samples."""

    @abstractmethod
    def forward(self, x: Tensor) -> Tensor:
        """x_a, (B, dim), of a batch as the front end gives it, (B, 1, T, M)."""


class YamNet(Network):
    """MobileNet v1 over patches of 0.96 s, half of which overlap (Plakal and Ellis, 2020); x_a is the mean over them.

    `fc_audioset` gives the logits of AudioSet's 521 classes from the embedding of one patch.
    """

    rate, dim, bands, excerpt = 16000, 1024, 64, 96
    blocks = ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 5, (1024, 2), (1024, 1))

    def __init__(self) -> None:
        super().__init__()
        layers, channels = [nn.Conv2d(1, 32, 3, stride=2)], 32
        for wider, stride in self.blocks:  # depthwise, then pointwise
            layers += [nn.Conv2d(channels, channels, 3, stride, groups=channels), nn.Conv2d(channels, wider, 1)]
            channels = wider
        self.fc_audioset = nn.Linear(self.dim, 521)  # before the layers: random weights are drawn in this order
        self.layers = nn.ModuleList(layers)

    def front_end(self, wave: Tensor) -> Tensor:
        frames = wave.unfold(0, 400, 160) * torch.hann_window(400)
        magnitude = torch.fft.rfft(frames, 512).abs()
        return torch.log(magnitude @ mel_triangles(512, self.rate, 64, 125.0, 7500.0) + 0.001)

    def forward(self, x: Tensor) -> Tensor:
        y = x.unfold(2, 96, 48)  # (B, 1, P, M, 96)
        y = y.permute(0, 2, 1, 4, 3).flatten(0, 1)  # (B P, 1, 96, M)
        for layer in self.layers:
            if layer.kernel_size == (3, 3):  # TensorFlow's "same": the odd one goes behind
                y = F.pad(y, (0, 1, 0, 1) if layer.stride == (2, 2) else (1, 1, 1, 1))
            y = F.relu(layer(y))
        return y.mean((2, 3)).unflatten(0, (len(x), -1)).mean(1)  # embeddings of patches, (B, P, dim), and their mean


class ByolA(Network):
    """AudioNTT2020 with 512 dimensions: three convolutions, two dense layers, maximum plus mean over time.

    Niizumi et al., "BYOL for Audio" (2021).
    """

    rate, dim, bands, excerpt = 16000, 512, 64, 96
    mean, deviation = -5.4919195, 5.0389895  # of log-mel, as published with the weights

    def __init__(self) -> None:
        super().__init__()
        convolutions = []
        for channels in (1, 64, 64):
            convolutions += [nn.Conv2d(channels, 64, 3, padding=1), nn.BatchNorm2d(64), nn.ReLU(), nn.MaxPool2d(2)]
        self.features = nn.Sequential(*convolutions)
        dense = [nn.Linear(self.dim, self.dim), nn.ReLU(), nn.Dropout(0.3), nn.Linear(self.dim, self.dim), nn.ReLU()]
        self.fc = nn.Sequential(*dense)

    def front_end(self, wave: Tensor) -> Tensor:
        spectrum = torch.stft(wave, 1024, 160, window=torch.hann_window(1024), return_complex=True)
        fbanks = import_torchaudio().functional.melscale_fbanks
        power = spectrum.abs().square().T @ fbanks(513, 60.0, 7800.0, 64, self.rate, "slaney", "slaney")
        return ((power + torch.finfo(torch.float32).eps).log() - self.mean) / self.deviation

    def forward(self, x: Tensor) -> Tensor:
        y = self.features(x.transpose(2, 3))  # (B, 64, M / 8, T / 8)
        y = self.fc(y.permute(0, 3, 2, 1).flatten(2))  # (B, T / 8, dim)
        return y.amax(1) + y.mean(1)


class SoundNet(Network):
    """Seven convolutions over samples (Aytar et al., 2016); x_a joins the means over time of the fifth and seventh."""

    rate, dim, bands, excerpt = 22050, 1280, 1, 52920
    shapes = ((16, 64, 8), (32, 32, 8), (64, 16, 1), (128, 8, 1), (256, 4, 4), (512, 4, 1), (1024, 4, 1))

    def __init__(self) -> None:
        super().__init__()
        self.convolutions, self.norms, channels = nn.ModuleList(), nn.ModuleList(), 1
        for wider, kernel, _ in self.shapes:
            self.convolutions.append(nn.Conv1d(channels, wider, kernel, stride=2, padding=kernel // 2))
            self.norms.append(nn.BatchNorm1d(wider))
            channels = wider

    def front_end(self, wave: Tensor) -> Tensor:
        return 256 * wave[:, None]

    def forward(self, x: Tensor) -> Tensor:
        y, means = x.flatten(1)[:, None], []
        for convolution, norm, (*_, pool) in zip(self.convolutions, self.norms, self.shapes, strict=True):
            y = F.relu(norm(convolution(y)))
            means.append(y.mean(2))
            y = F.max_pool1d(y, pool) if pool > 1 else y
        return torch.cat([means[4], means[6]], 1)


class AiSfx(Network):
    """Eight convolutions over patches of 2.3 s (Ma and Lerch, ISMIR 2022).

    Its front end is Essentia's, written again after the documentation, so it may lose a little.
    """

    rate, dim, bands, excerpt = 44100, 512, 96, 100

    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(map(ConvBlock, (1, 64, 128, 256), (64, 128, 256, 512)))

    def front_end(self, wave: Tensor) -> Tensor:
        window = torch.hann_window(2048, periodic=False)
        spectrum = torch.stft(wave, 2048, 1024, window=window, pad_mode="constant", return_complex=True)
        mel = mel_triangles(2048, self.rate, 96, 0.0, 22050.0)
        mel = mel / mel.sum(0)  # bands of unit sum
        return torch.log10(1 + 10000 * spectrum.abs().square().T @ mel) / 9.457798957824707  # to about 0..1

    def forward(self, x: Tensor) -> Tensor:
        y = x.unfold(2, 100, 50)  # (B, 1, P, M, 100)
        y = y.permute(0, 2, 1, 4, 3).flatten(0, 1)  # (B P, 1, 100, M)
        for i, block in enumerate(self.blocks):
            y = block(y, pool=1)
            y = F.max_pool2d(y, 2) if i < 3 else y
        return y.mean(3).amax(2).unflatten(0, (len(x), -1)).mean(1)


def mel_triangles(window: int, rate: int, bands: int, f_min: float, f_max: float) -> Tensor:
    """Filters (window // 2 + 1, bands) whose flanks are straight on the mel scale, 1127 ln(1 + f / 700)."""

    def mel(hertz: np.ndarray) -> np.ndarray:
        return 1127 * np.log1p(np.asarray(hertz) / 700)

    edges = np.linspace(mel(f_min), mel(f_max), bands + 2)
    bins = mel(np.linspace(0, rate / 2, window // 2 + 1))[:, None]
    rising = (bins - edges[:-2]) / np.diff(edges)[:-1]
    falling = (edges[2:] - bins) / np.diff(edges)[1:]
    return torch.from_numpy(np.clip(np.minimum(rising, falling), 0, None).astype(np.float32))
