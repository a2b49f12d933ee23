"""The Weaviate server the tests may use: the one given, or one they start."""

import os
import socket
import subprocess
import time
import urllib.error
import urllib.request

import pytest

from labkit.settings import Settings

READY_S = 60


def free_ports(count):
    """Ports nobody listens on now."""
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in held]
    for each in held:
        each.close()
    return ports


@pytest.fixture(scope="session")
def weaviate_settings(tmp_path_factory):
    """Settings of WEAVIATE_URL, or of a server started from WEAVIATE_BINARY on free ports and an empty folder."""
    key = os.environ.get("WEAVIATE_API_KEY")
    if url := os.environ.get("WEAVIATE_URL"):
        port = int(os.environ.get("WEAVIATE_GRPC_PORT", "50051"))
        yield Settings(weaviate_url=url, weaviate_grpc_port=port, weaviate_api_key=key)
        return
    binary = os.environ["WEAVIATE_BINARY"]
    http, rpc, gossip, data, raft, raft_rpc, profiling = free_ports(7)
    folder = tmp_path_factory.mktemp("weaviate")
    environment = os.environ | {
        "AUTHENTICATION_ANONYMOUS_ACCESS_ENABLED": "true",
        "PERSISTENCE_DATA_PATH": str(folder / "data"),
        "CLUSTER_HOSTNAME": "node1",
        "GRPC_PORT": str(rpc),
        "CLUSTER_GOSSIP_BIND_PORT": str(gossip),
        "CLUSTER_DATA_BIND_PORT": str(data),
        "RAFT_PORT": str(raft),
        "RAFT_INTERNAL_RPC_PORT": str(raft_rpc),
        "RAFT_BOOTSTRAP_EXPECT": "1",
        "PROFILING_PORT": str(profiling),
        "DISABLE_TELEMETRY": "true",
        "LOG_LEVEL": "warning",
    }
    address = f"http://127.0.0.1:{http}"
    with (folder / "log").open("wb") as log:
        command = [binary, "--host", "127.0.0.1", "--port", str(http), "--scheme", "http"]
        server = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        try:
            wait_until_ready(address, server, folder / "log")
            yield Settings(weaviate_url=address, weaviate_grpc_port=rpc)
        finally:
            server.terminate()
            try:
                server.wait(20)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


def wait_until_ready(address, server, log):
    end = time.monotonic() + READY_S
    while server.poll() is None and time.monotonic() < end:
        try:
            with urllib.request.urlopen(f"{address}/v1/.well-known/ready", timeout=2):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    pytest.fail(f"Weaviate is not ready: {log.read_text(errors='replace')[-500:]}")
