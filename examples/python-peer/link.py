"""A peer of level 1 of docs/spec/wire-v1.md: it dials, calls and serves unary methods, and subscribes to topics."""
import collections, contextlib, os, socket, stat
from google.protobuf import proto
from protoipc.v1 import wire_pb2 as wire
PREAMBLE = bytes.fromhex("89 69 70 63 0d 0a 1a 01")
MAX_MESSAGE_BYTES, MAX_HEADER_BYTES = 4_194_304, 65_536
UNKNOWN, RESOURCE_EXHAUSTED, UNIMPLEMENTED, INTERNAL, UNAVAILABLE = 2, 8, 12, 13, 14  # of google.rpc.Code

class CallError(Exception):
    """`code` is of google.rpc. `maybe_executed` is false where it is certain that the call was not started."""
    def __init__(self, code, text, maybe_executed=False):
        self.code, self.text, self.maybe_executed = code, text, maybe_executed
        super().__init__(f"{text} (code {code})")

def socket_path(name):
    """Where the endpoint of that name listens, as docs/spec/names-v1.md has it."""
    env, user = os.environ, f"/run/user/{os.geteuid()}"
    run = env.get("XDG_RUNTIME_DIR") or (user if os.path.isdir(user) else None)
    root = env.get("PROTOIPC_DIR") or (f"{run}/protoipc" if run else f"/tmp/protoipc-{os.geteuid()}")
    directory = os.path.join(root, env.get("PROTOIPC_DOMAIN") or "default", name)
    found = os.lstat(directory)
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o077:
        raise PermissionError(f"{directory} is not a private directory of this user")
    return os.path.join(directory, "unix")

class Link:
    """`handlers`: "package.Service/Method" to the class of its request and a function from request to reply."""
    def __init__(self, path, handlers):
        self._handlers, self._next_id = handlers, 1  # odd: we dial
        self._calls = {}  # those of ours that the peer has not ended: the size of the request, the frames that came
        connection = socket.socket(fileno=path) if isinstance(path, int) else socket.socket(socket.AF_UNIX)
        isinstance(path, int) or connection.connect(path)  # a descriptor is that of a socket that was inherited
        self._file = connection.makefile("rwb")
        self._file.write(PREAMBLE)
        hello = wire.Hello(min_version=1, max_version=1, implementation="python-peer/1", incarnation=os.urandom(16))
        self._send(kind=wire.KIND_HELLO, payload=hello.SerializeToString())
        if self._file.read(8) != PREAMBLE:
            raise ConnectionError(f"what listens at {path} speaks another protocol")
        self.peer = wire.Hello.FromString(self._read().payload)
        if not self.peer.min_version <= 1 <= self.peer.max_version:
            raise ConnectionError(f"the peer speaks versions {self.peer.min_version} to {self.peer.max_version}, not 1")
    def call(self, method, request, reply_class, timeout_s=10):
        """A unary call. Raises CallError."""
        payloads = [f.payload for f in self._open(method, request, timeout_s) if f.HasField("payload")]
        if len(payloads) != 1:
            raise CallError(INTERNAL, f"{method} ended well with {len(payloads)} replies", True)
        return reply_class.FromString(payloads[0])
    def subscribe(self, topic, filter, key_class, message_class):
        """Yields (key, message, seq, lost); None as message where publications were lost. Close it to unsubscribe."""
        keys = {}
        with contextlib.closing(self._open(topic, filter, 0)) as frames:
            for frame in frames:
                if frame.kind == wire.KIND_KEY:
                    keys[frame.key_id] = key_class.FromString(frame.payload)
                elif frame.kind == wire.KIND_DATA:
                    self._send(kind=wire.KIND_CREDIT, stream_id=frame.stream_id, messages=1, bytes=len(frame.payload))
                if frame.kind in (wire.KIND_DATA, wire.KIND_LOST):
                    message = message_class.FromString(frame.payload) if frame.kind == wire.KIND_DATA else None
                    yield keys.get(frame.key_id), message, frame.seq, frame.lost
    def _open(self, method, request, timeout_s):
        """Opens a call and yields the frames of its stream up to END. Closed before that, it cancels the call."""
        payload, inbox, stream = self._encode(request), collections.deque(), self._next_id
        limits, in_flight = self.peer.limits, sum(size for size, _ in self._calls.values())
        if len(self._calls) >= (limits.max_calls or 1_024) or in_flight >= (limits.call_bytes or 4_194_304):
            raise CallError(RESOURCE_EXHAUSTED, "the peer takes no more calls at a time")
        self._next_id, self._calls[stream] = stream + 2, (len(payload), inbox)
        self._send(kind=wire.KIND_OPEN, stream_id=stream, flags=wire.FLAG_LAST, method=method,
                   timeout_us=int(timeout_s * 1e6), payload=payload)
        try:
            while inbox or stream in self._calls:
                while not inbox:
                    self._receive()
                frame = inbox.popleft()
                if frame.status.code != 0:
                    raise CallError(frame.status.code, frame.status.message, not frame.flags & wire.FLAG_NOT_STARTED)
                yield frame
        finally:
            if stream in self._calls:
                self._send(kind=wire.KIND_CANCEL, stream_id=stream)
    def _receive(self):
        frame = self._read()
        if frame.kind == wire.KIND_OPEN:
            self._serve(frame)
        elif frame.stream_id in self._calls:
            self._calls[frame.stream_id][1].append(frame)
            if frame.kind == wire.KIND_END:
                del self._calls[frame.stream_id]
    def _serve(self, frame):
        end, (request_class, function) = {}, self._handlers.get(frame.method, (None, None))
        try:
            if function is None or not frame.HasField("payload"):
                end["flags"] = wire.FLAG_NOT_STARTED
                raise CallError(UNIMPLEMENTED, f"{frame.method} is not served here as a unary method")
            end["payload"] = self._encode(function(request_class.FromString(frame.payload)))
        except Exception as error:
            known = error if isinstance(error, CallError) else CallError(UNKNOWN, f"{frame.method} failed")
            end["status"] = wire.Status(code=known.code, message=known.text)
        if frame.flags & wire.FLAG_ONE_WAY:
            self._send(kind=wire.KIND_CREDIT, flags=wire.FLAG_ONE_WAY, messages=1, bytes=len(frame.payload))
        else:
            self._send(kind=wire.KIND_END, stream_id=frame.stream_id, **end)
    def _encode(self, message):
        payload, limit = message.SerializeToString(), self.peer.limits.max_message_bytes or 4_194_304
        if len(payload) > limit:
            raise CallError(RESOURCE_EXHAUSTED, f"a message of {len(payload)} bytes; the peer takes {limit}")
        return payload
    def _send(self, **fields):
        proto.serialize_length_prefixed(wire.Frame(**fields), self._file)
        self._file.flush()
    def _read(self):
        """The next frame, behind its length: a varint, which may be padded."""
        size = 0
        for shift in range(0, 35, 7):
            byte = self._file.read(1) or b"\0"
            size |= (byte[0] & 0x7F) << shift
            if byte[0] < 0x80:
                break
        data = self._file.read(size) if size <= MAX_MESSAGE_BYTES + MAX_HEADER_BYTES else b""
        if not data or len(data) < size:
            raise CallError(UNAVAILABLE, "the peer closed the link, or died, or sends what is no frame", True)
        frame = wire.Frame.FromString(data)
        if frame.kind == wire.KIND_CLOSE:
            raise CallError(frame.status.code or UNAVAILABLE, frame.status.message, True)
        return frame
