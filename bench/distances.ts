// How far apart client, Worker, objects and bucket are: a deployment pays for round trips in a row, which on one machine cost nothing. The
// bare platform is put at the same distances as Quayside.

/** What each way there and back takes, in milliseconds, and what the client's line carries. */
export type Distances = {
  name: string;
  r2Ms: number;
  objectMs: number;
  clientMs: number;
  /** Upwards, of all connections together; as fast as the machine where it is not said. */
  bitsPerSecond?: number;
  /** Of a hundred segments so many are lost, each of which holds up all behind it. */
  lossPercent?: number;
};

/** As they are chosen by name. */
export const PROFILES: Distances[] = [
  // A client in another town, the bucket on another coast: where round trips decide.
  { name: "far", r2Ms: 80, objectMs: 15, clientMs: 40 },
  // All in one region.
  { name: "near", r2Ms: 20, objectMs: 4, clientMs: 10 },
  // A telephone: slow upwards, and with losses.
  { name: "mobile", r2Ms: 40, objectMs: 8, clientMs: 70, bitsPerSecond: 5_000_000, lossPercent: 1 },
  // All on one machine: what processor time costs.
  { name: "zero", r2Ms: 0, objectMs: 0, clientMs: 0 },
];

/** `far,zero`: those of these names. */
export function profilesOf(names: string): Distances[] {
  return names.split(",").map((name) => {
    const found = PROFILES.find((profile) => profile.name === name);
    if (found === undefined) {
      throw new Error(`--profile ${name}: there are ${PROFILES.map((profile) => profile.name).join(", ")}`);
    }
    return found;
  });
}

/** `r2=80ms,object=15ms,client=40ms`; what is left out is at hand. */
export function latencyOf(text: string): Distances {
  const distances: Distances = { name: text, r2Ms: 0, objectMs: 0, clientMs: 0 };
  for (const part of text.split(",")) {
    const [, place, ms] = /^(r2|object|client)=(\d+)ms$/.exec(part) ?? [];
    if (place === undefined) {
      throw new Error(`--latency ${text}: is not like r2=80ms,object=15ms,client=40ms`);
    }
    distances[`${place}Ms` as "r2Ms" | "objectMs" | "clientMs"] = Number(ms);
  }
  return distances;
}

export function described({ r2Ms, objectMs, clientMs, bitsPerSecond, lossPercent }: Distances): string {
  const line = bitsPerSecond === undefined ? "" : `, ${bitsPerSecond / 1e6} Mbit/s upwards`;
  const loss = lossPercent === undefined ? "" : `, ${lossPercent} % of segments lost`;
  return `R2 ${r2Ms} ms, objects ${objectMs} ms, client ${clientMs} ms there and back${line}${loss}`;
}
