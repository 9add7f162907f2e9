import { create } from "@bufbuild/protobuf";
import { type Frame as FrameMessage, FrameSchema, type Kind } from "../../../gen/protoipc/v1/wire_pb.js";
import type { Frame } from "../../../runtime/wire/index.js";

/** The runtime's plain frame as the message that protobuf's own code writes. */
export function messageFromFrame(frame: Frame): FrameMessage {
  const { status, payload } = frame;
  return create(FrameSchema, {
    kind: frame.kind as Kind,
    streamId: BigInt(frame.streamId),
    flags: frame.flags,
    methodId: frame.methodId,
    method: frame.method,
    timeUs: BigInt(frame.timeUs),
    timeoutUs: BigInt(frame.timeoutUs),
    messages: frame.messages,
    bytes: BigInt(frame.bytes),
    keyId: frame.keyId,
    seq: BigInt(frame.seq),
    lost: BigInt(frame.lost),
    metadata: frame.metadata.map(({ key, value }) => ({ key, value })),
    ...(status === undefined
      ? {}
      : { status: { code: status.code, message: status.message, details: [...status.details] } }),
    ...(payload === undefined ? {} : { payload }),
  });
}

/** The message as the runtime's plain frame. */
export function frameFromMessage(message: FrameMessage): Frame {
  const { status } = message;
  return {
    kind: message.kind,
    streamId: Number(message.streamId),
    flags: message.flags,
    methodId: message.methodId,
    method: message.method,
    timeUs: Number(message.timeUs),
    timeoutUs: Number(message.timeoutUs),
    messages: message.messages,
    bytes: Number(message.bytes),
    keyId: message.keyId,
    seq: Number(message.seq),
    lost: Number(message.lost),
    status:
      status === undefined
        ? undefined
        : {
            code: status.code,
            message: status.message,
            details: status.details.map(({ typeUrl, value }) => ({ typeUrl, value })),
          },
    metadata: message.metadata.map(({ key, value }) => ({ key, value })),
    payload: message.payload,
  };
}
