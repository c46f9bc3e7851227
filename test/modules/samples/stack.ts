export { default } from "../../../modules/stack.ts";
