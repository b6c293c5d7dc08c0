"""ClickHouse's engine (chdb) behind the part of its HTTP interface that roadcomb speaks: SQL in a POST with settings in the
address, the answer in the format that the SQL names (TSV when it names none), and status 500 with the message for an error.
Writes its port to the file named first."""

import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qsl, urlsplit

import chdb

# What a server takes in the address and chdb has no setting for.
NOT_SETTINGS = {"query_id", "database", "readonly", "wait_end_of_query"}


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        sql = self.rfile.read(int(self.headers["Content-Length"])).decode()
        body, _, fmt = sql.rpartition(" FORMAT ")
        settings = [f"{k}='{v}'" for k, v in parse_qsl(urlsplit(self.path).query) if k not in NOT_SETTINGS]
        if not body:
            body, fmt = sql, "TSV"
        elif settings and fmt == "ArrowStream":
            body += " SETTINGS " + ", ".join(settings)
        try:
            out = chdb.query(body, fmt).bytes()
            status = 200
        except Exception as e:
            out = str(e).encode()
            status = 500
        self.send_response(status)
        self.send_header("Content-Length", str(len(out)))
        self.end_headers()
        self.wfile.write(out)

    def log_message(self, *args):
        sys.stderr.write(args[0] % args[1:] + "\n")


server = HTTPServer(("127.0.0.1", 0), Handler)
with open(sys.argv[1], "w") as f:
    f.write(str(server.server_port))
server.serve_forever()
