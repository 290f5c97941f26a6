/** Pages in headless Chromium, offline, with all that they ask for and complain of. */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { chromium, type BrowserContext, type Page } from 'playwright-core';

const executablePath = '/usr/bin/chromium';

/** Why no page can be opened here; undefined where one can. */
export const noBrowser: string | undefined = existsSync(executablePath) ? undefined : 'Chromium is not installed';

const args = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

export interface Look {
  width: number;
  theme?: 'light' | 'dark';
}

export interface Opened {
  page: Page;
  /** What the page said on the console, threw, or asked the network for. */
  complaints: string[];
}

export class Browser {
  readonly #folder: string;
  readonly #context: BrowserContext;

  private constructor(folder: string, context: BrowserContext) {
    this.#folder = folder;
    this.#context = context;
  }

  static async start(): Promise<Browser> {
    const folder = mkdtempSync(join(tmpdir(), 'groupaffinity-browser-'));
    const context = await chromium.launchPersistentContext(join(folder, 'profile'), {
      executablePath,
      args,
      offline: true,
      acceptDownloads: true,
    });
    return new Browser(folder, context);
  }

  /** Opens HTML as a file. */
  async open(html: string, { width, theme = 'light' }: Look): Promise<Opened> {
    const file = join(this.#folder, 'page.html');
    writeFileSync(file, html);
    const address = pathToFileURL(file).href;
    const page = await this.#context.newPage();
    const complaints: string[] = [];
    page.on('console', (message) => complaints.push(`${message.type()}: ${message.text()}`));
    page.on('pageerror', (error) => complaints.push(`threw ${error.message}`));
    page.on('dialog', (dialog) => complaints.push(`dialog ${dialog.message()}`));
    page.on('request', (request) => {
      if (request.url() !== address && request.url() !== 'data:,') complaints.push(`asked for ${request.url()}`);
    });
    await page.setViewportSize({ width, height: 900 });
    await page.emulateMedia({ colorScheme: theme });
    await page.goto(address);
    return { page, complaints };
  }

  async end(): Promise<void> {
    await this.#context.close();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
