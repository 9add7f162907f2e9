import { it } from "vitest";
import { runSeeds } from "./run-seeds.js";

it("holds for the seeds from 1001 on", () => runSeeds(1001, 1_000), 180_000);
