/** An element with attributes and children; text stays text. */
export function element<K extends keyof HTMLElementTagNameMap>(
  name: K,
  attributes: Readonly<Record<string, string>> = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

/** A canvas of a size in CSS pixels, sharp on this screen and on paper, and what draws on it. */
export function canvas(width: number, height: number, ratio: number): { canvas: HTMLCanvasElement; context: CanvasRenderingContext2D } {
  const made = document.createElement('canvas');
  made.width = Math.round(width * ratio);
  made.height = Math.round(height * ratio);
  made.style.width = `${width}px`;
  made.style.height = `${height}px`;
  const context = made.getContext('2d');
  if (context === null) throw new Error('this browser draws no canvas');
  context.scale(ratio, ratio);
  return { canvas: made, context };
}
