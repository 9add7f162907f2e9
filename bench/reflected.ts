import type { DescMessage } from "@bufbuild/protobuf";
import { EmptySchema } from "@bufbuild/protobuf/wkt";
import { protobufEs } from "protoipc/codegen-v1";
import {
  AwaitPushesReplySchema,
  AwaitPushesRequestSchema,
  PayloadSchema,
  StreamRequestSchema,
} from "../gen/bench/v1/bench_pb.js";
import { Bench, type BenchDefinition } from "../gen/bench/v1/bench_protoipc.js";

const SCHEMAS: readonly DescMessage[] = [
  PayloadSchema,
  StreamRequestSchema,
  AwaitPushesRequestSchema,
  AwaitPushesReplySchema,
  EmptySchema,
];

type Method = BenchDefinition["$methods"][number];

/** The service as the plugin generates it with `codec=reflect`: protobuf-es reads and writes its messages. */
export const ReflectedBench: BenchDefinition = reflected(Bench);

function reflected(service: BenchDefinition): BenchDefinition {
  const $methods = service.$methods.map(withReflection);
  const byName = Object.fromEntries($methods.map((method) => [method.localName, method]));
  return { ...service, $methods, ...byName };
}

function withReflection(method: Method): Method {
  return {
    ...method,
    request: codecOf(method.request.typeName),
    response: codecOf(method.response.typeName),
  };
}

function codecOf(typeName: string): Method["request"] {
  const schema = SCHEMAS.find((known) => known.typeName === typeName);
  if (schema === undefined) throw new Error(`the benchmark has no message ${typeName}`);
  return protobufEs(schema) as Method["request"];
}
