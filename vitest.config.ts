import { defineConfig } from "vitest/config";

const config: ReturnType<typeof defineConfig> = defineConfig({
  resolve: { conditions: ["protoipc-source", "node"] },
  ssr: { resolve: { conditions: ["protoipc-source", "node"] } },
  test: {
    exclude: ["dist/**", "node_modules/**"],
    projects: [
      { extends: true, test: { name: "all", include: ["test/**/*.test.ts"] } },
      {
        // By name an endpoint is reached over shared memory where that is built; the socket and the pipe have to stand it all too.
        extends: true,
        test: {
          name: "faults over unix",
          include: ["test/faults/**/*.test.ts"],
          exclude: ["test/faults/{quiet,domain,spawn,hostile-directory}.test.ts"],
          env: { PROTOIPC_TRANSPORTS: "unix" },
        },
      },
      {
        extends: true,
        test: {
          name: "faults over pipe",
          include: ["test/faults/**/*.test.ts"],
          exclude: ["test/faults/{quiet,domain,spawn,hostile-directory}.test.ts"],
          env: { PROTOIPC_TRANSPORTS: "pipe" },
        },
      },
    ],
    // Processes and sockets are real: two files at a time leave room for the processes that they start.
    maxWorkers: 2,
    testTimeout: 30_000,
    hookTimeout: 30_000,
  },
});

export default config;
