#!/usr/bin/env node
// `npm create quayside [folder]`. An older Node is told so first: it could not even read what follows.

const LEAST_NODE = 20;
const { node: version } = process.versions;

if (Number(version.split(".")[0]) < LEAST_NODE) {
  console.error(`Node ${version} is too old: get ${LEAST_NODE} or newer from https://nodejs.org`);
  process.exitCode = 1;
} else {
  import("./create.js").then(({ main }) => main(process.argv.slice(2)));
}
