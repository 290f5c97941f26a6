import { AffinityError, show } from '../errors.ts';
import type { SpreadOptions, Unit } from './plan.ts';

/** A plan as a command line says it: what `spread` takes, or seats by the CPUs of each. */
export type PlanText = SpreadOptions | readonly string[];

const unit = /^(cpu|core|l3|numa|group|package)(?:,(.*))?$/;
// A list of CPUs has commas as well: an option begins where its name does.
const nextOption = /,(?=[a-z]+=|[a-z]+(?:,|$))/;

function syntax(text: string, why: string): AffinityError {
  return new AffinityError(
    'ERR_AFFINITY_SYNTAX',
    `${show(text)}: ${why}; a plan is written as core, or cpu,count=4,within=numa:0, or by the CPUs of its seats as 0-1/2-3`,
  );
}

/**
 * Reads a plan: a unit with options, as `core` or `cpu,count=4,within=0-3,8`; or what each seat holds, with slashes
 * between them, as `0-1/2-3` or `numa:0`. Whether there are such CPUs is for others to say.
 *
 * @throws {AffinityError} `ERR_AFFINITY_SYNTAX`
 */
export function parsePlan(text: string): PlanText {
  const match = unit.exec(text.trim());
  if (match === null) {
    const seats = text.split('/').map((seat) => seat.trim());
    if (seats.includes('')) throw syntax(text, text.trim() === '' ? 'nothing is no plan' : 'a seat has no CPUs');
    return seats;
  }
  const options: SpreadOptions = { by: match[1] as Unit };
  for (const part of match[2]?.split(nextOption) ?? []) {
    const [, name = '', value] = /^([a-z]*)(?:=(.*))?$/.exec(part.trim()) ?? [];
    if (value === undefined || value === '') throw syntax(text, `${show(part)} is no option of a plan`);
    else if (Object.hasOwn(options, name)) throw syntax(text, `${name} is there twice`);
    else if (name === 'count' && /^[1-9]\d{0,5}$/.test(value)) options.count = Number(value);
    else if (name === 'count') throw syntax(text, `count is a whole number from 1, not ${show(value)}`);
    else if (name === 'within') options.within = value;
    else throw syntax(text, `${show(name)} is no option of a plan`);
  }
  return options;
}
