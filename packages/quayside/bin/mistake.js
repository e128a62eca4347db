// What is wrong with what a person has written or installed. It is told in its own words, without a stack trace: nothing in here has failed.

export class Mistake extends Error {}

/** What to say of an error that is a person's to mend; undefined where it is ours. */
export function toldOf(error) {
  const isOfTheSystem = typeof error?.syscall === "string" && typeof error.code === "string";
  return error instanceof Mistake || isOfTheSystem ? error.message : undefined;
}
