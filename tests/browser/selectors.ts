// Where the demo page has what the tests use of it.

export const FILE_INPUT = "#file-input";
export const START_BUTTON = "#start";
/** An expression: whether files can be chosen. */
export const IS_READY = `document.body !== null && "ready" in document.body.dataset`;
