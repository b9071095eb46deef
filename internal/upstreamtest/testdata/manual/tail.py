import sys
from base64 import b64decode, b64encode
show = lambda v: b64encode(v.encode()).decode()
for line in sys.stdin:
    kind, header = line.split()
    environ = {"HTTP_X_AUTH_ROLE": "forged"} if header == "-" else {"HTTP_X_AUTH_ORGANIZATION_NAME": b64decode(header).decode("latin-1")}
    if kind == "list":
        print("".join("," + show(v) for v in auth_list(environ, "X-Auth-Organization-Name")))
    else:
        value = auth_header(environ, "X-Auth-Organization-Name")
        print("-" if value is None else show(value))
