/** The module `supervisor`: a supervisor whose strategy, intensity and children are the arguments of its start. */

import { readSupervision } from "./child-spec.ts";
import { toModule } from "./define-supervisor.ts";

export default toModule("supervisor", 1, readSupervision);
