// The main journeys in Firefox: `engines/journeys.ts` has them.

import { journeysIn } from "./engines/journeys.ts";

journeysIn("Firefox");
