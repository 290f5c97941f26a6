type Theme = 'light' | 'dark';

const root = document.documentElement;
const system = matchMedia('(prefers-color-scheme: dark)');
const listeners: (() => void)[] = [];
const probe = document.createElement('span');

const other = (theme: Theme): Theme => (theme === 'dark' ? 'light' : 'dark');
const ofSystem = (): Theme => (system.matches ? 'dark' : 'light');
const chosen = (): Theme | undefined => root.dataset['theme'] as Theme | undefined;
const current = (): Theme => chosen() ?? ofSystem();

/** A colour of style.css in force now, as a canvas takes it. */
export function colour(name: string): string {
  probe.style.color = `var(--${name})`;
  return getComputedStyle(probe).color;
}

/** Calls when the colours are others. */
export function onTheme(listener: () => void): void {
  listeners.push(listener);
}

function choose(theme: Theme | undefined): void {
  const before = current();
  if (theme === undefined) delete root.dataset['theme'];
  else root.dataset['theme'] = theme;
  if (current() !== before) listeners.forEach((listener) => listener());
}

/** The button that turns light to dark and back. What the system prefers holds until then; paper is always light. */
export function startTheme(): void {
  probe.hidden = true;
  document.body.append(probe);
  const button = document.getElementById('theme');
  const name = (): void => {
    if (button !== null) button.textContent = current() === 'dark' ? 'Light' : 'Dark';
  };
  if (button !== null) button.hidden = false;
  button?.addEventListener('click', () => choose(other(current())));
  onTheme(name);
  name();
  system.addEventListener('change', () => {
    if (chosen() === undefined) listeners.forEach((listener) => listener());
  });
  let onScreen: Theme | undefined;
  addEventListener('beforeprint', () => {
    onScreen = chosen();
    choose('light');
  });
  addEventListener('afterprint', () => choose(onScreen));
}
