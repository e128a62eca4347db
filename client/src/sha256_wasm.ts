// The one function of hash-wasm that is used. It is named here, in a file of its own that is loaded when it is needed, since bundlers keep
// all of a package that is imported as a whole.

export { createSHA256 } from "hash-wasm";
