// As node.js, for `require`.

throw new Error(
  "quayside is a Worker and an ES module: import it in a module that wrangler runs. " +
    "To mint tokens and verify events in Node, use quayside-server",
);
