/** What tests must know of the kernel below them. */
import { release } from 'node:os';

const [major = 0, minor = 0] = release().split('.').map(Number);

/** Before 6.2 Linux leaves out of every set the CPUs that are offline when it is given. */
export const forgetful = process.platform === 'linux' && (major < 6 || (major === 6 && minor < 2));
