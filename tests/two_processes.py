"""A script for torchrun: loss and gradients of one batch, split over the processes; the first one saves them.

Before that all of them wait for a lock that another training holds for a while.
"""

import sys
import threading
import time
from pathlib import Path

import numpy as np
import torch

from clapleak.config import load_profile
from clapleak.files import locked
from clapleak.models import Clap, contrastive_loss, load_text_encoder
from clapleak.parallel import alone, average_gradients, gather, pick_device, rank_and_size
from clapleak.pretrain import new_backbone

BATCH = 128

profile = load_profile("smoke")
pick_device(profile.compute)  # joins the processes
rank, size = rank_and_size()
lock, held, free = Path(sys.argv[1]).with_suffix(".lock"), threading.Event(), Path(sys.argv[1]).with_suffix(".free")


def other_training() -> None:
    with locked(lock):
        held.set()
        time.sleep(0.5)
        free.touch()


if rank == 0:
    threading.Thread(target=other_training).start()
    held.wait()
with alone(lock):
    assert free.exists(), f"process {rank} did not wait"
torch.manual_seed(0)
model = Clap(new_backbone(profile, 0), load_text_encoder(profile.text_encoder), profile).eval()
log_mel = torch.randn(BATCH, 1, 64, 64)
words = ["dog", "rain", "sea", "clock", "wind", "cat", "bell", "hen"]
texts = [f"{words[i % 8]} and {words[i // 8 % 8]} {i}" for i in range(BATCH)]
mine = np.arange(BATCH)[rank::size]
E_a = gather(model.audio_projection(model.audio(log_mel[mine])))
E_t = gather(model.text_projection(model.text([texts[i] for i in mine])))
loss = contrastive_loss(E_a, E_t, model.logit_scale)
loss.backward()
parameters = [p for p in model.parameters() if p.requires_grad]
average_gradients(parameters)
if rank == 0:
    gradients = torch.cat([p.grad.flatten() for p in parameters])
    torch.save({"loss": loss.detach(), "gradients": gradients, "size": size}, sys.argv[1])
