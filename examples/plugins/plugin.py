"""A plugin in Python: it turns texts round, over the socket that it inherits from the host that has started it."""
import os, sys
sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../python-peer"))
from link import CallError, Link
from plugins.v1 import plugins_pb2 as plugins

def apply(request):
    return plugins.Text(text=request.text[::-1])

# "fd:3": docs/spec/names-v1.md, section 10.
link = Link(int(os.environ["PROTOIPC_PARENT"].removeprefix("fd:")), {"plugins.v1.Transform/Apply": (plugins.Text, apply)})
try:
    while True:
        link._receive()
except CallError:
    pass  # The host has closed the link, or is gone.
