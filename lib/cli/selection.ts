/** Things with an id, chosen on the command line by it or by its beginning. */

/** Those whose ids begin with one of the texts, each once; all of them for no text. */
export function select<T extends { readonly id: string }>(items: readonly T[], texts: readonly string[]): readonly T[] {
  return texts.length === 0 ? items : items.filter(({ id }) => texts.some((text) => id.startsWith(text)));
}

/** Insertions, deletions and replacements that make one text of the other. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, at) => at);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1)
      next.push(Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)));
    row = next;
  }
  return row[b.length] ?? 0;
}

/** Ids that a text may have meant, the nearest first. */
export function near(items: readonly { readonly id: string }[], text: string): string[] {
  const rank = (id: string): number => Math.min(distance(text, id), distance(text, id.slice(0, text.length)) + 0.5);
  return items
    .map(({ id }) => ({ id, far: rank(id) }))
    .sort((a, b) => a.far - b.far)
    .slice(0, 3)
    .map(({ id }) => id);
}
