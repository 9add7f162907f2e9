import type { CommonOptions } from "../endpoint.js";

export interface DoctorOptions extends CommonOptions {
  readonly fix?: boolean;
}

/** One thing that was looked at. */
export interface Finding {
  readonly check: string;
  readonly state: "ok" | "warning" | "failure";
  readonly finding: string;
  /** What to do about it. */
  readonly advice?: string;
}

export type Check = (
  options: DoctorOptions,
) => Finding | readonly Finding[] | Promise<Finding | readonly Finding[]>;
