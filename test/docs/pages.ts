/** A file that a page shows: a line with its path in backticks and a colon, then a fenced block. */
export interface ShownFile {
  readonly path: string;
  readonly text: string;
  /** The page, and the line of its first line of code. */
  readonly location: string;
  /** What the page says that it prints, where it says so. */
  readonly output: string | undefined;
}

const FENCE = /^```/;
const NAMED = /^`([^`]+)`:$/;
const PRINTS = "It prints:";

interface Block {
  readonly language: string;
  readonly text: string;
  readonly line: number;
  /** The last line of text before the block. */
  readonly lead: string;
}

/** The files that a page shows. Throws for a block of TypeScript that has no path: nothing would run it. */
export function filesShown(page: string, markdown: string): ShownFile[] {
  const found = blocks(markdown);
  return found.flatMap((block, index) => {
    const location = `${page}:${block.line}`;
    const path = NAMED.exec(block.lead)?.[1];
    if (path === undefined) {
      if (block.language !== "ts") return [];
      throw new Error(
        `${location}: a ts block follows no line like "\`src/file.ts\`:"; give the file a path`,
      );
    }
    const next = found[index + 1];
    const output = next?.lead === PRINTS ? next.text : undefined;
    return [{ path, text: block.text, location, output }];
  });
}

/** The lines of a page's shell blocks. */
export function commandsShown(markdown: string): string[] {
  return blocks(markdown)
    .filter(({ language }) => language === "sh")
    .flatMap(({ text }) => text.trimEnd().split("\n"));
}

function blocks(markdown: string): Block[] {
  const found: Block[] = [];
  const lines = markdown.split("\n");
  let lead = "";
  for (let index = 0; index < lines.length; index++) {
    const line = lines[index]!;
    if (!FENCE.test(line)) {
      if (line !== "") lead = line;
      continue;
    }
    const end = lines.indexOf("```", index + 1);
    const text = lines.slice(index + 1, end).map((content) => `${content}\n`);
    found.push({ language: line.slice(3), text: text.join(""), line: index + 2, lead });
    lead = "";
    index = end;
  }
  return found;
}
