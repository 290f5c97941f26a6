import type { Claim } from './claim.ts';
import { groupClaims } from './groups.ts';
import { inactiveClaims } from './inactive.ts';
import { irqlClaims } from './irql.ts';
import { kernelPairClaims } from './kernel-pair.ts';
import { moveClaims } from './moves.ts';
import { pinClaims } from './pins.ts';
import { revertClaims } from './revert.ts';
import { setClaims } from './set.ts';
import { structureClaims } from './structure.ts';
import { threadClaims } from './threads.ts';

export const claims: readonly Claim[] = [
  ...setClaims,
  ...revertClaims,
  ...kernelPairClaims,
  ...structureClaims,
  ...irqlClaims,
  ...threadClaims,
  ...groupClaims,
  ...pinClaims,
  ...moveClaims,
  ...inactiveClaims,
];
