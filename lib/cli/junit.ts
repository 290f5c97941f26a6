import type { Checked } from '../validate/run.ts';
import type { MachineInWords } from './this-machine.ts';

/** Text for an XML 1.0 document: characters that it can't hold are replaced. */
function escape(text: string): string {
  return (
    text
      // oxlint-disable-next-line no-control-regex
      .replace(/[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, '\ufffd')
      .replace(/&/g, '&amp;')
      .replace(/</g, '&lt;')
      .replace(/>/g, '&gt;')
      .replace(/"/g, '&quot;')
      .replace(/[\t\n\r]/g, (blank) => `&#${blank.charCodeAt(0)};`)
  );
}

function attributes(values: Record<string, string | number>): string {
  return Object.entries(values)
    .map(([key, value]) => ` ${key}="${escape(String(value))}"`)
    .join('');
}

const seconds = (checked: readonly Checked[]): string =>
  (checked.reduce((sum, { milliseconds }) => sum + milliseconds, 0) / 1000).toFixed(3);

function counts(checked: readonly Checked[]): Record<string, string | number> {
  const of = (verdict: Checked['verdict']): number => checked.filter((each) => each.verdict === verdict).length;
  return { tests: checked.length, failures: of('fail'), errors: 0, skipped: of('skip'), time: seconds(checked) };
}

const subject = ({ id }: Checked): string => id.split('.')[0] ?? id;

function testcase(checked: Checked): string {
  const { id, sentence, source, verdict, expected, observed, reason } = checked;
  const open = `    <testcase${attributes({ classname: `groupaffinity.${subject(checked)}`, name: `${id}: ${sentence}`, time: seconds([checked]) })}`;
  if (verdict === 'pass') return `${open}/>`;
  if (verdict === 'skip') return `${open}>\n      <skipped${attributes({ message: reason ?? '' })}/>\n    </testcase>`;
  const text = `expected: ${expected}\nobserved: ${observed}\nsource:   ${source}`;
  const message = attributes({ type: 'claim', message: `expected ${expected}; observed ${observed}` });
  return `${open}>\n      <failure${message}>${escape(text)}</failure>\n    </testcase>`;
}

/** A JUnit report: a suite for each subject. */
export function junit(checked: readonly Checked[], begun: Date, properties: MachineInWords): string {
  const subjects = [...new Set(checked.map(subject))];
  const described = Object.entries(properties).map(([name, value]) => `      <property${attributes({ name, value })}/>`);
  const suites = subjects.map((name) => {
    const mine = checked.filter((each) => subject(each) === name);
    const head = attributes({ name: `groupaffinity.${name}`, ...counts(mine), timestamp: begun.toISOString().slice(0, 19) });
    return [`  <testsuite${head}>`, '    <properties>', ...described, '    </properties>', ...mine.map(testcase), '  </testsuite>'].join(
      '\n',
    );
  });
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites${attributes({ name: 'groupaffinity validate', ...counts(checked) })}>`,
    ...suites,
    '</testsuites>',
    '',
  ].join('\n');
}
