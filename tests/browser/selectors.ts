// Where the demo page has what the tests use of it.

export const FILE_INPUT = "input.uppy-Dashboard-input";
export const START_BUTTON = ".uppy-StatusBar-actionBtn--upload";
/** An expression: whether files can be chosen. */
export const IS_READY = `document.querySelector("${FILE_INPUT}") !== null && document.querySelector("#protocol-hint").textContent !== ""`;
