import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '../../binding.ts';
import { Markup, markup } from './markup.ts';

export interface Shell {
  readonly title: string;
  /** A script of the build, by its name in dist/bench/page/. */
  readonly script: string;
  /** For the script: what JSON can hold. */
  readonly data: unknown;
  readonly body: Markup;
}

const built = (name: string): string => readFileSync(join(packageRoot, 'dist', 'bench', 'page', name), 'utf8');
const hash = (text: string): string => `'sha256-${createHash('sha256').update(text).digest('base64')}'`;

/** JSON that no text in it can end the element of: the parser of HTML sees no tag. */
const inert = (data: unknown): Markup => new Markup(JSON.stringify(data).replace(/</g, '\\u003c'));

export function section(id: string, title: string, body: Markup): Markup {
  return markup`<section aria-labelledby="${id}"><h2 id="${id}">${title}</h2>${body}</section>`;
}

/** A page that is whole in itself: it asks for nothing, and runs nothing but the script it was made with. */
export function page({ title, script, data, body }: Shell): string {
  const [code, style] = [built(script), built('style.css')];
  const policy = [
    "default-src 'none'",
    `script-src ${hash(code)}`,
    `style-src ${hash(style)}`,
    'img-src data:',
    "base-uri 'none'",
    "form-action 'none'",
  ].join('; ');
  return markup`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${title}</title>
<link rel="icon" href="data:,">
<style>${new Markup(style)}</style>
</head>
<body>
${body}
<script type="application/json" id="data">${inert(data)}</script>
<script>${new Markup(code)}</script>
</body>
</html>
`.text;
}
