/**
 * The text with everything replaced that could steer a terminal or break a line: a process may give itself any name,
 * and a log line may come from anybody.
 */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, "?");
}
