// The main journeys in Chromium: `engines/journeys.ts` has them.

import { journeysIn } from "./engines/journeys.ts";

journeysIn("Chromium");
