import { afterAll, beforeAll, describe } from "vitest";
import { shmBinding } from "../../harness/shm.js";
import { sessionSuite } from "./suite.js";

describe.runIf(shmBinding() !== undefined)("shared memory", () => {
  sessionSuite("shm");
});

describe.runIf(shmBinding() !== undefined)("shared memory where external memory is forbidden", () => {
  beforeAll(() => {
    process.env["PROTOIPC_EXTERNAL_MEMORY"] = "0";
  });
  afterAll(() => {
    delete process.env["PROTOIPC_EXTERNAL_MEMORY"];
  });
  sessionSuite("shm", false);
});
