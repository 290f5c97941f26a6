import { startTheme } from './theme.ts';

startTheme();

const field = document.querySelector<HTMLInputElement>('#filter');
const shown = document.getElementById('shown');
const rows = [...document.querySelectorAll<HTMLElement>('#machines tbody tr')];
const texts = rows.map(({ textContent }) => textContent.toLowerCase());

/** Every word has to stand in a machine's row. */
function filter(): void {
  const words = (field?.value ?? '').toLowerCase().split(/\s+/);
  let many = 0;
  rows.forEach((row, at) => {
    const fits = words.every((word) => texts[at]?.includes(word) === true);
    row.hidden = !fits;
    if (fits) many += 1;
  });
  if (shown !== null) shown.textContent = `${many.toLocaleString('en')} of ${rows.length.toLocaleString('en')}`;
}

field?.closest<HTMLElement>('.filter')?.removeAttribute('hidden');
field?.addEventListener('input', filter);
filter();
