/** OTP's supervisor, with its children in the arguments of its start. */
export { default } from "genserverless/supervisor/supervisor.ts";
