"""Fetching the corpora, against a server on this machine that cuts, lies and stumbles, and archives that attack."""

import csv
import hashlib
import io
import multiprocessing
import os
import re
import shutil
import signal
import stat
import subprocess
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import click.testing
import pytest
from helpers import call, files

from clapleak.cli import main
from clapleak.config import ClapleakError

download = pytest.importorskip("clapleak.fetch.download", reason="the extra [data] is not installed")
py7zr = pytest.importorskip("py7zr")
BODY = os.urandom(300_000)  # larger than what one network packet or one block holds


class Site:
    """Files of a server on 127.0.0.1, what it does wrong with each, and the Range of every GET that it saw."""

    def __init__(self, table: Path) -> None:
        self.table, self.rows = table, []
        self.files: dict[str, bytes] = {}
        self.faults: dict[str, list] = {}  # taken one a GET, from the left
        self.seen: list[tuple[str, str | None]] = []
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"site": self}))
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def publish(self, file, body, target="T", inside="", *, corpus="x", md5=True, faults=()) -> None:
        """Put a file on the server and into the table of downloads."""
        self.files[file], self.faults[file] = body, [*faults]
        url, digest = f"http://127.0.0.1:{self.server.server_port}/{file}", hashlib.md5(body).hexdigest() if md5 else ""
        self.rows.append([corpus, file, url, digest, "", target, inside, f"licence of {corpus}"])
        with self.table.open("w", newline="") as table:
            csv.writer(table).writerows([download.Download._fields, *self.rows])

    def got(self, name: str) -> list[str | None]:
        return [span for file, span in self.seen if file == name]

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version, site = "HTTP/1.1", None

    def log_message(self, *_: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self.answer(self.site.files[self.path[1:]], 200, {})

    def do_GET(self) -> None:
        name, span = self.path[1:], self.headers.get("Range")
        self.site.seen.append((name, span))
        body, faults = self.site.files[name], self.site.faults.get(name)
        fault = faults.pop(0) if faults else None
        start = int(span[6:-1]) if span and fault != "no range" else 0
        if isinstance(fault, int):
            self.answer(b"sorry", fault, {"Retry-After": "7"} if fault == 429 else {})
        elif fault == "page":
            self.answer(b"<html>log in", 200, {"Content-Type": "text/html; charset=utf-8"})
        elif start >= len(body):
            self.answer(b"", 416, {"Content-Range": f"bytes */{len(body)}"})
        elif fault == "lie":
            self.answer(bytes(len(body)), 200, {})
        elif start:
            start = 1 if fault == "shifted" else start
            headers = {"Content-Range": f"bytes {start}-{len(body) - 1}/{len(body)}"}
            self.answer(body[start:], 206, headers, fault)
        else:
            self.answer(body, 200, {}, fault)

    def answer(self, body: bytes, status: int, headers: dict[str, str], fault: str | None = None) -> None:
        if fault != "no length":
            headers["Content-Length"] = "many" if fault == "odd length" else str(len(body))
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body[: {"cut": len(body) // 2, "empty": 0}.get(fault)])
        self.close_connection = True


@pytest.fixture
def site(tmp_path, monkeypatch):
    made = Site(tmp_path / "table.csv")
    monkeypatch.setattr(download, "TABLE", made.table)
    monkeypatch.setattr(download, "PAUSES", (0, 0, 0))
    yield made
    made.close()


@pytest.fixture
def root(tmp_path) -> Path:
    return tmp_path / "data"


def fetch(root: Path, name: str = "x") -> str:
    """What the command does once the licence is accepted; gives the plan that it shows before."""
    plan = download.plan(name, root)
    download.fetch(name, root)
    return plan


def refused(root: Path, name: str = "x") -> str:
    with pytest.raises(ClapleakError, match=r"\A[^\n]*\Z") as error:
        fetch(root, name)
    return str(error.value)


def put(path: Path, body: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(body)
    return path


def holes(body: bytes) -> bytes:
    return body[:2000] + bytes(500) + body[2500:]


def zipped(members: dict[str, bytes], *special: tuple[str, int]) -> bytes:
    """A zip with these members, and special ones as (name, file mode)."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, body in members.items():
            archive.writestr(name, body)
        for name, mode in special:
            info = zipfile.ZipInfo(name)
            info.external_attr = mode << 16
            archive.writestr(info, "/etc/passwd")
    return buffer.getvalue()


def test_table_has_the_published_addresses_and_sums_and_leads_into_the_official_layouts(real_data):
    with (real_data / "downloads.csv").open(newline="") as file:
        published = {(row["file"], row["url"], row["md5"]) for row in csv.DictReader(file)}
    fsd50k = {f"FSD50K/FSD50K.{part}" for part in ("dev_audio", "eval_audio", "ground_truth", "metadata", "doc")}
    clotho = {f"CLOTHO_v2.1/clotho_audio_files/{split}" for split in ("development", "validation", "evaluation")}
    for name, targets in {
        "esc50": {"ESC-50"}, "clotho": {"CLOTHO_v2.1/clotho_csv_files"} | clotho, "fsd50k": fsd50k, "audioset": set(),
        "audiocaps": {"AUDIOCAPS/csv_files_v1"}, "macs": {"MACS", "MACS/audio"}, "panns": {"PANNs"},
    }.items():  # fmt: skip
        jobs = download.jobs(name)
        items = [item for job in jobs for item in job]
        assert {item.target for item in items} == targets and all(item.licence for item in items)
        if name == "esc50":  # published as a branch that moves: ours is one of its commits
            (item,) = items
            commit = re.fullmatch(r"https://github.com/karolpiczak/ESC-50/archive/([0-9a-f]{40}).zip", item.url)[1]
            assert item.inside == f"ESC-50-{commit}"
        else:
            assert {(item.file, item.url, item.md5) for item in items} <= published
        for job in jobs:  # the volumes of an archive together, the last one closing it
            assert [Path(item.file).suffix for item in job[:-1]] == [f".z{i:02}" for i in range(1, len(job))]


# --- downloads


@pytest.mark.parametrize(
    ("faults", "have", "requests"),
    [(["cut"], 0, 2), (["cut"] * 7, 0, 8),  # more cuts than there are pauses, but each brings half of the rest
     (["cut", "no range"], 0, 2), (["cut", "shifted"], 0, 3), (["odd length"], 0, 1), (["no length"], 0, 1),
     ([404, 503], 0, 3), ([], 1000, 1), ([], len(BODY), 1), ([], len(BODY) + 5, 2)],  # with the part of an earlier call
)  # fmt: skip
def test_a_download_goes_on_and_ends_well_in_spite_of(site, root, faults, have, requests):
    site.publish("a.bin", BODY, faults=faults)
    put(root / "T" / "a.bin.part", (BODY + bytes(5))[:have])
    fetch(root)
    assert files(root / "T") == {"a.bin": BODY}
    first, *later = site.got("a.bin")
    assert first == (f"bytes={have}-" if have else None) and len(later) == requests - 1
    assert all(span is None or 0 < int(span[6:-1]) < len(BODY) for span in later)


@pytest.mark.parametrize(
    ("faults", "md5", "message", "kept"),
    [(["lie"], True, "a.bin: md5.*deleted", False), (["page"], False, "a.bin: a web page", False),
     ([404] * 20, True, "a.bin: 404", False), (["cut", "empty", "empty", "empty"], True, "is kept", True)],
)  # fmt: skip
def test_what_is_not_the_file_is_refused_and_comes_at_the_next_call(site, root, faults, md5, message, kept):
    site.publish("a.bin", BODY, md5=md5, faults=faults)
    with pytest.raises(ClapleakError, match=message):
        fetch(root)
    assert set(files(root)) == ({"T/a.bin.part"} if kept else set()) and len(site.got("a.bin")) <= 4
    site.faults.clear()
    fetch(root)
    assert files(root / "T") == {"a.bin": BODY} and bool(site.got("a.bin")[-1]) == kept  # goes on with what was kept


def test_without_a_published_sum_the_first_fetch_is_what_later_ones_are_compared_with(site, root):
    site.publish("a.csv", BODY, md5=False)
    fetch(root)
    (root / "T" / "a.csv").unlink()
    site.files["a.csv"] = BODY[::-1]
    assert "sha256" in refused(root) and not files(root / "T")
    site.publish("b.zip", holes(zipped({"in/a.wav": BODY})), corpus="y", md5=False, faults=["no length"])
    assert "zip" in refused(root, "y")


def test_licence_size_and_room_come_before_anything_is_fetched_or_unpacked(site, root, monkeypatch):
    body, usage = zipped({"in/a.wav": os.urandom(5_000_000)}), shutil.disk_usage("/")
    site.publish("a.zip", body, inside="in")
    plan = download.plan("x", root)
    assert all(word in plan for word in ("licence of x", "1 file", "0.005 GB to", "0.010 GB with what is unpacked"))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=2 * len(body) - 1))
    assert "GB are free" in refused(root) and site.got("a.zip") == [] and not root.exists()


def test_a_second_call_asks_nobody_and_only_what_was_taken_away_comes_back(site, root):
    site.publish("a.zip", zipped({"in/a.wav": BODY, "in/sub/b.wav": b"b"}), inside="in")
    site.publish("b.csv", b"1,2", target="U", md5=False)
    put(root / "checksums.json", b'{"x/a.zip": {"unpacked": 0}}')  # nothing is there
    fetch(root)
    before, site.seen[:] = {p: p.stat().st_mtime_ns for p in root.rglob("*")}, []
    assert fetch(root) == ""  # nothing to agree to
    assert {p: p.stat().st_mtime_ns for p in root.rglob("*")} == before and site.seen == []
    (root / "T" / "a.wav").unlink()
    fetch(root)
    assert files(root / "T") == {"a.wav": BODY, "sub/b.wav": b"b"} and site.got("a.zip") == []  # from the archive
    shutil.rmtree(root / "downloads")  # room is wanted back
    assert fetch(root) == "" and site.got("a.zip") == []
    put(root / "U" / "b.csv", b"mine")  # by hand
    assert "move it away" in refused(root) and (root / "U" / "b.csv").read_bytes() == b"mine"


def test_user_errors_are_one_line(site, root):
    site.publish("a.bin", BODY)
    for noted in ('{"unpacked": "x"}', '{"unpacked": null}', '{"unpacked": -1}', "3", "[" * 100_000):
        put(root / "checksums.json", f'{{"x/a.bin": {noted}}}'.encode())
        assert "checksums.json: damaged" in refused(root)
    (root / "checksums.json").unlink()
    site.close()
    assert "is there a network?" in refused(root)


# --- archives

LINK, DEVICE, PIPE, FILE = stat.S_IFLNK | 0o777, stat.S_IFBLK | 0o600, stat.S_IFIFO | 0o600, 0o100644


def seven(folder: Path, members: dict[str, bytes], link: str = "") -> bytes:
    """A 7z with these members, whatever their names."""
    with pytest.MonkeyPatch.context() as patch, py7zr.SevenZipFile(folder / "made.7z", "w") as archive:
        patch.setattr(py7zr.py7zr, "check_archive_path", lambda _: True)
        if link:
            (folder / "link").symlink_to("/etc/passwd")
            archive.write(folder / "link", link)
        for name, body in members.items():
            archive.writestr(body, name)
    return (folder / "made.7z").read_bytes()


GOOD, UNSAFE, BLOCKED, OUTSIDE = {"in/a.wav": BODY}, "unsafe member", "cannot be unpacked", "/tmp/clapleak-evil"
BAD = [  # ending, what makes the archive in a folder, message
    *((".zip", lambda _, member=member: zipped(GOOD, member), UNSAFE) for member in [
        ("../evil", FILE), ("in/../../evil", FILE), (OUTSIDE, FILE), ("..\\evil", FILE), ("C:\\evil", FILE),
        ("in/link", LINK), ("link/", LINK), ("in/device", DEVICE), ("in/pipe", PIPE)]),
    *((".7z", lambda folder, name=name: seven(folder, GOOD | {name: b""}), UNSAFE) for name in ("../evil", OUTSIDE)),
    (".7z", lambda folder: seven(folder, GOOD, link="in/link"), UNSAFE),
    (".zip", lambda _: zipped({"elsewhere/a.wav": BODY}), "no files in in/"),
    (".zip", lambda _: zipped({"in/a": b"a", "in/a/b": b"b"}), BLOCKED),
    (".zip", lambda _: zipped({f"in/{'a' * 300}": b"a"}), BLOCKED),
    (".zip", lambda _: holes(zipped(GOOD)), "damaged"), (".zip", lambda _: BODY, "damaged"),
    (".7z", lambda folder: holes(seven(folder, GOOD)), "damaged"), (".7z", lambda _: BODY, "damaged"),
]  # fmt: skip


@pytest.mark.parametrize(("ending", "make", "message"), BAD)
def test_an_archive_that_attacks_or_is_damaged_writes_nothing(site, root, tmp_path, ending, make, message):
    site.publish(f"a{ending}", make(tmp_path), inside="in")
    line = refused(root)
    assert f"a{ending}" in line and message in line
    assert set(files(root)) == {f"downloads/a{ending}", "checksums.json"} and not (root / "T").exists()
    assert not list(root.parent.glob("evil*")) and not Path(OUTSIDE).exists()


@pytest.mark.skipif(not shutil.which("zip"), reason="Info-ZIP, which makes the archive in several volumes, is absent")
def test_a_zip_in_several_volumes_and_a_7z_give_every_clip_of_one_folder(site, root, tmp_path):
    clips = {f"{i}.wav": os.urandom(9000 + i) for i in range(40)}
    for file, body in {**clips, "../other/x": b"x"}.items():
        put(tmp_path / "in" / file, body)
    subprocess.run(["zip", "-q", "-r", "-s", "64k", "made.zip", "in", "other"], cwd=tmp_path, check=True)
    volumes = sorted(tmp_path.glob("made.z*"))
    assert len(volumes) == 6 and volumes[-1].suffix == ".zip"
    for path in volumes:
        site.publish(path.name, path.read_bytes(), inside="in")
    site.publish("other.7z", seven(tmp_path, {"in/a b.wav": BODY, "other/x": b"x"}), "U", "in")
    fetch(root)
    assert files(root / "T") == clips and files(root / "U") == {"a b.wav": BODY}
    for wrong in (volumes[1:], volumes[:-1], [volumes[1], volumes[0], *volumes[2:]]):  # one lacks; in the wrong order
        with pytest.raises(ClapleakError, match="damaged"):
            download.unpack(wrong, "in", tmp_path / "wrong")
        assert not (tmp_path / "wrong").exists()


@pytest.mark.parametrize("name", ["../evil", OUTSIDE, "C:\\evil"])
def test_a_zip_in_several_volumes_that_attacks_writes_nothing(tmp_path, name):
    body = b"PK\7\10" + zipped(GOOD | {name: b""})
    volumes = [put(tmp_path / "a.z01", body[:99_999]), put(tmp_path / "a.zip", body[99_999:])]
    with pytest.raises(ClapleakError, match=UNSAFE):
        download.unpack(volumes, "in", tmp_path / "out")
    assert set(files(tmp_path)) == {"a.z01", "a.zip"} and not Path(OUTSIDE).exists()


def test_macs_takes_only_the_listed_clips_out_of_several_archives(site, root, capsys):
    inside, entry = "TAU-urban-acoustic-scenes-2019-development/audio", b"- {filename: %c.wav, annotations: [%s]}\n"
    listed = b"".join(entry % (letter, b"{sentence: rain, tags: []}") for letter in b"ace")
    site.publish("MACS.yaml", b"files:\n" + listed, "MACS", corpus="macs")
    for number, names in enumerate(("ab", "cd", "f")):  # the last holds none of them
        members = {f"{inside}/{name}.wav": name.encode() for name in names}
        site.publish(f"TAU.audio.{number}.zip", zipped(members), "MACS/audio", inside, corpus="macs")
    fetch(root, "macs")
    assert files(root / "MACS" / "audio") == {"a.wav": b"a", "c.wav": b"c"}
    assert "2 of 3 listed clips" in capsys.readouterr().err and fetch(root, "macs") == ""


def test_killed_while_unpacking_it_leaves_no_half_folder_and_goes_on(site, root, monkeypatch):
    site.publish("a.zip", zipped({f"in/{i}": b"%d" % i for i in range(20)}), inside="in")
    whole, kill = zipfile.ZipFile.extractall, lambda *_: os.kill(os.getpid(), signal.SIGKILL)
    with monkeypatch.context() as patch:
        patch.setattr(zipfile.ZipFile, "extractall", lambda self, to, names: kill(whole(self, to, names[:10])))
        child = multiprocessing.get_context("fork").Process(target=download.fetch, args=("x", root))
        child.start()
        child.join(60)
    assert child.exitcode == -signal.SIGKILL and not (root / "T").exists() and len(files(root / ".T.unpacking")) == 10
    fetch(root)
    assert files(root / "T") == {f"{i}": b"%d" % i for i in range(20)} and len(site.got("a.zip")) == 1
    assert {p.name for p in root.iterdir()} == {"T", "downloads", "checksums.json"}


# --- the command


@pytest.mark.parametrize(
    ("words", "terminal", "answer", "code", "fetched"),
    [([], False, "y", 2, False), (["--yes"], False, "", 0, True), ([], True, "n", 0, False), ([], True, "y", 0, True)],
)
def test_the_licence_must_be_accepted(site, root, monkeypatch, words, terminal, answer, code, fetched):
    site.publish("a.bin", BODY)
    monkeypatch.setattr(click.testing._NamedTextIOWrapper, "isatty", lambda _: terminal, raising=False)
    words = ["data", "fetch", "x", "--data-root", str(root), *words]
    done = click.testing.CliRunner().invoke(main, words, input=answer)
    assert done.exit_code == code and "licence of x" in done.output and ("--yes" in done.output) == (code == 2)
    assert set(files(root)) == ({"checksums.json", "T/a.bin"} if fetched else set())
    assert "segment lists" in call("data", "fetch", "audioset", "--data-root", root).output  # a guide, no download
