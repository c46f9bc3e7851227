/** What the client says that it is answered is what the routes say that they answer; running it shows only that it loads. */

import { test } from "node:test";
import type {
  DeploymentView,
  FunctionView,
  ProjectSummary,
  ProjectView,
} from "@genserverless/shared/functions/views.ts";
import type {
  BatchAnswer,
  BatchedCast,
  BulkAction,
  BulkAnswer,
  BulkFilter,
  ClusterView,
  DeadLetter,
  HoldAnswer,
  MailboxView,
  MembersPage,
  MessageView,
  MigrationView,
  ModuleView,
  ProcessDocument,
  ProcessPage,
  ProcessView,
  PublishAnswer,
  SkipAnswer,
} from "genserverless/client.ts";
import type { z } from "zod";
import type * as functions from "./routes/functions-schemas.ts";
import type * as modules from "./routes/module-schemas.ts";
import type * as operate from "./routes/operate-schemas.ts";
import type * as schemas from "./routes/schemas.ts";

/** Compiles where every answer of the route is one that the client knows. */
const answers = <Known>(..._route: Known[]) => {};
const routes = <Schema extends z.ZodType>(): z.infer<Schema>[] => [];

test("the client's answers are the routes'", () => {
  answers<ProcessView>(...routes<typeof schemas.Process>());
  answers<ProcessPage>(...routes<typeof schemas.ProcessPage>());
  answers<MessageView>(...routes<typeof schemas.Message>());
  answers<{ deadLetters: DeadLetter[] }>(...routes<typeof schemas.DeadLetters>());
  answers<ClusterView>(...routes<typeof schemas.Cluster>());
  answers<HoldAnswer>(...routes<typeof operate.HoldAnswer>());
  answers<MailboxView>(...routes<typeof operate.Mailbox>());
  answers<SkipAnswer>(...routes<typeof operate.SkipAnswer>());
  answers<BatchAnswer>(...routes<typeof operate.BatchAnswer>());
  answers<BulkAnswer>(...routes<typeof operate.BulkAnswer>());
  answers<MembersPage>(...routes<typeof operate.Members>());
  answers<PublishAnswer>(...routes<typeof operate.PublishAnswer>());
  answers<{ modules: ModuleView[] }>(...routes<typeof modules.Modules>());
  answers<MigrationView>(...routes<typeof modules.Migration>());
  answers<ProjectSummary>(...routes<typeof functions.ProjectSummary>());
  answers<ProjectView>(...routes<typeof functions.ProjectView>());
  answers<DeploymentView>(...routes<typeof functions.DeploymentView>());
  answers<FunctionView>(...routes<typeof functions.FunctionView>());
});

test("what the client sends is what the routes take", () => {
  const sent = {
    casts: [] as BatchedCast[],
    action: undefined as unknown as BulkAction,
    filter: undefined as unknown as BulkFilter,
    document: undefined as unknown as ProcessDocument,
  };
  void ({ casts: sent.casts } satisfies z.input<typeof operate.BatchRequest>);
  void ({ action: sent.action, filter: sent.filter } satisfies z.input<typeof operate.BulkRequest>);
  void ((document: z.infer<typeof operate.ProcessDocument>): ProcessDocument => document);
});
