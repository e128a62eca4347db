// Whether an address is one that everybody reaches: https, and neither this machine nor a network of somebody's own.

import { BlockList } from "node:net";

const PRIVATE = new BlockList();
for (const [net, bits] of [
  ["0.0.0.0", 8],
  ["10.0.0.0", 8],
  ["100.64.0.0", 10],
  ["127.0.0.0", 8],
  ["169.254.0.0", 16],
  ["172.16.0.0", 12],
  ["192.168.0.0", 16],
]) {
  PRIVATE.addSubnet(net, bits, "ipv4");
}
for (const [net, bits] of [
  ["::", 127],
  ["fc00::", 7],
  ["fe80::", 10],
]) {
  PRIVATE.addSubnet(net, bits, "ipv6");
}

export function isPublic(address) {
  const { protocol, hostname } = URL.canParse(address) ? new URL(address) : {};
  return protocol === "https:" && !isLocal(hostname.replace(/\.$/, ""));
}

/** URLs have numbers in one spelling each: `127.1` is `127.0.0.1`. */
function isLocal(host) {
  if (host.startsWith("[")) {
    return PRIVATE.check(host.slice(1, -1), "ipv6");
  }
  return /^[\d.]+$/.test(host) ? PRIVATE.check(host, "ipv4") : !host.includes(".") || host.endsWith(".localhost");
}
