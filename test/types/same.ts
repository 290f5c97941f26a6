/** True for two types that are one and the same, not only assignable. */
export type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;

/** Compiles where the types of the arguments are the same. Nothing here is ever run. */
export declare function same<A, B>(yes: Same<A, B>): void;

/** The types of a call's arguments and of its result are these. */
export declare function signature<Call extends (...args: never[]) => unknown, Arguments, Result>(
  yes: Same<[Parameters<Call>, ReturnType<Call>], [Arguments, Result]>,
): void;
