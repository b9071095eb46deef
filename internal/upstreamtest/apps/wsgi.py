"""What a WSGI application reads from its environ, as JSON.

gunicorn runs it as wsgi:application; run as a program it serves itself with
the standard library's wsgiref on a port of the system's choice.
"""
import base64
import http.cookies
import json
import os

HERE = os.path.dirname(os.path.abspath(__file__))
with open(os.path.join(HERE, "names.json"), encoding="utf-8") as names_file:
    NAMES = json.load(names_file)


def readings(environ, name):
    key = name.upper().replace("-", "_")
    # Django's and Werkzeug's request.headers are this mapping of the environ.
    headers = {
        k[5:].replace("_", "-").lower(): v for k, v in environ.items() if k.startswith("HTTP_")
    }
    found = {
        "environ['HTTP_" + key + "']": environ.get("HTTP_" + key),
        "request.headers['" + name + "']": headers.get(name.lower()),
    }
    if key.startswith("REMOTE_"):
        found["environ['" + key + "']"] = environ.get(key)
    return {idiom: [] if value is None else [value] for idiom, value in found.items()}


def cookies(environ):
    line = environ.get("HTTP_COOKIE", "")
    simple = http.cookies.SimpleCookie()
    try:
        simple.load(line)
    except http.cookies.CookieError:
        pass
    django = {}  # django.http.cookie.parse_cookie
    for chunk in line.split(";"):
        key, _, value = chunk.partition("=") if "=" in chunk else ("", "", chunk)
        if key.strip() or value.strip():
            django[key.strip()] = value.strip()
    return {
        "SimpleCookie(environ['HTTP_COOKIE'])": {k: m.value for k, m in simple.items()},
        "request.COOKIES": django,
    }


def application(environ, start_response):
    stream = environ["wsgi.input"]
    if environ.get("wsgi.input_terminated"):
        body = stream.read()
    else:
        body = stream.read(int(environ.get("CONTENT_LENGTH") or 0))
    document = json.dumps({
        "server": environ.get("SERVER_SOFTWARE", ""),
        "method": environ["REQUEST_METHOD"],
        "path": environ.get("PATH_INFO", ""),
        "query": environ.get("QUERY_STRING", ""),
        "body": len(body),
        "read": {name: readings(environ, name) for name in NAMES},
        "cookies": cookies(environ),
        "dump": [
            {"from": "environ", "name": k, "value": v}
            for k, v in sorted(environ.items())
            if isinstance(v, str) and os.environ.get(k) != v
        ],
    }).encode("ascii")
    headers = [("Content-Type", "application/json")]
    if environ["REQUEST_METHOD"] == "HEAD":
        headers.append(("X-Reading", base64.b64encode(document).decode("ascii")))
        document = b""
    headers.append(("Content-Length", str(len(document))))
    start_response("200 OK", headers)
    return [document]


if __name__ == "__main__":
    from wsgiref.simple_server import make_server

    server = make_server("127.0.0.1", 0, application)
    print("listening on http://127.0.0.1:%d" % server.server_port, flush=True)
    server.serve_forever()
