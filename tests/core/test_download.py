"""The download of CIFAR-10: every way in which it can fail, against a server on this machine."""

import errno
import gzip
import hashlib
import http.server
import io
import os
import pickle
import socket
import tarfile
import threading
from urllib.error import URLError

import numpy as np
import pytest
from torchvision.datasets import CIFAR10
from torchvision.datasets import utils as torchvision_utils

from helpers import data

BATCHES = [*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]
ADVICE = "set CIFAR10_URL (another copy) or CIFAR10_DIR (a folder)."


def small_batch(seed: int) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (10, 3072), dtype=np.uint8)
    return pickle.dumps({"data": pixels, "labels": list(range(10))})


def pack(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return gzip.compress(buffer.getvalue(), mtime=0)  # without the time of day, or the md5 would change each second


def md5(blob: bytes) -> str:
    return hashlib.md5(blob, usedforsecurity=False).hexdigest()


@pytest.fixture
def files(monkeypatch, tmp_path):
    """A CIFAR-10 of ten images a batch under the official names, known to torchvision; data/downloads/ is elsewhere."""
    files = {name: small_batch(seed) for seed, name in enumerate(BATCHES)}
    files["batches.meta"] = pickle.dumps({"label_names": list(data.CLASSES)})
    monkeypatch.setattr(CIFAR10, "train_list", [[name, md5(files[name])] for name in BATCHES[:5]])
    monkeypatch.setattr(CIFAR10, "test_list", [["test_batch", md5(files["test_batch"])]])
    monkeypatch.setattr(CIFAR10, "meta", {**CIFAR10.meta, "md5": md5(files["batches.meta"])})
    monkeypatch.setattr(CIFAR10, "tgz_md5", md5(pack(files)))
    monkeypatch.setattr(data, "DOWNLOADS", tmp_path / "downloads")
    monkeypatch.setattr(data, "TIMEOUT", 20)
    monkeypatch.delenv("CIFAR10_DIR", raising=False)
    monkeypatch.delenv("CIFAR10_URL", raising=False)
    return files


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        server = self.server
        server.requests += 1
        try:
            if server.fault == "silent":
                server.closing.wait(10)
                return
            if server.fault == "missing":
                self.send_error(404)
                return
            if server.fault == "babble":
                self.wfile.write(b"this is not HTTP\r\n\r\n")
                return
            self.send_response(200)
            self.send_header(
                "Content-Length", str(len(server.body) + (1000 if server.fault in ("cut", "stall") else 0))
            )
            self.end_headers()
            self.wfile.write(server.body)
            if server.fault == "stall":
                server.closing.wait(10)
        except OSError:
            pass  # torchvision asks twice, and hangs up on the first answer

    def log_message(self, *args):
        pass


@pytest.fixture
def server(files, monkeypatch):
    """An HTTP server in a thread; `server.body` is what it sends, `server.fault` what goes wrong."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.body, server.fault, server.requests, server.closing = pack(files), "", 0, threading.Event()
    server.url = f"http://127.0.0.1:{server.server_port}/cifar-10-python.tar.gz"
    monkeypatch.setenv("CIFAR10_URL", server.url)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield server
    server.closing.set()
    server.shutdown()
    server.server_close()


def nothing_is_left() -> bool:
    return not data.DOWNLOADS.exists() or not list(data.DOWNLOADS.iterdir())


def fails(kind, *words) -> str:
    """The download fails with one clear sentence, leaves nothing behind, and restores the socket time-out."""
    before = socket.getdefaulttimeout()
    with pytest.raises(kind) as caught:
        data.load_cifar10("full")
    message = str(caught.value)
    for word in (*words, ADVICE, "Nothing was kept."):
        assert word in message
    assert "\n" not in message and "incomplete-" not in message
    assert nothing_is_left()
    assert socket.getdefaulttimeout() is before
    return message


def test_the_official_checksum_is_the_one_asked_for():
    assert CIFAR10.tgz_md5 == "c58f30108f718f92721af3b95e74349a"


def test_right_archive(server, files, capsys):
    train, test = data.load_cifar10("full")
    assert (len(train), len(test)) == (50, 10)
    expected = pickle.loads(files["data_batch_1"])["data"].reshape(10, 3, 32, 32).transpose(0, 2, 3, 1)
    assert np.array_equal(train.images[:10].numpy(), expected)
    assert train.labels.tolist() == list(range(10)) * 5 and train.classes == data.CLASSES
    assert train.source == test.source == "CIFAR-10, complete"
    assert [path.name for path in data.DOWNLOADS.iterdir()] == ["cifar-10-batches-py"], "the archive was not removed"
    asked = server.requests
    again, _ = data.load_cifar10("full")
    assert server.requests == asked, "an image set that is there was fetched again"
    assert again.images.equal(train.images)
    assert capsys.readouterr().out.count("Fetching") == 1


def test_size_and_time_are_told_before_the_first_request(server, monkeypatch, capsys):
    told, timeouts = [], []

    def download(*arguments, **options):
        told.append(capsys.readouterr().out)
        timeouts.append(socket.getdefaulttimeout())
        raise ZeroDivisionError

    monkeypatch.setattr(data, "download_and_extract_archive", download)
    with pytest.raises(ZeroDivisionError):
        data.download_cifar10()
    for word in ("170 MB", "350 MB", "40 minutes", server.url, "CIFAR10_DIR"):
        assert word in told[0]
    assert server.requests == 0 and nothing_is_left()
    assert timeouts == [20], "the download could wait for ever"


@pytest.mark.parametrize(
    "fault, words",
    [
        ("silent", "did not answer for 0.5 seconds"),
        ("stall", "did not answer for 0.5 seconds"),
        ("cut", "or only a part of it"),
        ("missing", "could not be fetched: HTTP Error 404: Not Found"),
        ("babble", "could not be fetched: BadStatusLine: this is not HTTP. "),
    ],
)
def test_server_at_fault(server, monkeypatch, fault, words):
    if fault in ("silent", "stall"):
        monkeypatch.setattr(data, "TIMEOUT", 0.5)
    server.fault = fault
    if fault == "cut":
        server.body = server.body[: len(server.body) // 2]
    fails(ConnectionError, server.url, words)


def test_a_failed_download_does_not_hinder_the_next(server):
    server.fault = "missing"
    fails(ConnectionError, server.url, "404")
    server.fault = ""
    assert len(data.load_cifar10("full")[0]) == 50


def test_a_cut_archive_is_not_taken_for_complete_later(server):
    whole, server.fault = server.body, "cut"
    server.body = whole[:-100]
    fails(ConnectionError, server.url, "or only a part of it")
    fails(ConnectionError, server.url, "or only a part of it")
    server.fault, server.body = "", whole
    assert len(data.load_cifar10("full")[0]) == 50


def test_wrong_bytes_are_refused_before_they_are_unpacked(server, files, monkeypatch):
    server.body = pack({**files, "data_batch_1": files["data_batch_2"]})
    monkeypatch.setattr(tarfile, "open", lambda *a, **k: pytest.fail("an archive with a wrong md5 was opened"))
    fails(ConnectionError, server.url, "sent something else than the CIFAR-10 archive")


@pytest.mark.parametrize("lacking", ["data_batch_3", "test_batch", "batches.meta"])
def test_archive_that_lacks_a_file(server, files, monkeypatch, lacking):
    server.body = pack({name: blob for name, blob in files.items() if name != lacking})
    monkeypatch.setattr(CIFAR10, "tgz_md5", md5(server.body))
    fails(ConnectionError, server.url, "or only a part of it")


def test_right_md5_but_no_archive(server, monkeypatch):
    server.body = b"hello"
    monkeypatch.setattr(CIFAR10, "tgz_md5", md5(b"hello"))
    fails(ConnectionError, server.url, "sent something else")


def test_connection_refused(files, monkeypatch):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/c.tar.gz"
    monkeypatch.setenv("CIFAR10_URL", url)
    fails(ConnectionError, url, "could not be fetched", "refused")


def test_time_out_while_connecting(server, monkeypatch):
    """urllib wraps this one; a host that drops the packets of strangers cannot be had on this machine."""

    def download(*arguments, **options):
        raise URLError(TimeoutError("timed out"))

    monkeypatch.setattr(data, "download_and_extract_archive", download)
    fails(ConnectionError, server.url, "did not answer for 20 seconds")


@pytest.mark.parametrize("url", ["my-copy.tar.gz", "file:///home/me/copy.tar.gz"])
def test_an_address_that_is_none(files, monkeypatch, url):
    monkeypatch.setenv("CIFAR10_URL", url)
    with pytest.raises(
        ValueError, match=f"CIFAR10_URL is '{url}', but must begin with http.*a folder goes into CIFAR10_DIR"
    ):
        data.load_cifar10("full")
    assert nothing_is_left()


def test_empty_url_means_the_official_host(files, monkeypatch):
    monkeypatch.setenv("CIFAR10_URL", "")
    asked = []
    monkeypatch.setattr(data, "download_and_extract_archive", lambda url, *a, **k: asked.append(url) or 1 / 0)
    with pytest.raises(ZeroDivisionError):
        data.load_cifar10("full")
    assert asked == [CIFAR10.url]


# -------------------------------------------------------------------------------- the disk


class FullDisk(io.FileIO):
    def write(self, chunk):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_disk_full_while_writing(server, monkeypatch):
    real = open
    monkeypatch.setattr(
        torchvision_utils, "open", lambda p, mode="r": FullDisk(p, "w") if "w" in mode else real(p, mode), raising=False
    )
    message = fails(OSError, server.url, str(data.DOWNLOADS), "No space left on device", "Make room")
    assert "could not be stored" in message


def test_disk_full_while_unpacking(server, monkeypatch):
    def extract(self, path, **settings):  # newer torchvisions ask for a filter
        (data.Path(path) / "cifar-10-batches-py").mkdir()
        (data.Path(path) / "cifar-10-batches-py" / "data_batch_1").write_bytes(b"half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(tarfile.TarFile, "extractall", extract)
        fails(OSError, "could not be stored", "No space left on device")
    assert len(data.load_cifar10("full")[0]) == 50


def test_no_permission_to_make_the_folder(server, monkeypatch):
    def mkdir(self, *args, **options):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(self))

    monkeypatch.setattr(data.Path, "mkdir", mkdir)
    fails(PermissionError, server.url, "could not be stored", "Permission denied", "ask for permission")
    assert server.requests == 0


def test_rename_that_fails(server, monkeypatch):
    def rename(old, new):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(data.os, "rename", rename)
    fails(OSError, "could not be stored", os.strerror(errno.EIO))


def test_two_downloads_at_once(server, monkeypatch):
    """The second to finish finds the folder there, keeps it, and cleans up after itself."""
    real = data.os.rename

    def rename(old, new):
        if not os.path.exists(new):
            data.shutil.copytree(old, new)
        real(old, new)

    monkeypatch.setattr(data.os, "rename", rename)
    assert len(data.load_cifar10("full")[0]) == 50
    assert [path.name for path in data.DOWNLOADS.iterdir()] == ["cifar-10-batches-py"]


def test_keyboard_interrupt_leaves_nothing(server, monkeypatch):
    def interrupt(url, root, **options):
        (data.Path(root) / "cifar-10-python.tar.gz").write_bytes(b"a part")
        raise KeyboardInterrupt

    monkeypatch.setattr(data, "download_and_extract_archive", interrupt)
    with pytest.raises(KeyboardInterrupt):
        data.load_cifar10("full")
    assert nothing_is_left() and socket.getdefaulttimeout() is None


# -------------------------------------------------------------------------------- what lies there already


def store(folder, files):
    folder.mkdir(parents=True)
    for name, blob in files.items():
        (folder / name).write_bytes(blob)
    return folder


def test_half_a_folder_is_not_taken_for_complete(server, files):
    folder = store(data.DOWNLOADS / "cifar-10-batches-py", {"data_batch_1": files["data_batch_1"]})
    with pytest.raises(ValueError, match=r"data_batch_2 is missing: delete .*cifar-10-batches-py and fetch it again"):
        data.load_cifar10("full")
    data.shutil.rmtree(folder)
    assert len(data.load_cifar10("full")[0]) == 50


class Evil:
    """A pickle that makes a file when it is opened."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("name", ["data_batch_1", "test_batch", "batches.meta"])
def test_changed_bytes_are_refused_before_they_are_unpickled(files, tmp_path, monkeypatch, name):
    mark = tmp_path / "it-was-run"
    files[name] = pickle.dumps(Evil(mark))
    store(data.DOWNLOADS / "cifar-10-batches-py", files)
    monkeypatch.setattr(data, "download_cifar10", lambda: pytest.fail("the network was asked"))
    with pytest.raises(ValueError, match=f"{name} is not the official file"):
        data.load_cifar10("full")
    assert not mark.exists(), "a pickle with a wrong md5 was opened"
    pickle.loads(files[name])
    assert mark.exists(), "the planted pickle does nothing: the test proves nothing"


# -------------------------------------------------------------------------------- CIFAR10_DIR and the order


@pytest.mark.parametrize("inside", ["", "cifar-10-batches-py"])
def test_folder_with_the_official_files(files, tmp_path, monkeypatch, inside):
    store(tmp_path / "mine" / "cifar-10-batches-py", files)
    monkeypatch.setenv("CIFAR10_DIR", str(tmp_path / "mine" / inside))
    train, test = data.load_cifar10("full")
    assert (len(train), len(test), train.source) == (50, 10, "CIFAR-10, complete")


def test_order_of_the_sources(server, files, tmp_path, monkeypatch):
    """CIFAR10_DIR before an earlier download before the network."""
    mine = dict(files, data_batch_1=small_batch(99))
    store(data.DOWNLOADS / "cifar-10-batches-py", files)
    data.load_cifar10("full")
    assert server.requests == 0, "the network was asked although a download is there"
    store(tmp_path / "mine" / "cifar-10-batches-py", mine)
    monkeypatch.setenv("CIFAR10_DIR", str(tmp_path / "mine"))
    with pytest.raises(ValueError, match="data_batch_1 is not the official file"):
        data.load_cifar10("full")
    monkeypatch.setenv("CIFAR10_DIR", "")
    assert len(data.load_cifar10("full")[0]) == 50, "an empty CIFAR10_DIR means none"


def test_a_wrong_folder_never_falls_back_to_the_network(server, tmp_path, monkeypatch):
    monkeypatch.setenv("CIFAR10_DIR", str(tmp_path / "nowhere"))
    with pytest.raises(
        FileNotFoundError, match=r"CIFAR10_DIR names .*nowhere, which is no folder: correct it, or unset"
    ):
        data.load_cifar10("full")
    (tmp_path / "other").mkdir()
    monkeypatch.setenv("CIFAR10_DIR", str(tmp_path / "other"))
    with pytest.raises(
        FileNotFoundError, match=r"other, which holds neither train/ and test/ .* nor cifar-10-batches-py/"
    ):
        data.load_cifar10("full")
    assert server.requests == 0
