/** The same doors by `require`: a CommonJS module, with types of its own. */
import affinity = require('groupaffinity');
import storport = require('groupaffinity/storport');
import wdm = require('groupaffinity/wdm');
import workers = require('groupaffinity/workers');
import { pin, type CpuSet, type Where } from 'groupaffinity';

const set: CpuSet = affinity.CpuSet.parse('0');
const where: Where = set;
pin(where).restore();
new wdm.GROUP_AFFINITY({ Mask: 1n }) satisfies storport.STOR_GROUP_AFFINITY;
workers.workerOptions(workers.spread({ by: 'core', within: set }));
// @ts-expect-error there is no default export
affinity.default;
// @ts-expect-error
affinity.pin(3);
