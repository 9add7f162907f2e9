import Table from "cli-table3";
import { type Process, ProcessState, ProcessStateSchema } from "../../../gen/hostwatch/v1/hostwatch_pb.js";
import { printable } from "../printable.js";
import type { Plain } from "../samples.js";
import { bar, cut, formatBytes, formatRate, formatShare, formatUptime } from "./format.js";
import { meanBusy, memoryShare, type View } from "./view.js";

/** The terminal's size in characters. */
export interface Size {
  readonly columns: number;
  readonly rows: number;
}

const CORE_CELL = 26;
const MAX_CORE_LINES = 4;
const MAX_INTERFACES = 4;
const MAX_DISKS = 3;
const LEAST_PROCESSES = 3;
const MOST_PROCESSES = 20;

/** The view as lines that fit the terminal's width and, where it has 24 rows or more, its height. */
export function renderTable(view: View, { columns, rows }: Size): string {
  const above = [heading(view), ...coreLines(view, columns), memoryLine(view), "", ...deviceTable(view), ""];
  const below = [...talkLines(view), ...footer(view)];
  // One line for the head of the processes' table, one that the terminal wants for the cursor.
  const room = rows - above.length - below.length - 2;
  const shown = Math.min(MOST_PROCESSES, Math.max(LEAST_PROCESSES, room));
  return [...above, ...processTable(view, shown), ...below]
    .map((line) => cut(line.trimEnd(), columns))
    .join("\n");
}

function heading(view: View): string {
  const { load } = view;
  const parts = ["hostwatch", `cpu ${formatShare(meanBusy(view))}`];
  if (load !== undefined) {
    parts.push(
      `load ${[load.one, load.five, load.fifteen].map((value) => value.toFixed(2)).join(" ")}`,
      `${load.runnable} of ${load.threads} threads run`,
      `up ${formatUptime(load.uptimeSeconds)}`,
    );
  }
  return parts.join(" · ");
}

function coreLines(view: View, columns: number): string[] {
  const cells = [...view.cores]
    .sort(([a], [b]) => a - b)
    .map(
      ([core, { busy }]) =>
        `core ${String(core).padEnd(3)} ${bar(busy, 10)} ${formatShare(busy).padStart(5)}`,
    );
  const perLine = Math.max(1, Math.floor((columns + 2) / CORE_CELL));
  const lines: string[] = [];
  for (let at = 0; at < cells.length && lines.length < MAX_CORE_LINES; at += perLine) {
    lines.push(cells.slice(at, at + perLine).join("  "));
  }
  const hidden = cells.length - MAX_CORE_LINES * perLine;
  return hidden > 0 ? [...lines, `and ${hidden} more cores`] : lines;
}

function memoryLine(view: View): string {
  const { memory } = view;
  if (memory === undefined) return "memory";
  const swapUsed = memory.swapTotalBytes - memory.swapFreeBytes;
  const used = formatBytes(memory.totalBytes - memory.availableBytes);
  const swap = memory.swapTotalBytes === 0n ? "no swap" : `swap ${formatBytes(swapUsed)}`;
  return `memory   ${bar(memoryShare(view), 10)} ${used} of ${formatBytes(memory.totalBytes)}, ${swap}`;
}

function deviceTable(view: View): string[] {
  const table = newTable(["device", "in/read", "out/write", "total in", "total out", "busy"], ["left"]);
  const interfaces = [...view.interfaces].sort(([, a], [, b]) => Number(b.receivedBytes - a.receivedBytes));
  for (const [name, link] of interfaces.slice(0, MAX_INTERFACES)) {
    const totals = [formatBytes(link.receivedBytes), formatBytes(link.transmittedBytes)];
    table.push([printable(name), formatRate(link.receiveRate), formatRate(link.transmitRate), ...totals, ""]);
  }
  const traffic = (disk: { readBytes: bigint; writtenBytes: bigint }): bigint =>
    disk.readBytes + disk.writtenBytes;
  const disks = [...view.disks].sort(([, a], [, b]) => Number(traffic(b) - traffic(a)));
  for (const [device, disk] of disks.slice(0, MAX_DISKS)) {
    const totals = [formatBytes(disk.readBytes), formatBytes(disk.writtenBytes), formatShare(disk.busy)];
    table.push([printable(device), formatRate(disk.readRate), formatRate(disk.writeRate), ...totals]);
  }
  return table.toString().split("\n");
}

function processTable(view: View, shown: number): string[] {
  const table = newTable(["pid", "cpu", "memory", "threads", "state", "name", "label"], RIGHT_FOUR);
  for (const process of view.processes.slice(0, shown)) {
    const { pid, cpu, residentBytes, threads, name, label } = process;
    const numbers = [pid, formatShare(cpu), formatBytes(residentBytes), threads];
    table.push([...numbers, stateName(process), cut(printable(name), 20), cut(printable(label), 20)]);
  }
  return table.toString().split("\n");
}

function talkLines(view: View): string[] {
  const lines: string[] = [];
  if (view.watched !== undefined) {
    const { pid, name, cpu, residentBytes } = view.watched;
    lines.push(`watching ${pid} ${printable(name)}: ${formatShare(cpu)}, ${formatBytes(residentBytes)}`);
  }
  lines.push(...view.answers.map(printable));
  if (view.annotation !== "") lines.push(printable(view.annotation));
  return lines;
}

function footer(view: View): string[] {
  const { unary, serverStream, clientStream, bidi, oneWay } = view.calls;
  const calls = [
    `${unary} unary`,
    `${serverStream} server stream`,
    `${clientStream} client stream`,
    `${bidi} bidi`,
  ];
  const latency = `unary p50 ${view.unaryP50Us} us, p99 ${view.unaryP99Us} us`;
  return [
    `calls: ${[...calls, `${oneWay} one-way`].join(", ")}`,
    [view.transport, `${view.samples} samples, ${view.lost} lost`, latency].join(" · "),
  ];
}

/** The state's name in the .proto, such as "sleeping". */
function stateName({ state }: Plain<Process>): string {
  const known = ProcessStateSchema.value[state];
  return state === ProcessState.UNSPECIFIED || known === undefined ? "" : known.localName.toLowerCase();
}

type Alignment = "left" | "right";
const RIGHT_FOUR: readonly Alignment[] = ["right", "right", "right", "right", "left", "left", "left"];

/** A table without rules, columns two spaces apart. Columns without an alignment are aligned to the right. */
function newTable(head: string[], alignments: readonly Alignment[]): Table.Table {
  const none = "";
  const chars = {
    top: none,
    "top-mid": none,
    "top-left": none,
    "top-right": none,
    bottom: none,
    "bottom-mid": none,
    "bottom-left": none,
    "bottom-right": none,
    left: none,
    "left-mid": none,
    mid: none,
    "mid-mid": none,
    right: none,
    "right-mid": none,
    middle: "  ",
  };
  return new Table({
    head,
    chars,
    colAligns: head.map((_, index) => alignments[index] ?? "right"),
    style: { head: [], border: [], "padding-left": 0, "padding-right": 0 },
  });
}
