// The main journeys in WebKit: `engines/journeys.ts` has them.

import { journeysIn } from "./engines/journeys.ts";

journeysIn("WebKit");
