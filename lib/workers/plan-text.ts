import { AffinityError, show } from '../errors.ts';
import { units, type SpreadOptions, type Unit } from './plan.ts';

/** A plan as a command line says it: what `spread` takes, or the CPUs of each seat. */
export type PlanText = SpreadOptions | readonly string[];

const unit = new RegExp(`^(${units.join('|')})(?:,(.*))?$`);
// A list of CPUs has commas as well: an option begins where its name does.
const nextOption = /,(?=[a-z]+(?:=|,|$))/;

const said = (value: string | undefined): value is string => value !== undefined && value !== '';

/** What an option of a plan says; a text, where it says nothing sensible. */
function read(name: string, value: string | undefined): Partial<SpreadOptions> | string {
  switch (name) {
    case 'count':
      if (value === 'quota') return { count: value };
      return said(value) && /^[1-9]\d{0,5}$/.test(value)
        ? { count: Number(value) }
        : `count is a whole number from 1, or quota, not ${show(value ?? '')}`;
    case 'within':
      return said(value) ? { within: value } : 'within is of CPUs, as within=numa:0';
    case 'exclude':
      return said(value) ? { exclude: value } : 'exclude is of CPUs, as exclude=isolated';
    case 'prefer':
      return value === 'performance' || value === 'efficiency'
        ? { prefer: value }
        : `prefer is performance or efficiency, not ${show(value ?? '')}`;
    case 'pack':
      return value === undefined ? { pack: true } : 'pack stands alone';
    default:
      return `a plan has no option ${show(name)}`;
  }
}

/**
 * Reads a plan: a unit with options, as `core` or `cpu,count=4,within=0-3,8,pack`, which are those of `spread`; or what
 * each seat holds, with slashes between them, as `0-1/2-3` or `numa:0`. Whether there are such CPUs is for others to say.
 *
 * @throws {AffinityError} `ERR_AFFINITY_SYNTAX`
 */
export function parsePlan(text: string): PlanText {
  const refuse = (why: string): AffinityError =>
    new AffinityError(
      'ERR_AFFINITY_SYNTAX',
      `${show(text)}: ${why}; a plan is written as core, or cpu,count=4,within=numa:0, or by the CPUs of its seats as 0-1/2-3`,
    );
  const match = unit.exec(text.trim());
  if (match === null) {
    const seats = text.split('/').map((seat) => seat.trim());
    if (/^[a-z]+$/i.test(text.trim()) && text.trim() !== 'isolated') throw refuse(`a unit is one of ${units.join(', ')}`);
    if (seats.includes('')) throw refuse(text.trim() === '' ? 'nothing is no plan' : 'a seat has no CPUs');
    return seats;
  }
  const [, by, rest] = match;
  const options: SpreadOptions = { by: by as Unit };
  for (const part of rest?.split(nextOption) ?? []) {
    const [name = '', ...values] = part.trim().split('=');
    const option = read(name, values.length === 0 ? undefined : values.join('='));
    if (typeof option === 'string') throw refuse(option);
    if (Object.hasOwn(options, name)) throw refuse(`${name} is there twice`);
    Object.assign(options, option);
  }
  return options;
}
