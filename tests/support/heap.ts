// What the Worker's isolate holds in memory, asked of V8 through the inspector; and what its process does, of the system. What a
// production isolate is limited by is the first; the second has the simulators of R2 and of objects in it, too.

import { readFileSync } from "node:fs";

import { descendants, hasProc } from "../../bench/process_meter.ts";
import type { Stack } from "./stack.ts";

/** wrangler's inspector answers only pages that it knows. */
const ORIGIN = "http://localhost";

type HeapUsage = { usedSize: number; embedderHeapUsedSize: number; backingStorageSize: number };

/** The bytes of JavaScript's objects and of their buffers, without garbage. */
export async function heapBytes(stack: Stack): Promise<number> {
  const [target] = (await (await fetch(`${stack.inspectorUrl}/json`)).json()) as { webSocketDebuggerUrl: string }[];
  const url = target?.webSocketDebuggerUrl ?? "";
  const socket = new WebSocket(url, { headers: { Origin: ORIGIN } } as unknown as string[]);
  await new Promise((resolve, reject) => {
    socket.onopen = resolve;
    socket.onerror = () => reject(new Error(`no inspector at ${url}`));
  });
  try {
    // wrangler passes no wish to collect garbage on; but a snapshot begins with that, and what follows is answered after it.
    socket.send(JSON.stringify({ id: 1, method: "HeapProfiler.takeHeapSnapshot", params: { reportProgress: false } }));
    const usage = await asked<HeapUsage>(socket, { id: 2, method: "Runtime.getHeapUsage" });
    return usage.usedSize + usage.embedderHeapUsedSize + usage.backingStorageSize;
  } finally {
    socket.close();
  }
}

function asked<T>(socket: WebSocket, question: { id: number; method: string }): Promise<T> {
  return new Promise((resolve) => {
    socket.addEventListener("message", ({ data }) => {
      const { id, result } = JSON.parse(String(data)) as { id?: number; result: T };
      if (id === question.id) {
        resolve(result);
      }
    });
    socket.send(JSON.stringify(question));
  });
}

/** What all processes of this name below this one have in memory; nothing on a system that does not tell. */
export function residentBytes(name = "workerd"): number | undefined {
  const resident = (pid: number) =>
    Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0) * 1024;
  return hasProc ? [...descendants(name)].reduce((sum, pid) => sum + resident(pid), 0) : undefined;
}
