export { default } from "../../../modules/accumulator.ts";
