import { createInterface } from "node:readline";

/** A line of the input that is not empty, and its number from 1. */
export interface InputLine {
  readonly text: string;
  readonly number: number;
}

export async function* stdinLines(): AsyncGenerator<InputLine> {
  let number = 0;
  for await (const text of createInterface({ input: process.stdin })) {
    number++;
    if (text.trim() !== "") yield { text, number };
  }
}
