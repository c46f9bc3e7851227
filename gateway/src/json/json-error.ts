/** The JSON is none of the message. */
export class JsonError extends Error {
  override name = "JsonError";
}
