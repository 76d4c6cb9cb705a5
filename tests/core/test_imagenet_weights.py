"""load_pretrained("imagenet") with a weights file served on 127.0.0.1, and with everything that can go wrong."""

import hashlib
import http.server
import io
import pickle
import socket
import threading
import urllib.request

import pytest
import torch

from helpers import models
from helpers.batches import Batches
from helpers.data import load_cifar10
from helpers.training import cache_features

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def network():
    """Stands for torchvision's: the right layers, other numbers."""
    torch.manual_seed(0)
    return models.mobilenet_v2().eval()


@pytest.fixture(scope="module")
def blob(network):
    buffer = io.BytesIO()
    torch.save(network.state_dict(), buffer)
    return buffer.getvalue()


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        server = self.server
        server.requests += 1
        if server.fault == "silent":
            server.closing.wait(10)
        elif isinstance(server.fault, int):
            self.send_error(server.fault)
        else:
            self.send_response(200)
            self.send_header("Content-Length", str(len(server.body) + (1000 if server.fault == "cut" else 0)))
            self.end_headers()
            self.wfile.write(server.body)

    def log_message(self, *arguments):
        pass


@pytest.fixture
def server(blob, tmp_path, monkeypatch):
    """A server that torchvision's weights are fetched from; torch.hub's cache is an empty folder."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.body, server.fault, server.requests, server.closing = blob, "", 0, threading.Event()
    server.name = f"mobilenet_v2-{hashlib.sha256(blob).hexdigest()[:8]}.pth"
    server.cache = tmp_path / "hub" / "checkpoints"
    point_at(monkeypatch, f"http://127.0.0.1:{server.server_port}/models/{server.name}")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(urllib.request, "_opener", None)  # it remembers the proxies of its first use
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    yield server
    server.closing.set()
    server.shutdown()
    server.server_close()


def point_at(monkeypatch, url):
    monkeypatch.setattr(models.IMAGENET.value, "url", url)


def fails(server, *words) -> str:
    """One sentence without line breaks that names the address and what to do; nothing stays in the cache."""
    before = socket.getdefaulttimeout()
    with pytest.raises(ConnectionError) as caught:
        models.load_pretrained("imagenet")
    message = str(caught.value)
    for word in (*words, models.IMAGENET.url, "Nothing was kept", "load_pretrained() ships", str(server.cache)):
        assert word in message
    assert "\n" not in message and socket.getdefaulttimeout() is before
    assert not server.cache.exists() or not list(server.cache.iterdir())
    return message


def test_the_weights_asked_for_are_torchvisions_second():
    import torchvision

    assert models.IMAGENET is torchvision.models.MobileNet_V2_Weights.IMAGENET1K_V2
    assert models.IMAGENET.url.endswith("/mobilenet_v2-7ebf99e0.pth")


def test_the_served_file_becomes_a_feature_extractor(server, network, capfd):
    pretrained = models.load_pretrained("imagenet")
    assert (pretrained.image_size, pretrained.mean) == (224, (0.485, 0.456, 0.406))
    assert pretrained.std == (0.229, 0.224, 0.225)
    assert "torchvision" in pretrained.about and "ImageNet" in pretrained.about and "IMAGENET1K_V2" in pretrained.about
    few = load_cifar10()[1][::500]
    features, _ = cache_features(pretrained, Batches(few, 4, image_size=64))
    with torch.no_grad():
        maps = network.features(next(iter(Batches(few, 4, image_size=64)))[0])
    assert torch.allclose(features, maps.mean((2, 3)), atol=1e-5) and features.shape == (4, 1280)
    assert not any(p.requires_grad for p in pretrained.model.parameters()) and not pretrained.model.training
    out, err = capfd.readouterr()
    assert "14 MB" in out and err == "", "a progress bar"


def test_the_network_is_asked_once(server):
    for _ in range(2):
        models.load_pretrained("imagenet")
    assert server.requests == 1 and [path.name for path in server.cache.iterdir()] == [server.name]


def test_a_file_put_there_by_hand_needs_no_network(server, blob):
    server.cache.mkdir(parents=True)
    (server.cache / server.name).write_bytes(blob)
    models.load_pretrained("imagenet")
    assert server.requests == 0


@pytest.mark.parametrize(
    "fault, words",
    [(404, "Error 404"), (407, "Error 407"), ("cut", "its SHA-256 differs"), ("silent", "no answer for 0.3 seconds")],
)
def test_a_server_at_fault(server, monkeypatch, fault, words):
    monkeypatch.setattr(models, "TIMEOUT", 0.3 if fault == "silent" else 20)
    server.fault = fault
    if fault == "cut":
        server.body = server.body[:100_000]
    fails(server, words)


def test_a_proxys_own_page_is_not_taken_for_weights(server, monkeypatch):
    """What stands between the reader and the network answers with a login page, and with status 200."""
    server.body = b"<html>Please accept the terms of this network</html>"
    fails(server, "a proxy's own page")
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.setattr(urllib.request, "_opener", None)
    point_at(monkeypatch, f"http://weights.invalid/{server.name}")
    fails(server, "a proxy's own page")
    assert server.requests == 2, "the proxy was not asked"


def test_no_network(server, monkeypatch):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    point_at(monkeypatch, f"http://127.0.0.1:{port}/{server.name}")
    assert "refused" in fails(server)


def test_a_fault_that_passes_does_not_hinder_the_next_try(server):
    server.fault = 404
    fails(server, "404")
    server.fault = ""
    models.load_pretrained("imagenet")


def test_a_cached_file_that_is_damaged_is_named(server, blob):
    server.cache.mkdir(parents=True)
    path = server.cache / server.name
    path.write_bytes(blob[:-1] + b"x")
    with pytest.raises(ValueError, match=rf"{server.name} is damaged: .* Delete it and try again"):
        models.load_pretrained("imagenet")
    path.unlink()
    models.load_pretrained("imagenet")


def test_a_pickle_in_the_cache_runs_no_code(server, tmp_path, monkeypatch):
    mark = tmp_path / "it-was-run"
    evil = pickle.dumps(Evil(mark), protocol=2)
    name = f"evil-{hashlib.sha256(evil).hexdigest()[:8]}.pth"
    point_at(monkeypatch, f"http://127.0.0.1:{server.server_port}/{name}")
    server.cache.mkdir(parents=True)
    (server.cache / name).write_bytes(evil)
    with pytest.raises(pickle.UnpicklingError):
        models.load_pretrained("imagenet")
    assert not mark.exists()
    pickle.loads(evil)
    assert mark.exists(), "the planted pickle does nothing: the test proves nothing"


class Evil:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        import os

        return os.mkdir, (str(self.path),)
