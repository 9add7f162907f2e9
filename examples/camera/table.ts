import Table from "cli-table3";
import { formatBytes } from "../hostwatch/view/format.js";
import type { DemoResult, ProducerResult } from "./demo-result.js";
import { sizeName } from "./frame-size.js";

const HEAD = ["process", "size", "frames", "lost", "bytes", "copies", "p50 us", "p99 us", "p99.9 us"];
/** The columns from "frames" on. */
const NUMBERS = HEAD.length - 2;

/** The result as a table: a row per process and size. Losses stand in the first row of a process. */
export function renderTable({ producer, consumers }: DemoResult): string {
  const table = new Table({
    head: HEAD,
    colAligns: ["left", "left", ...Array<"right">(NUMBERS).fill("right")],
    style: { head: [], border: [], compact: true },
  });
  table.push(...rowsOf("producer", producer, undefined));
  for (const consumer of consumers) table.push(...rowsOf(consumer.name, consumer, consumer.lost));
  return table.toString();
}

/** How the sizes compare, a line per consumer. */
export function renderComparisons({ comparisons }: DemoResult): string[] {
  return comparisons.map(({ consumer, larger, smaller, p50, p99, p999 }) => {
    const ratios = `${p50} (p50), ${p99} (p99), ${p999} (p99.9)`;
    return `${consumer}: until the first byte is read, ${larger} takes as long as ${smaller} times ${ratios}`;
  });
}

function rowsOf(name: string, { sizes }: ProducerResult, lost: number | undefined): string[][] {
  const rows = sizes.map((size, index) => {
    const { frames, bytes, copies, p50Us, p99Us, p999Us } = size;
    // The producer receives nothing, so that it has neither losses nor latencies.
    const latencies = lost === undefined ? ["", "", ""] : [p50Us, p99Us, p999Us].map((us) => us.toFixed(1));
    const told = index === 0 && lost !== undefined ? String(lost) : "";
    return [name, sizeName(size), String(frames), told, formatBytes(bytes), String(copies), ...latencies];
  });
  return rows.length > 0 ? rows : [[name, "", "0", ...Array<string>(NUMBERS - 1).fill("")]];
}
