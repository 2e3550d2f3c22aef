"""Fetching the corpora, against a server on this machine that cuts, lies and stumbles, and archives that attack."""

import csv
import hashlib
import io
import os
import pty
import shutil
import signal
import stat
import subprocess
import sys
import threading
import zipfile
from collections import defaultdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from click.testing import CliRunner

from clapleak.cli import main
from clapleak.config import ClapleakError
from clapleak.datasets import download
from clapleak.datasets.unpack import unpack

pytest.importorskip("requests", reason="requests (extra data) is not installed")
BODY = os.urandom(300_000)  # larger than what one network packet or one block holds


class Site:
    """Files of a server on 127.0.0.1, what it does wrong with each, and the requests that it saw."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.faults: dict[str, list] = defaultdict(list)  # taken one a GET, from the left
        self.seen: list[tuple[str, str, str | None]] = []
        site = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: object) -> None:
                pass

            def do_HEAD(self) -> None:
                site.seen.append(("HEAD", self.path[1:], None))
                self.answer(200, site.files[self.path[1:]], {})

            def do_GET(self) -> None:
                name, span = self.path[1:], self.headers.get("Range")
                site.seen.append(("GET", name, span))
                body, fault = site.files[name], (site.faults[name] or [None]).pop(0)
                start = int(span[6:-1]) if span and fault != "no range" else 0
                if isinstance(fault, int):
                    return self.answer(fault, b"sorry", {"Retry-After": "7"} if fault == 429 else {})
                if fault == "page":
                    return self.answer(200, b"<html>log in", {"Content-Type": "text/html; charset=utf-8"})
                if fault == "lie":
                    body = bytes(len(body))
                if start >= len(body) and body:
                    return self.answer(416, b"", {"Content-Range": f"bytes */{len(body)}"})
                if fault == "shifted":
                    start = 1
                place = f"bytes {start}-{len(body) - 1}/{len(body)}"
                ranged = span and fault != "no range"
                self.answer(206 if ranged else 200, body[start:], {"Content-Range": place} if ranged else {}, fault)

            def answer(self, status: int, body: bytes, headers: dict, fault: object = None) -> None:
                self.send_response(status)
                for key, value in headers.items():
                    self.send_header(key, value)
                if fault != "no length":
                    self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body[: {"cut": len(body) // 2, "empty": 0}.get(str(fault))])
                self.close_connection = True

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def got(self, name: str) -> list[str | None]:
        """The Range of every GET of a file."""
        return [span for verb, file, span in self.seen if verb == "GET" and file == name]


@pytest.fixture
def site(tmp_path, monkeypatch):
    """The server, with `publish(corpus, file, body, target, inside, md5)` that puts a file there and into the table."""
    made, rows = Site(), []

    def publish(corpus: str, file: str, body: bytes, target: str = "T", inside: str = "", md5: bool = True) -> None:
        made.files[file] = body
        sum_ = hashlib.md5(body).hexdigest() if md5 else ""
        rows.append([corpus, file, f"{made.url}/{file}", sum_, "", target, inside, f"licence of {corpus}"])
        with (tmp_path / "table.csv").open("w", newline="") as table:
            csv.writer(table).writerows([download.Download._fields, *rows])

    made.publish = publish
    monkeypatch.setattr(download, "TABLE", tmp_path / "table.csv")
    monkeypatch.setattr(download, "PAUSES", (0, 0, 0))
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def root(tmp_path) -> Path:
    return tmp_path / "data"


def call(*words: object):
    return CliRunner().invoke(main, ["data", "fetch", *map(str, words)])


def refused(*words: object) -> str:
    """The last line of a call that ends with exit code 2 and without a traceback."""
    done = call(*words)
    assert done.exit_code == 2, done.output
    last = done.output.strip().splitlines()[-1]
    assert last.startswith("clapleak: ")
    return last


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


def tree(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


# ---------------------------------------------------------------- the table


def test_table_leads_into_the_official_layouts():
    targets = {
        "esc50": {"ESC-50"},
        "clotho": {"CLOTHO_v2.1/clotho_csv_files"}
        | {f"CLOTHO_v2.1/clotho_audio_files/{split}" for split in ("development", "validation", "evaluation")},
        "audiocaps": {"AUDIOCAPS/csv_files_v1"},
        "macs": {"MACS", "MACS/audio"},
        "fsd50k": {f"FSD50K/FSD50K.{part}" for part in ("dev_audio", "eval_audio", "ground_truth", "metadata", "doc")},
        "panns": {"PANNs"},
        "audioset": set(),
    }
    for name, expected in targets.items():
        rows = [row for job in download.jobs(name) for row in job]
        assert {row.target for row in rows} == expected
        assert all(row.url.startswith("https://") and len(row.md5) in (0, 32) and row.licence for row in rows)
        assert len({row.file for row in rows}) == len(rows)
    parts = {job[-1].file: [Path(row.file).suffix for row in job] for job in download.jobs("fsd50k")}
    assert parts["FSD50K.dev_audio.zip"] == [".z01", ".z02", ".z03", ".z04", ".z05", ".zip"]
    assert parts["FSD50K.eval_audio.zip"] == [".z01", ".zip"]


def test_table_has_the_published_addresses_and_sums(real_data):
    if not (real_data / "downloads.csv").is_file():
        pytest.skip("the list of published sums is not among the real data")
    with (real_data / "downloads.csv").open(newline="") as file:
        published = {(row["file"], row["url"], row["md5"]) for row in csv.DictReader(file)}
    names = ("esc50", "clotho", "audiocaps", "macs", "fsd50k", "panns")
    ours = {(row.file, row.url, row.md5) for name in names for job in download.jobs(name) for row in job}
    assert ours <= published
    left = {file for file, _, _ in published - ours}  # parts of TAU Urban without a clip of MACS
    assert all(file.startswith("TAU-urban") for file in left) and len(left) == 15


# ---------------------------------------------------------------- downloads


def test_a_cut_download_goes_on_where_it_ended(site, root):
    site.publish("x", "a.bin", BODY)
    site.faults["a.bin"] = ["cut"]
    download.fetch("x", root)
    first, second = site.got("a.bin")
    assert first is None
    assert 0 < int(second[6:-1]) <= len(BODY) // 2
    assert tree(root / "T") == {"a.bin": BODY}


def test_a_later_call_goes_on_with_the_part_of_an_earlier_one(site, root):
    site.publish("x", "a.bin", BODY)
    (root / "T").mkdir(parents=True)
    (root / "T" / "a.bin.part").write_bytes(BODY[:1000])
    assert "0.000 GB" in download.plan("x", root)
    download.fetch("x", root)
    assert site.got("a.bin") == ["bytes=1000-"]
    assert tree(root / "T") == {"a.bin": BODY}


def test_many_cuts_are_no_failure_as_long_as_more_comes(site, root):
    site.publish("x", "a.bin", BODY * 10)
    site.faults["a.bin"] = ["cut"] * 7  # more than there are pauses; each brings half of the rest
    download.fetch("x", root)
    assert len(site.got("a.bin")) == 8
    assert tree(root / "T") == {"a.bin": BODY * 10}


def test_cuts_that_bring_nothing_end_the_call_and_keep_what_came(site, root):
    site.publish("x", "a.bin", BODY)
    site.faults["a.bin"] = ["cut", "empty", "empty", "empty"]
    assert "is kept" in refused("x", "--data-root", root, "--yes")
    assert len(site.got("a.bin")) == 4
    part = (root / "T" / "a.bin.part").read_bytes()
    assert part and BODY.startswith(part)


@pytest.mark.parametrize("fault", ["no range", "shifted"])
def test_a_server_that_does_not_resume_is_asked_from_the_start(site, root, fault):
    site.publish("x", "a.bin", BODY)
    site.faults["a.bin"] = ["cut", fault]
    download.fetch("x", root)
    assert tree(root / "T") == {"a.bin": BODY}


@pytest.mark.parametrize("extra", [0, 5])
def test_a_part_as_long_as_the_file_or_longer_ends_well(site, root, extra):
    site.publish("x", "a.bin", BODY)
    (root / "T").mkdir(parents=True)
    (root / "T" / "a.bin.part").write_bytes(BODY + bytes(extra))
    download.fetch("x", root)
    assert tree(root / "T") == {"a.bin": BODY}
    assert len(site.got("a.bin")) == (2 if extra else 1)


def test_wrong_bytes_are_deleted_and_told_in_one_line(site, root):
    site.publish("x", "a.bin", BODY)
    site.faults["a.bin"] = ["lie"]
    line = refused("x", "--data-root", root, "--yes")
    assert "a.bin" in line and "md5" in line and "deleted" in line
    assert not any((root / "T").iterdir())
    assert call("x", "--data-root", root, "--yes").exit_code == 0
    assert tree(root / "T") == {"a.bin": BODY}


@pytest.mark.parametrize("status", [404, 429, 500, 503])
def test_a_server_that_stumbles_is_asked_again_after_a_pause(site, root, monkeypatch, status):
    pauses = []
    monkeypatch.setattr(download, "PAUSES", (1, 2, 4))
    monkeypatch.setattr(download.time, "sleep", pauses.append)
    site.publish("x", "a.bin", BODY)
    site.faults["a.bin"] = [status, status]
    download.fetch("x", root)
    assert pauses == ([7, 7] if status == 429 else [1, 2])  # a 429 names its own pause
    assert tree(root / "T") == {"a.bin": BODY}


def test_a_file_that_is_not_there_ends_the_call_after_the_last_pause(site, root):
    site.publish("x", "a.bin", BODY)
    site.faults["a.bin"] = [404] * 20
    assert "a.bin: 404" in refused("x", "--data-root", root, "--yes")
    assert len(site.got("a.bin")) == 4


def test_a_web_page_is_not_taken_for_the_file(site, root):
    site.publish("x", "a.csv", BODY, md5=False)
    site.faults["a.csv"] = ["page"]
    assert "web page" in refused("x", "--data-root", root, "--yes")
    assert tree(root) == {}


def test_without_a_server_one_line_says_so(site, root):
    site.publish("x", "a.bin", BODY)
    site.server.shutdown()
    site.server.server_close()
    assert "network" in refused("x", "--data-root", root, "--yes")


def test_without_a_published_sum_the_first_fetch_is_what_later_ones_are_compared_with(site, root):
    site.publish("x", "a.csv", BODY, md5=False)
    said = call("x", "--data-root", root, "--yes").output
    assert "no published sum" in said
    assert hashlib.sha256(BODY).hexdigest() in (root / "checksums.json").read_text()
    (root / "T" / "a.csv").unlink()
    assert "as at the first fetch" in call("x", "--data-root", root, "--yes").output
    (root / "T" / "a.csv").unlink()
    site.files["a.csv"] = BODY[::-1]
    assert "sha256" in refused("x", "--data-root", root, "--yes")
    assert not any((root / "T").iterdir())


def test_without_a_published_sum_and_length_a_damaged_zip_is_noticed(site, root):
    good = zipped({"in/a.wav": BODY})
    site.publish("x", "a.zip", good, inside="in", md5=False)
    site.files["a.zip"] = good[:1000] + bytes(200) + good[1200:]
    site.faults["a.zip"] = ["no length"]
    assert "zip" in refused("x", "--data-root", root, "--yes")
    assert tree(root) == {}
    site.files["a.zip"] = good
    download.fetch("x", root)
    assert tree(root / "T") == {"a.wav": BODY}


def test_a_file_put_there_by_hand_is_taken_when_its_sum_is_right_and_left_alone_when_not(site, root):
    site.publish("x", "a.bin", BODY)
    (root / "T").mkdir(parents=True)
    (root / "T" / "a.bin").write_bytes(b"mine")
    assert "move it away" in refused("x", "--data-root", root, "--yes")
    assert tree(root / "T") == {"a.bin": b"mine"}
    (root / "T" / "a.bin").write_bytes(BODY)
    download.fetch("x", root)
    assert site.got("a.bin") == []


# ---------------------------------------------------------------- before and after


def test_licence_number_size_and_room_come_before_anything_is_fetched(site, root):
    site.publish("x", "a.zip", zipped({"in/a.wav": os.urandom(5_000_000)}), inside="in")
    site.publish("x", "b.csv", b"1,2")
    line = refused("x", "--data-root", root)  # no terminal and no --yes
    assert "--yes" in line
    said = call("x", "--data-root", root).output
    for word in ("licence of x", "2 files", "0.005 GB to fetch", "0.010 GB with what is unpacked"):
        assert word in said
    assert site.got("a.zip") == site.got("b.csv") == []
    assert not root.exists()


@pytest.mark.parametrize(("answer", "fetched"), [("n", False), ("y", True)])
def test_at_a_terminal_it_asks(site, root, answer, fetched, tmp_path):
    site.publish("x", "a.bin", BODY)
    here, there = pty.openpty()
    code = (
        "from pathlib import Path; from clapleak.datasets import download; from clapleak.cli import main;"
        f"download.TABLE = Path({str(download.TABLE)!r});"
        f"main(['data', 'fetch', 'x', '--data-root', {str(root)!r}])"
    )
    child = subprocess.Popen([sys.executable, "-c", code], stdin=there, stdout=subprocess.PIPE, text=True)
    os.write(here, f"{answer}\n".encode())
    said = child.communicate(timeout=60)[0]
    os.close(here)
    os.close(there)
    assert child.returncode == 0 and "licence" in said
    assert (root / "T" / "a.bin").exists() == fetched


def test_a_second_call_asks_nobody_and_changes_nothing(site, root):
    site.publish("x", "a.zip", zipped({"in/a.wav": BODY, "in/sub/b.wav": b"b"}), inside="in")
    site.publish("x", "b.csv", b"1,2", target="U", md5=False)
    assert call("x", "--data-root", root, "--yes").exit_code == 0
    before, site.seen[:] = {p: p.stat().st_mtime_ns for p in root.rglob("*")}, []
    assert call("x", "--data-root", root).exit_code == 0  # nothing to agree to
    assert site.seen == []
    assert {p: p.stat().st_mtime_ns for p in root.rglob("*")} == before
    shutil.rmtree(root / "downloads")  # room is wanted back
    assert call("x", "--data-root", root).exit_code == 0
    assert site.seen == []


def test_a_clip_that_was_taken_away_comes_back(site, root):
    site.publish("x", "a.zip", zipped({"in/a.wav": BODY, "in/b.wav": b"b"}), inside="in")
    download.fetch("x", root)
    (root / "T" / "b.wav").unlink()
    download.fetch("x", root)
    assert tree(root / "T") == {"a.wav": BODY, "b.wav": b"b"}
    assert len(site.got("a.zip")) == 1  # the archive was still there


def test_a_disk_too_small_is_told_before_anything_is_fetched_or_unpacked(site, root, monkeypatch):
    body = zipped({"in/a.wav": bytes(1_000_000)})  # a thousandth of that packed
    site.publish("x", "a.zip", body, inside="in")
    usage = shutil.disk_usage("/")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=2 * len(body) - 1))
    assert "GB are free" in refused("x", "--data-root", root, "--yes")
    assert site.got("a.zip") == [] and not root.exists()
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=2 * len(body)))
    assert "unpacking a.zip" in refused("x", "--data-root", root, "--yes")
    assert not (root / "T").exists()


def test_mistakes_of_the_user_are_one_line(site, root, monkeypatch):
    site.publish("x", "a.7z", BODY, inside="in")
    assert "audioset" in refused("no-such", "--data-root", root)
    monkeypatch.delenv("CLAPLEAK_DATA", raising=False)
    assert "--data-root" in refused("x")
    root.write_bytes(b"a file")
    assert "not a folder" in refused("x", "--data-root", root, "--yes")
    root.unlink()
    root.mkdir()
    (root / "checksums.json").write_text("{")
    assert "checksums.json" in refused("x", "--data-root", root, "--yes")
    monkeypatch.setitem(sys.modules, "py7zr", None)
    (root / "checksums.json").unlink()
    assert "pip install py7zr" in refused("x", "--data-root", root, "--yes")


# ---------------------------------------------------------------- archives


@pytest.mark.parametrize(
    ("name", "mode"),
    [
        ("../evil", 0o100644),
        ("in/../../evil", 0o100644),
        ("/tmp/clapleak-evil", 0o100644),
        ("..\\evil", 0o100644),
        ("C:\\evil", 0o100644),
        ("in/link", stat.S_IFLNK | 0o777),
        ("link/", stat.S_IFLNK | 0o777),
        ("in/device", stat.S_IFBLK | 0o600),
        ("in/pipe", stat.S_IFIFO | 0o600),
    ],
)
def test_a_zip_that_attacks_writes_nothing(site, root, name, mode):
    site.publish("x", "a.zip", zipped({"in/a.wav": BODY}, (name, mode)), inside="in")
    line = refused("x", "--data-root", root, "--yes")
    assert "a.zip" in line and "unsafe member" in line
    assert set(tree(root)) == {"downloads/a.zip", "checksums.json"}
    assert not list(root.parent.glob("evil*")) and not Path("/tmp/clapleak-evil").exists()


def seven(folder: Path, monkeypatch, *members: tuple[str, bytes], link: str = "") -> bytes:
    """A 7z with these members, whatever their names."""
    py7zr = pytest.importorskip("py7zr", reason="py7zr (extra data) is not installed")
    monkeypatch.setattr(py7zr.py7zr, "check_archive_path", lambda _: True)
    path = folder / "made.7z"
    with py7zr.SevenZipFile(path, "w") as archive:
        if link:
            (folder / "link").symlink_to("/etc/passwd")
            archive.write(folder / "link", link)
        for name, body in members:
            archive.writestr(body, name)
    return path.read_bytes()


def test_a_7z_lands_in_the_layout_of_clotho(site, root, tmp_path, monkeypatch):
    body = seven(tmp_path, monkeypatch, ("development/a b.wav", BODY), ("development/c.wav", b"c"), ("other/x", b"x"))
    target = "CLOTHO_v2.1/clotho_audio_files/development"
    site.publish("x", "clotho_audio_development.7z", body, target=target, inside="development")
    download.fetch("x", root)
    assert tree(root / "CLOTHO_v2.1") == {
        "clotho_audio_files/development/a b.wav": BODY,
        "clotho_audio_files/development/c.wav": b"c",
    }


@pytest.mark.parametrize("attack", ["../evil", "/tmp/clapleak-evil", "link"])
def test_a_7z_that_attacks_writes_nothing(site, root, tmp_path, monkeypatch, attack):
    members = [("in/a.wav", BODY)] + [(attack, b"evil")] * (attack != "link")
    body = seven(tmp_path, monkeypatch, *members, link="in/link" if attack == "link" else "")
    site.publish("x", "a.7z", body, inside="in")
    assert "unsafe member" in refused("x", "--data-root", root, "--yes")
    assert set(tree(root)) == {"downloads/a.7z", "checksums.json"}


def test_a_damaged_7z_and_a_7z_that_is_none_are_one_line(site, root, tmp_path, monkeypatch):
    body = seven(tmp_path, monkeypatch, ("in/a.wav", BODY))
    for number, bad in enumerate((BODY, body[:2000] + bytes(500) + body[2500:])):
        site.publish(f"x{number}", f"{number}.7z", bad, inside="in")
        assert "damaged" in refused(f"x{number}", "--data-root", root, "--yes")
    assert not (root / "T").exists()


def split(folder: Path, name: str, size: str) -> list[Path]:
    """A real zip in several volumes of a folder below `folder`, made by Info-ZIP."""
    if not shutil.which("zip"):
        pytest.skip("Info-ZIP's zip is not installed; it makes the archive in several volumes")
    subprocess.run(["zip", "-q", "-r", "-s", size, f"{name}.zip", name], cwd=folder, check=True)
    return sorted(folder.glob(f"{name}.z*"))


def test_a_zip_in_several_volumes_gives_every_clip(site, root, tmp_path):
    clips = {f"{i}.wav": os.urandom(9000 + i) for i in range(40)}
    (tmp_path / "FSD50K.dev_audio").mkdir()
    for name, body in clips.items():
        (tmp_path / "FSD50K.dev_audio" / name).write_bytes(body)
    volumes = split(tmp_path, "FSD50K.dev_audio", "64k")
    assert len(volumes) == 6 and volumes[-1].suffix == ".zip"
    for path in volumes:
        site.publish("x", path.name, path.read_bytes(), target="FSD50K/FSD50K.dev_audio", inside="FSD50K.dev_audio")
    download.fetch("x", root)
    assert tree(root / "FSD50K") == {f"FSD50K.dev_audio/{name}": body for name, body in clips.items()}
    for wrong in (volumes[1:], [volumes[1], volumes[0], *volumes[2:]]):  # one is missing; two in the wrong order
        with pytest.raises(ClapleakError, match="damaged"):
            unpack(wrong, "FSD50K.dev_audio", tmp_path / "wrong")
        assert not (tmp_path / "wrong").exists()


@pytest.mark.slow
def test_a_zip_in_several_volumes_with_a_64_bit_directory_that_spans_volumes(tmp_path):
    (tmp_path / "many").mkdir()
    for i in range(66_000):  # more members than the 16-bit count holds
        (tmp_path / "many" / str(i)).write_bytes(b"%d" % i)
    volumes = split(tmp_path, "many", "1m")
    assert unpack(volumes, "many", tmp_path / "out") == 66_000
    assert all((tmp_path / "out" / str(i)).read_bytes() == b"%d" % i for i in range(0, 66_000, 97))


def test_macs_takes_only_the_listed_clips_out_of_several_archives(site, root):
    inside = "TAU-urban-acoustic-scenes-2019-development/audio"
    site.publish("macs", "MACS.yaml", b"files:\n- filename: a.wav\n- filename: c.wav\n- filename: e.wav\n", "MACS")
    for number, names in enumerate(("ab", "cd", "f")):  # the last holds none of them
        members = {f"{inside}/{name}.wav": name.encode() for name in names} | {"README": b""}
        site.publish("macs", f"TAU.audio.{number}.zip", zipped(members), "MACS/audio", inside)
    said = call("macs", "--data-root", root, "--yes").output
    assert tree(root / "MACS" / "audio") == {"a.wav": b"a", "c.wav": b"c"}
    assert "2 of 3 listed clips" in said
    site.seen.clear()
    assert call("macs", "--data-root", root).exit_code == 0
    assert site.seen == []


def test_an_archive_of_other_content_says_which_folder_it_lacks(site, root):
    site.publish("x", "a.zip", zipped({"elsewhere/a.wav": BODY}), inside="in")
    assert "no files in in/" in refused("x", "--data-root", root, "--yes")


def test_killed_while_unpacking_it_leaves_no_half_folder_and_goes_on(site, root, tmp_path):
    members = {f"in/{i}.wav": os.urandom(100) for i in range(20)}
    site.publish("x", "a.zip", zipped(members), inside="in")
    code = f"""
import os, zipfile
from pathlib import Path
from clapleak.datasets import download
download.TABLE, whole = Path({str(download.TABLE)!r}), zipfile.ZipFile.extractall
def half(archive, folder, names):
    whole(archive, folder, names[:10])
    os.kill(os.getpid(), {int(signal.SIGKILL)})
zipfile.ZipFile.extractall = half
download.fetch("x", Path({str(root)!r}))
"""
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == -signal.SIGKILL
    assert not (root / "T").exists()
    assert len(tree(root / ".T.unpacking")) == 10
    download.fetch("x", root)
    assert tree(root / "T") == {name.removeprefix("in/"): body for name, body in members.items()}
    assert {p.name for p in root.iterdir()} == {"T", "downloads", "checksums.json"}
    assert len(site.got("a.zip")) == 1


# ---------------------------------------------------------------- audio that nobody publishes


def test_audiocaps_brings_its_tables_and_says_how_to_get_the_audio(site, root):
    for split_ in ("train", "val", "test"):
        site.publish("audiocaps", f"{split_}.csv", b"audiocap_id\n", "AUDIOCAPS/csv_files_v1", md5=False)
    done = call("audiocaps", "--data-root", root, "--yes")
    assert done.exit_code == 0
    assert set(tree(root / "AUDIOCAPS")) == {f"csv_files_v1/{s}.csv" for s in ("train", "val", "test")}
    assert "yt-dlp" in done.output and "aac-datasets" in done.output


def test_audioset_fetches_nothing_and_says_where_lists_features_and_audio_come_from(root):
    done = call("audioset", "--data-root", root)
    assert done.exit_code == 0
    for word in ("segment lists", "features", "yt-dlp"):
        assert word in done.output
    assert not root.exists()
