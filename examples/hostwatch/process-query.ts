import { IpcError } from "protoipc";
import { type Process, type ProcessFilter, SortBy } from "../../gen/hostwatch/v1/hostwatch_pb.js";
import type { Plain } from "./samples.js";

const DEFAULT_LIMIT = 20;
const MAX_LIMIT = 1000;

/** The number of processes that a request's limit stands for. Throws INVALID_ARGUMENT above 1,000. */
export function limitOf(limit: number): number {
  if (limit > MAX_LIMIT) {
    throw new IpcError("INVALID_ARGUMENT", `limit is ${limit}; the most is ${MAX_LIMIT}`);
  }
  return limit === 0 ? DEFAULT_LIMIT : limit;
}

/** Those that fit the filter. */
export function filtered(
  processes: readonly Plain<Process>[],
  filter: Plain<ProcessFilter> | undefined,
): Plain<Process>[] {
  const part = filter?.nameContains.toLowerCase() ?? "";
  const label = filter?.label ?? "";
  return processes.filter(
    (process) => process.name.toLowerCase().includes(part) && (label === "" || process.label === label),
  );
}

/** The same in order; ties by pid. */
export function sorted(processes: readonly Plain<Process>[], by: SortBy): Plain<Process>[] {
  return [...processes].sort((a, b) => compare(a, b, by) || a.pid - b.pid);
}

function compare(a: Plain<Process>, b: Plain<Process>, by: SortBy): number {
  switch (by) {
    case SortBy.CPU:
      return b.cpu - a.cpu;
    case SortBy.MEMORY:
      return Number(b.residentBytes - a.residentBytes);
    case SortBy.NAME:
      return a.name < b.name ? -1 : a.name > b.name ? 1 : 0;
    case SortBy.PID:
    case SortBy.UNSPECIFIED:
      return 0;
    default:
      throw new IpcError("INVALID_ARGUMENT", `sort_by is ${by}, which is no value of hostwatch.v1.SortBy`);
  }
}

/** The process with this pid, then its children by pid. */
export function family(processes: readonly Plain<Process>[], pid: number): Plain<Process>[] {
  const head = processes.filter((process) => process.pid === pid);
  return [
    ...head,
    ...sorted(
      processes.filter((process) => process.parentPid === pid),
      SortBy.PID,
    ),
  ];
}
