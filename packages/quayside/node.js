// What Node finds in the Worker's place: the Worker needs the platform, and what Node would say of that helps nobody.

throw new Error(
  "quayside is a Worker: it runs under wrangler (wrangler dev, wrangler deploy), not in Node. " +
    "To mint tokens and verify events in Node, use quayside-server",
);
