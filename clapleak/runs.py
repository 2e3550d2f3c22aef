"""One run in order: sources -> clips -> experiment -> backbone -> model -> clouds -> measures -> Run.

The sources list a clip with its caption (`foley.clips.corpus`). `audio.decode` has its wave made or read, of which
`audio.segment_log_mel` makes the log-mel; captions pass the frozen layers once (`captions.open_captions`). The leak
filter (`leakage.filtered`) keeps or drops the pair, and `train.PairTraining` learns by `clap.contrastive_loss`. Test
clips: `embed.test_clouds`, `embed.measure`, `results.table`, and `book.tables.beside_paper` for a cell of Table 1.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from clapleak import results
from clapleak.config import ClapleakError, Profile, load_profile
from clapleak.files import output_root, say
from clapleak.setups import OTHER_NETWORKS, PRETRAININGS, Setup

if TYPE_CHECKING:  # torch is slow to import, and who reads a finished run needs none of it
    from pandas import DataFrame

    from clapleak.captions import Captions
    from clapleak.clipstore import ClipStore
    from clapleak.experiment import Experiment, Sources
    from clapleak.models import AudioEncoder, Clap, TextEncoder


@dataclass(frozen=True)
class Study:
    """What all runs of a profile share: its corpora, their decoded clips, the text encoder, embedded captions."""

    profile: Profile
    sources: Sources
    stores: dict[str | None, ClipStore]  # by network; None: the log-mel that the profile's own network learns from
    text: TextEncoder
    captions: Captions

    @property
    def store(self) -> ClipStore:
        """The clips, as the first of its pre-trainings needs them."""
        return next(iter(self.stores.values()))

    def experiment(self, setup: Setup, group: int | None, seed: int) -> Experiment:
        """What a setup learns from and is tested on; ClapleakError as `experiment.prepare`."""
        from clapleak import experiment

        store = self.stores[self.profile.network(setup.pretraining)]
        return experiment.prepare(self.sources, self.profile, setup, group, store, seed=seed)


def open_study(
    profile: Profile, pretrainings: Iterable[str] | None = None, *, groups: Iterable[int | None] = (),
    data_root: str | Path | None = None, allow_missing: bool = False, cores: int = 1,
) -> Study:  # fmt: skip
    """Read the corpora of a profile; decode their clips and embed their captions where that is not done yet.

    The real data lie below `data_root`, or CLAPLEAK_DATA; `cores` processes decode. Of a profile with `networks`, the
    clips pass those that stand for `pretrainings`, or all. ClapleakError for groups and weights that are not there
    before anything is decoded, and for clips that cannot be decoded, unless `allow_missing` lets the runs count them.
    """
    from clapleak import captions, clipstore, corpora, experiment, features, models, parallel
    from clapleak.models.networks import refuse_absent

    build, device = output_root() / "build" / profile.name, parallel.pick_device(profile.compute)
    sources = experiment.read_sources(profile, corpora.data_root(data_root))
    for group in groups:
        sources.refuse_group(group)
    wanted = list(pretrainings or (profile.networks.by_pretraining() if profile.networks else PRETRAININGS))
    if not profile.networks and (others := sorted({*OTHER_NETWORKS}.intersection(wanted))):
        raise ClapleakError(f"profile {profile.name}: no network {others[0]}; use --profile networks")
    names, parts = dict.fromkeys(map(profile.network, wanted)), sources.corpora()
    refuse_absent(name for name in names if name)
    if "dirty" in wanted and profile.pretrain.checkpoint:
        models.load_panns(Path(profile.pretrain.checkpoint), profile)
    with parallel.first_process_first():
        text = models.load_text_encoder(profile.text_encoder).to(device)
        stores = {}
        for name in names:
            if name is None:
                stores[name] = clipstore.open_store(parts, profile.audio, build / "store", cores=cores)
            else:
                learns = profile.networks.unfrozen
                place = output_root() / "build" / ("log_mel" if learns else "x_a") / name  # of all profiles
                stores[name] = features.open_features(parts, name, profile.audio, place, learns=learns, cores=cores)
            if not allow_missing:
                experiment.refuse_unusable(stores[name])
        texts = list(sources.pairs.table["text"])  # of all pairs, so that every setup shares them
        embedded = captions.open_captions(texts, text, profile.compute, build / "captions")
    return Study(profile, sources, stores, text, embedded)


def run(study: Study, setup: Setup, *, seed: int = 0, group: int | None = None) -> results.Run:
    """Train one setup, embed the test set, measure, and write the user's own results.

    What is there already with the same ids (see `clapleak.identity`) is not made again. A training that was killed goes
    on from its last epoch to equal numbers. ClapleakError as `experiment.prepare`, and for a loss that is not finite.
    """
    from clapleak import embed, parallel, train

    profile, prepared = study.profile, study.experiment(setup, group, seed)
    ids = prepared.ids(profile, seed)
    path = results.own_folder(profile.name) / setup.slug / results.run_name(seed, group)
    work = _work(profile, setup.slug, seed, group, ids["training"])
    with parallel.alone(work / "lock"):  # a second process waits, and then finds the run finished
        if parallel.agreed(results.finished(path, ids["measurement"])):
            say(f"{path}: kept from an earlier run; after a change of code raise FORMATS in clapleak/identity.py")
            return _drawn(results.read_run(path), profile)
        backbone = run_backbone(study, setup.pretraining, prepared, seed=seed, group=group)
        model, history = train.trained(
            profile, backbone, study.text, study.captions, prepared, work, ids["training"], seed=seed
        )
        clouds = embed.test_clouds(model, prepared, profile)
        numbers = results.header(profile, setup.pretraining, setup.training, seed, group, prepared.counts)
        numbers |= embed.measure(clouds, profile.measures)
        if profile.networks:  # thousands of runs: the first is shown, and x_a with the backbone
            clouds = {} if seed or group else {name: clouds[name] for name in clouds if name not in ("x_a", "x_t")}
        _write(path, profile, numbers, ids, history, clouds)
        return _drawn(results.read_run(path), profile)


def run_backbone(
    study: Study, pretraining: str, prepared: Experiment, *, seed: int = 0, group: int | None = None
) -> AudioEncoder:
    """The audio network of a setup, pre-trained where that is not done yet, with its own results.

    `prepared` may be the experiment of any setup with this pre-training.
    """
    from clapleak import embed, metrics, parallel, pretrain

    profile, ids, slug = study.profile, prepared.ids(study.profile, seed, backbone=True), f"backbone/{pretraining}"
    path = results.own_folder(profile.name) / slug / results.run_name(seed, group)
    work = _work(profile, slug, seed, group)
    kept = prepared.store.network is not None  # a network of others, which every run starts from alike
    shown = not (seed or group or profile.networks.unfrozen) if kept else pretraining != "none"
    with parallel.alone(work / "lock"):
        backbone, history = pretrain.pretrained(profile, pretraining, prepared, work, ids["backbone"], seed=seed)
        backbone.to(parallel.pick_device(profile.compute))
        if shown and not parallel.agreed(results.finished(path, ids["measurement"])):
            clouds = embed.backbone_clouds(backbone, study.text, prepared, profile)
            counts = {name: count for name, count in prepared.counts.items() if not name.startswith("pairs")}
            numbers = results.header(profile, pretraining, None, seed, group, counts)
            if prepared.tagging_test is not None and len(history):
                numbers["mean_average_precision"] = pretrain.mean_average_precision(backbone, prepared, profile)
            x_a, labels = clouds["x_a"], clouds["labels"].astype(int)
            numbers["silhouette"] = {"x_a": metrics.silhouette(x_a, labels)}
            if kept:
                numbers["centroid_accuracy"] = {"x_a": metrics.centroid_accuracy(x_a, labels, clouds["recordings"])}
                numbers["linear_probe"] = embed.linear_probes(prepared, study.sources.test)
            _write(path, profile, numbers, ids, history, clouds)
        if shown:
            _drawn(results.read_run(path), profile)
    return backbone


def _work(profile: Profile, slug: str, seed: int, group: int | None, training_id: str = "") -> Path:
    """Where the weights and the checkpoint of a run lie; with `networks`, groups that train alike share them."""
    name = f"{slug}/{results.run_name(seed, group)}"
    if profile.networks and training_id:
        name = f"trained/{slug.partition('-')[0]}/{training_id}"
    return output_root() / "build" / profile.name / name


def _write(path: Path, profile: Profile, metrics: dict, ids: dict, history: DataFrame, clouds: dict) -> None:
    from clapleak import parallel

    metrics |= {"ids": ids, "provenance": results.provenance(parallel.pick_device(profile.compute).type)}
    with parallel.first_process_first():
        if parallel.rank_and_size()[0] == 0:
            results.write_run(path, metrics, history, clouds)


def _drawn(run: results.Run, profile: Profile, *, always: bool = False) -> results.Run:
    """The run with its map, a slow picture that pages show of the first seed alone."""
    own = results.own_folder(run.profile) in run.path.parents
    wanted = own and run.has_clouds and (run.seed == 0 or always)
    perplexity = np.array(profile.measures.perplexity, np.float16)  # as `write_map` keeps it
    with suppress(ClapleakError):  # of a map that is absent or damaged
        if not wanted or run.map.get("perplexity", perplexity) == perplexity:
            return run
    from clapleak import embed, parallel

    if parallel.rank_and_size()[0] == 0:
        maps = {space: embed.tsne(run.embeddings[space], profile.measures.perplexity, run.seed) for space in run.spaces}
        results.write_map(run, {**maps, "perplexity": perplexity})
    return results.read_run(run.path)


def obtain(
    profile: Profile, setup: Setup, *, seed: int = 0, group: int | None = None, own: bool = False, train: bool = False,
    data_root: str | Path | None = None, allow_missing: bool = False,
) -> results.Run:  # fmt: skip
    """A finished run, as a page shows it; trained here only where there is none, or where `train` asks for it.

    With `own` the user's run comes before the published one; the rest is as for `open_study` and `run`.
    """
    if not train:
        with suppress(ClapleakError):  # absent or of another schema: it is made below
            kept = results.read_run(results.folder(profile.name, own=own) / setup.slug / results.run_name(seed, group))
            if kept.has_clouds:  # of most published runs the measures alone are kept
                return _drawn(kept, profile, always=True)
    study = open_study(profile, [setup.pretraining], data_root=data_root, allow_missing=allow_missing)
    return _drawn(run(study, setup, seed=seed, group=group), profile, always=True)


def weights(run: results.Run) -> Path:
    """The file that training leaves beside its results; it does not travel with them."""
    ids, slug = run.metrics["ids"], run.slug if run.training is not None else f"backbone/{run.slug}"
    return _work(load_profile(run.profile), slug, run.seed, run.group, ids["training"]) / "model.safetensors"


def load_trained(run: results.Run, file: Path | None = None) -> Clap:
    """The network that gave the results of a run, from `file` or what its training left; ClapleakError for another."""
    from clapleak import checkpoints, models, parallel

    training_id, profile = run.metrics["ids"]["training"], load_profile(run.profile)
    if profile.networks:
        raise ClapleakError(f"{run.path}: its audio encoder is a network of others; see clapleak.models.networks")
    if (kept := checkpoints.load_weights(file or weights(run), training_id)) is None:
        group = "" if run.group is None else f" --group {run.group}"
        remedy = f"`clapleak train --profile {run.profile} --setup {run.slug} --seed {run.seed}{group}`"
        raise ClapleakError(f"{file or weights(run)}: no weights of this very training; make them by {remedy}")
    backbone = models.Cnn14(profile.audio.mel_bins, len(kept[0]["audio.fc_audioset.bias"]), profile.audio_encoder)
    model = models.Clap(backbone, models.load_text_encoder(profile.text_encoder), profile)
    model.load_state_dict(kept[0], strict=False)
    return model.to(parallel.pick_device(profile.compute)).eval()
