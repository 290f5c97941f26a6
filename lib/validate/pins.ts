import { CpuSet } from '../machine/cpu-set.ts';
import { affinity as currentAffinity, allowedCpus, pin, withAffinity } from '../threads/pin.ts';
import { affinity, pages, twoCpus, type Claim } from './claim.ts';
import { at, exactly, fields, on, revert, set, structure, thrown, told, where } from './look.ts';

const own = 'groupaffinity, pin';

export const pinClaims: readonly Claim[] = [
  {
    id: 'pins.confine',
    sentence: 'A pin confines the thread, and its end brings the old set back bit for bit.',
    source: own,
    needs: [affinity],
    expected: ({ one, other, start, bits }) => told(on(one), on(other), start, bits),
    observe: ({ one, other }) =>
      told(
        withAffinity([one], () => where()),
        withAffinity([other], () => where()),
        where(),
        exactly(),
      ),
  },
  {
    id: 'pins.nest',
    sentence: 'Pins nest; an outer one that ends first leaves the inner one in force, and all of them leave nothing.',
    source: own,
    needs: [affinity, twoCpus],
    expected: ({ one, other, start }) => told(on(other), on(one), on(other), on(other), start),
    observe: ({ one, other }) => {
      const seen: string[] = [];
      const outer = pin([other]);
      seen.push(where());
      const inner = pin([one]);
      seen.push(where());
      inner.restore();
      seen.push(where());
      const last = pin([other]);
      outer.restore();
      seen.push(where());
      last.restore();
      return told(...seen, where());
    },
  },
  {
    id: 'pins.previous',
    sentence: 'Over a pin, a set stores the pinned processors, and the revert goes back to the pin.',
    source: `${pages.set}, PreviousAffinity`,
    needs: [affinity, twoCpus],
    expected: ({ one, other, start }) => told('SUCCESS', fields(at(other)), on(one), 'SUCCESS', on(other), start),
    observe: ({ one, other }) => {
      const before = structure();
      const seen = withAffinity([other], () => told(set(at(one), before), fields(before), where(), revert(before), where()));
      return told(seen, where());
    },
  },
  {
    id: 'pins.below-system',
    sentence: 'A pin that is made below a system affinity waits: the thread stays, and goes to the pin at the revert.',
    source: `${pages.keSet}, Remarks`,
    needs: [affinity, twoCpus],
    expected: ({ one, other, start }) => told('SUCCESS', on(one), 'SUCCESS', on(other), start),
    observe: ({ one, other }) => {
      const before = structure();
      const done = set(at(one), before);
      const here = pin([other]);
      const seen = told(done, where(), revert(before), where());
      here.restore();
      return told(seen, where());
    },
  },
  {
    id: 'pins.end-below-system',
    sentence: 'A pin that ends below a system affinity moves nothing; the revert then finds the set from before the pin.',
    source: `${pages.keRevert}, Remarks`,
    needs: [affinity, twoCpus],
    expected: ({ one, start, bits }) => told('SUCCESS', on(one), 'SUCCESS', start, bits),
    observe: ({ one, other }) => {
      const before = structure();
      const here = pin([other]);
      const done = set(at(one), before);
      here.restore();
      return told(done, where(), revert(before), where(), exactly());
    },
  },
  {
    id: 'pins.refusal',
    sentence: 'A pin to CPUs that do not exist throws, and the thread is as it was.',
    source: own,
    needs: [affinity],
    expected: ({ start, bits }) => told('AffinityError', 'AffinityError', 'AffinityError', start, bits),
    observe: ({ one }) =>
      told(
        thrown(() => pin([65_535])),
        thrown(() => pin([one, 65_535])),
        thrown(() => pin('group:77')),
        where(),
        exactly(),
      ),
  },
  {
    id: 'pins.allowed',
    sentence: 'What the process may use does not shrink when a thread is pinned or has a system affinity.',
    source: 'groupaffinity, allowedCpus',
    needs: [affinity],
    expected: ({ cpus, other }) => told(`${CpuSet.of(cpus)}`, `${other}`, `${CpuSet.of(cpus)}`, `${other}`),
    observe: ({ other }) => {
      const before = structure();
      const pinned = withAffinity([other], () => told(String(allowedCpus()), String(currentAffinity())));
      set(at(other), before);
      const covered = told(String(allowedCpus()), String(currentAffinity()));
      revert(before);
      return told(pinned, covered);
    },
  },
];
