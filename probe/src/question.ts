// A question to the platform: what is asked, which answer the service leans on, and what it does where that is not given.

export type Answer = {
  id: string;
  question: string;
  /** The answer that the service leans on; "either" where it works with both and the answer is for people. */
  leansOn: "yes" | "no" | "either";
  /** What to do, or what is done anyway, where the answer is another. */
  fallback: string;
  answer: "yes" | "no" | "unknown";
  /** What was seen. */
  detail: string;
};

export type Found = { answer: "yes" | "no"; detail: string };

export type Question = Omit<Answer, "answer" | "detail"> & { ask: () => Promise<Found> };

export async function answered({ ask, ...question }: Question): Promise<Answer> {
  try {
    return { ...question, ...(await ask()) };
  } catch (error) {
    return { ...question, answer: "unknown", detail: `the probe itself failed: ${error}` };
  }
}

export function found(holds: boolean, detail: string): Found {
  return { answer: holds ? "yes" : "no", detail };
}

/** The message of what a promise rejects with; none where it does not. */
export async function rejection(work: Promise<unknown>): Promise<string | undefined> {
  return work.then(
    () => undefined,
    (error) => String(error).replaceAll(/\s+/g, " "),
  );
}
