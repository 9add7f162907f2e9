import Table from "cli-table3";
import { bold, printLine } from "./output.js";

/** Prints a table with headings. The cells are plain, or coloured. */
export function printTable(head: readonly string[], rows: readonly (readonly string[])[]): void {
  const table = new Table({
    head: head.map(bold),
    style: { head: [], border: [], compact: true },
    chars: {
      top: "",
      "top-mid": "",
      "top-left": "",
      "top-right": "",
      bottom: "",
      "bottom-mid": "",
      "bottom-left": "",
      "bottom-right": "",
      left: "",
      "left-mid": "",
      mid: "",
      "mid-mid": "",
      right: "",
      "right-mid": "",
      middle: "  ",
    },
  });
  table.push(...rows.map((row) => [...row]));
  // Empty cells at the end of a line are nothing that one wants to copy.
  printLine(table.toString().replace(/[ \t]+$/gm, ""));
}
