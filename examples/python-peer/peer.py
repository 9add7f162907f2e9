"""Talks to examples/hostwatch: lists processes, follows a core, and says something about the busiest process."""
import itertools, sys
from google.protobuf import empty_pb2
from hostwatch.v1 import hostwatch_pb2 as hostwatch
from link import CallError, Link, socket_path
def annotate(request):
    return hostwatch.AnnotateReply(text=f"{request.process.name}, says Python")
name = sys.argv[1] if len(sys.argv) > 1 else "hostwatch"
count = int(sys.argv[2]) if len(sys.argv) > 2 else 5
try:
    link = Link(socket_path(name), {"hostwatch.v1.Annotator/Annotate": (hostwatch.AnnotateRequest, annotate)})
    print(f"linked: {link.peer.name} {link.peer.implementation}")
    query = hostwatch.ListRequest(sort_by=hostwatch.SORT_BY_MEMORY, limit=count)
    reply = link.call("hostwatch.v1.Hostwatch/List", query, hostwatch.ListReply)
    for process in reply.processes:
        print(f"process: {process.pid} {process.name!r} {process.resident_bytes}")
    core = hostwatch.CoreKey(core=0)
    cores = link.subscribe("hostwatch.v1.Hostwatch/Cores", core, hostwatch.CoreKey, hostwatch.CoreSample)
    for key, sample, seq, lost in itertools.islice(cores, count):
        print(f"core {key.core}: publication {seq}, {sample.busy:.0%} busy, {lost} lost")
    cores.close()
    answer = link.call("hostwatch.v1.Hostwatch/UseAnnotator", empty_pb2.Empty(), hostwatch.UseAnnotatorReply)
    print(f"annotated: {answer.pid} {answer.text!r}")
except (CallError, OSError) as error:
    sys.exit(f"peer.py: {error}")
