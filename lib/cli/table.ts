import { plain } from './plain-text.ts';

/** Columns as wide as their widest cell; numbers to the right, and what stands in the columns of `right`. */
export function table(heads: readonly string[], rows: readonly (readonly (string | number)[])[], right: readonly string[] = []): string {
  const cells = rows.map((row) => row.map((cell) => (typeof cell === 'number' ? cell.toLocaleString('en') : plain(cell))));
  const widths = heads.map((head, column) => Math.max(head.length, ...cells.map((row) => row[column]?.length ?? 0)));
  const toRight = heads.map(
    (head, column) => right.includes(head) || (rows.length > 0 && rows.every((row) => typeof row[column] === 'number')),
  );
  const line = (row: readonly string[]): string =>
    row
      .map((cell, column) => (toRight[column] === true ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0)))
      .join('  ')
      .trimEnd();
  return [line(heads), widths.map((width) => '─'.repeat(width)).join('  '), ...cells.map(line)].join('\n');
}
