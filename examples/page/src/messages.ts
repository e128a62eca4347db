// What the page says when something is in the way: a sentence for the person at the screen, and the button that helps. What only
// whoever runs the page can change is said as theirs.

import { UploadError } from "quayside-client";

/** What a button does. */
export type Help = "go-on" | "try-now" | "start-over" | "choose-again";

export const HELP_LABELS: Readonly<Record<Help, string>> = {
  "go-on": "Go on",
  "try-now": "Try now",
  "start-over": "Start afresh",
  "choose-again": "Choose it again",
};

export interface Message {
  readonly text: string;
  readonly help?: Help;
}

/** An upload that has ended without arriving. */
export function ended(error: Error): Message {
  if (!(error instanceof UploadError)) {
    return { text: "The upload stopped. What has arrived is kept.", help: "go-on" };
  }
  switch (error.code) {
    case "unauthorized":
      if (error.status === 403) {
        return { text: "You may not upload this here. Whoever runs this page can say why.", help: "go-on" };
      }
      return { text: "You are not signed in, or no longer. Sign in, then go on.", help: "go-on" };
    case "too-large":
      return { text: tooLarge(error) };
    case "file-changed":
      return { text: "The file has changed since it was chosen. Choose it again to send it as it is now.", help: "choose-again" };
    case "file-unreadable":
      return { text: "The file cannot be read. It may have been changed, moved or deleted.", help: "choose-again" };
    case "network":
      return { text: "The server could not be reached. What has arrived is kept.", help: "go-on" };
    case "server":
      return { text: "The server is in difficulties. What has arrived is kept.", help: "go-on" };
    case "too-many-requests":
      return { text: "There is no room for it at the moment. Go on when other uploads have ended.", help: "go-on" };
    default:
      return { text: error.message, ...(error.remedy === "none" ? {} : { help: helpFor(error) }) };
  }
}

/** A request that failed and is sent again after a pause. */
export function retrying(error: UploadError, delayMs: number): Message {
  const why: Partial<Record<UploadError["code"], string>> = {
    network: "The server could not be reached.",
    server: "The server is in difficulties.",
    "too-many-requests": `The server is busy (${error.status}).`,
  };
  return { text: `${why[error.code] ?? error.message} Trying again in ${Math.ceil(delayMs / 1000)} s.`, help: "try-now" };
}

/** A limit that the server has said, or one of something in between, which says nothing. */
function tooLarge({ problem, message }: UploadError): string {
  return problem === undefined
    ? "Something between you and the server, probably a proxy, does not let pieces of this size through. Whoever runs this page can choose smaller ones."
    : message;
}

function helpFor({ remedy }: UploadError): Help {
  return remedy === "pick-file" ? "choose-again" : remedy === "start-over" ? "start-over" : "go-on";
}
