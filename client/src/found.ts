// What an upload is found to be, and what there is to do about it then.

import type { Ranges } from "./chunks.ts";
import type { Status, StoredObject } from "./interfaces.ts";

/** How an upload stands. */
export interface ServerProgress {
  /** What is to be sent. Of a file that is repaired, the server has or copies the rest. */
  readonly missing: Ranges;
}

export interface SendPlan {
  readonly uploadId: string;
  readonly chunkBytes: number;
  /** Several chunks at once. */
  readonly parallel: boolean;
  /** Past the server. */
  readonly direct: boolean;
}

export type Found =
  | { readonly is: "open"; readonly plan: SendPlan; readonly progress: ServerProgress }
  | { readonly is: "completed"; readonly status: Status }
  | { readonly is: "damaged"; readonly status: Status }
  | { readonly is: "duplicate"; readonly object: StoredObject & { readonly uploadId: string } };

/** Told what takes its time before there is an upload. */
export interface Steps {
  /** The share of the file that is hashed. */
  readonly onHashed: (share: number) => void;
  /** The file goes along with the creation. */
  readonly onSending: () => void;
  /** So many of its bytes have left. */
  readonly onSent: (bytes: number) => void;
}
