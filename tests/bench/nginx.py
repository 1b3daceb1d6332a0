"""A page of 10 KiB from nginx on loopback, at once or after 100 ms."""

import contextlib
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path

CONFIG = """
{modules}
daemon off;
pid {dir}/pid;
error_log {dir}/error.log;
worker_processes 1;
events {{ worker_connections 8192; }}
http {{
  access_log off;
  sendfile on;
  keepalive_requests 10000000;
  client_body_temp_path {dir}/body;
  proxy_temp_path {dir}/proxy;
  fastcgi_temp_path {dir}/fastcgi;
  uwsgi_temp_path {dir}/uwsgi;
  scgi_temp_path {dir}/scgi;
  server {{ listen 127.0.0.1:{port} backlog=4096; root {dir}; {locations} }}
}}
"""


# Debian: libnginx-mod-http-echo
ECHO = Path("/usr/lib/nginx/modules/ngx_http_echo_module.so")
DELAYED = "location = /delayed { echo_sleep 0.1; echo_duplicate 10240 x; }"


@contextlib.contextmanager
def page():
    """Gives the URL, or None without nginx. Beside `page` lies `delayed`, where the echo module is installed."""
    nginx = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if not nginx:
        yield None
        return
    with tempfile.TemporaryDirectory() as folder, socket.socket() as probe:
        Path(folder).chmod(0o755)
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.close()
        Path(folder, "page").write_bytes(b"x" * 10 * 1024)
        Path(folder, "conf").write_text(configuration(folder, port))
        server = subprocess.Popen([nginx, "-e", f"{folder}/error.log", "-c", f"{folder}/conf"])
        try:
            wait_for(port)
            yield f"http://127.0.0.1:{port}/page"
        finally:
            server.terminate()
            server.wait()


def configuration(folder, port):
    modules, locations = (f"load_module {ECHO};", DELAYED) if ECHO.exists() else ("", "")
    return CONFIG.format(dir=folder, port=port, modules=modules, locations=locations)


def wait_for(port):
    deadline = time.monotonic() + 10
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)
