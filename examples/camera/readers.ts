import type { FrameSize } from "./frame-size.js";
import { barLine, brightnessHistogram } from "./histogram.js";
import { Snapshots } from "./snapshots.js";

export const KINDS = ["checksum", "histogram", "snapshot"] as const;
export type Kind = (typeof KINDS)[number];

/** What a consumer does with a frame besides comparing its checksum. */
export interface Reader {
  /** Reads a frame. The pixels are valid during the call only. */
  read(pixels: Uint8Array, size: FrameSize, number: bigint): void;
  /** What it has to say once a second. */
  told?(): string[];
  /** Resolves when all that it does is done. */
  end?(): Promise<void>;
  /** Files written. */
  readonly snapshots?: number;
}

const BAR_COLUMNS = 32;

export function isKind(text: string): text is Kind {
  return KINDS.some((kind) => kind === text);
}

/** A reader of the kind. Its files, if it writes any, go to `folder` and begin with `prefix`. */
export function newReader(kind: Kind, files: { readonly folder: string; readonly prefix: string }): Reader {
  switch (kind) {
    case "checksum":
      return { read: () => undefined };
    case "histogram": {
      let newest: Uint32Array = new Uint32Array(BAR_COLUMNS);
      return {
        read(pixels) {
          newest = brightnessHistogram(pixels);
        },
        told: () => [`dark ${barLine(newest, BAR_COLUMNS)} bright`],
      };
    }
    case "snapshot": {
      const snapshots = new Snapshots(files.folder, files.prefix);
      return {
        read: (pixels, size, number) => snapshots.offer(pixels, size, number),
        told: () => [snapshots.newest ?? "no snapshot yet"],
        end: () => snapshots.end(),
        get snapshots() {
          return snapshots.written;
        },
      };
    }
  }
}
