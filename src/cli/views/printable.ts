/** Text of others (meters, servers, names of processes) as it may stand on a terminal and in a journal. */

/**
 * Control characters become blanks: they would move the cursor, or begin a line of the writer's own. Line ends and colours
 * stay, which are ours.
 */
export function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: what begins a colour
  return text.replace(/\u001b\[\d{1,2}m|[^\P{Cc}\n]/gu, (found) => (found.length > 1 ? found : ' '));
}
