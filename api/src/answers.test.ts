/** What the client says that it is answered is what the routes say that they answer; running it shows only that it loads. */

import { test } from "node:test";
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
import type * as modules from "./routes/module-schemas.ts";
import type * as operate from "./routes/operate-schemas.ts";
import type * as schemas from "./routes/schemas.ts";

const answers = <Answered>(_route: (answer: z.ZodType) => Answered) => {};
const answered =
  <Schema extends z.ZodType>() =>
  (_: z.ZodType): z.infer<Schema> =>
    undefined as never;

test("the client's answers are the routes'", () => {
  answers<ProcessView>(answered<typeof schemas.Process>());
  answers<ProcessPage>(answered<typeof schemas.ProcessPage>());
  answers<MessageView>(answered<typeof schemas.Message>());
  answers<{ deadLetters: DeadLetter[] }>(answered<typeof schemas.DeadLetters>());
  answers<ClusterView>(answered<typeof schemas.Cluster>());
  answers<HoldAnswer>(answered<typeof operate.HoldAnswer>());
  answers<MailboxView>(answered<typeof operate.Mailbox>());
  answers<SkipAnswer>(answered<typeof operate.SkipAnswer>());
  answers<BatchAnswer>(answered<typeof operate.BatchAnswer>());
  answers<BulkAnswer>(answered<typeof operate.BulkAnswer>());
  answers<MembersPage>(answered<typeof operate.Members>());
  answers<PublishAnswer>(answered<typeof operate.PublishAnswer>());
  answers<{ modules: ModuleView[] }>(answered<typeof modules.Modules>());
  answers<MigrationView>(answered<typeof modules.Migration>());
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
