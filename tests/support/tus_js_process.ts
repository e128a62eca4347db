// A process that uploads a file with tus-js-client, remembers the upload's URL in a file, and dies (SIGKILL, by its own
// hand) when so many chunks have been accepted. Arguments: the library's line, the endpoint, the file, the file of URLs,
// the chunk size in bytes, and after how many chunks to die.

import { createReadStream } from "node:fs";

import { finished, libraries } from "./tus_js.ts";

const [line = "", endpoint = "", path = "", urls = "", chunkSize = "", chunks = ""] = process.argv.slice(2);
const library = libraries[line as keyof typeof libraries];
let accepted = 0;
await finished(library, createReadStream(path), {
  endpoint,
  chunkSize: Number(chunkSize),
  urlStorage: new library.FileUrlStorage(urls),
  onChunkComplete: () => {
    accepted += 1;
    if (accepted === Number(chunks)) {
      process.kill(process.pid, "SIGKILL");
    }
  },
});
