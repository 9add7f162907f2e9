import { defineConfig } from "vitest/config";

const config: ReturnType<typeof defineConfig> = defineConfig({
  resolve: { conditions: ["protoipc-source", "node"] },
  ssr: { resolve: { conditions: ["protoipc-source", "node"] } },
  test: {
    exclude: ["dist/**", "node_modules/**"],
    include: ["test/**/*.test.ts"],
    // Processes and sockets are real: two files at a time leave room for the processes that they start.
    maxWorkers: 2,
    testTimeout: 30_000,
    hookTimeout: 30_000,
  },
});

export default config;
