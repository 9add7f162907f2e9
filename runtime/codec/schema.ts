import { create, type DescFile, toBinary } from "@bufbuild/protobuf";
import { base64Decode } from "@bufbuild/protobuf/wire";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import type { ServiceSchema } from "../definition.js";

/** The schema of services whose file protoc-gen-es has generated. */
export function schemaOfFile(file: DescFile, fingerprint: string): ServiceSchema {
  return {
    fingerprint,
    files() {
      const files = new Map<string, DescFile>();
      const add = (desc: DescFile): void => {
        if (files.has(desc.name)) return;
        for (const dependency of desc.dependencies) add(dependency);
        files.set(desc.name, desc);
      };
      add(file);
      const set = create(FileDescriptorSetSchema, { file: [...files.values()].map(({ proto }) => proto) });
      return toBinary(FileDescriptorSetSchema, set);
    },
  };
}

/** The schema of services that carry theirs: a serialized google.protobuf.FileDescriptorSet in base64. */
export function schemaOfBase64(files: string, fingerprint: string): ServiceSchema {
  return { fingerprint, files: () => base64Decode(files) };
}
