"""nginx for the files of a folder: one worker, `sendfile` on, no log.

`python -m benchmark.nginx PORT FOLDER WORK`: becomes nginx, which writes into the folder WORK.
"""

import os
import sys
from pathlib import Path

from .load import HOST

CONFIGURATION = """
daemon off; master_process off; worker_processes 1; pid {work}/nginx.pid; error_log stderr warn;
events {{ worker_connections 2048; }}
http {{
  access_log off; sendfile on; tcp_nopush on; keepalive_requests 100000000;
  client_body_temp_path {work}/temporary; proxy_temp_path {work}/temporary;
  fastcgi_temp_path {work}/temporary; uwsgi_temp_path {work}/temporary; scgi_temp_path {work}/temporary;
  server {{ listen {host}:{port}; root {folder}; }}
}}
"""

if __name__ == "__main__":
    port, folder, work = sys.argv[1:]
    file = Path(work, "nginx.conf")
    file.write_text(CONFIGURATION.format(host=HOST, port=port, folder=folder, work=work))
    os.execvp("nginx", ["nginx", "-p", work, "-c", str(file)])  # noqa: S606, S607
